import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const { prompt } = await req.json();
  if (typeof prompt !== 'string' || prompt.length > 2000) return new Response('Invalid prompt', { status: 400 });
  const upstream = await fetch('https://api.openai.com/v1/responses', {
    method: 'POST',
    headers: { authorization: `Bearer ${process.env.OPENAI_API_KEY}` },
    body: JSON.stringify({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 300 }),
  });
  const data = await upstream.json();
  return Response.json({ ok: true, data }); // want "raw-upstream-returned"
}
