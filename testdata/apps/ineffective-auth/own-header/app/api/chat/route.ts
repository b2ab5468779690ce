import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function POST(req: Request) {
  const user = req.headers.get('x-user-id'); // want "ineffective-auth"
  if (!user) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit('chat');
  if (!success) return new Response('Too many requests', { status: 429 });
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  return new Response(done.output_text);
}
