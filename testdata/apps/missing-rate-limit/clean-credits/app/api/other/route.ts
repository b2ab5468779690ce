import { RateLimiterMemory } from 'rate-limiter-flexible';
import { auth } from '@/auth';
import { openai } from '@/lib/openai';

const limiter = new RateLimiterMemory({ points: 5, duration: 60 });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  try {
    await limiter.consume(session.user.id);
  } catch {
    return new Response('Too many requests', { status: 429 });
  }
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  return new Response(done.output_text);
}
