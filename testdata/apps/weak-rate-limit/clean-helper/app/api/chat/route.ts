import { auth } from '@/auth';
import { tooMany } from '@/lib/check';
import { openai } from '@/lib/openai';

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  if (await tooMany(`${session.user.id}:${req.headers.get('x-forwarded-for')}`)) return new Response('Slow down', { status: 429 });
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  return new Response(done.output_text);
}
