import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

async function answer(text: string) {
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  return new Response(done.output_text);
}

export async function POST(req: Request) {
  const session = await auth();
  if (!session) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  return answer(text);
}

export async function PUT(req: Request) { // want "missing-rate-limit"
  const session = await auth();
  if (!session) return new Response('Unauthorized', { status: 401 });
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  return answer(text);
}
