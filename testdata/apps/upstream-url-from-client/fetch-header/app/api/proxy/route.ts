import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const target = new URL(req.url).searchParams.get('target')!;
  const answer = await fetch(target, { method: 'POST', headers: { authorization: `Bearer ${process.env.OPENAI_API_KEY}` } }); // want "upstream-url-from-client"
  return Response.json({ ok: answer.ok });
}
