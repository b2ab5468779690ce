import { encode } from 'gpt-tokenizer';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const { prompt, title } = await req.json();
  if (typeof prompt !== 'string' || typeof title !== 'string') return new Response('Invalid prompt', { status: 400 });
  if (encode(prompt).length > 1000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: `${title.slice(0, 100)}: ${prompt}`, max_output_tokens: 500 });
  return new Response(done.output_text);
}
