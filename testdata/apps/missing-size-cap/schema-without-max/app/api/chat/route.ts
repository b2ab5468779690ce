import { z } from 'zod';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

const Body = z.object({
  prompt: z.string().min(1), // want "missing-size-cap"
  style: z.enum(['short', 'long']),
});

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const { prompt, style } = Body.parse(await req.json());
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: `${style}: ${prompt}`, max_output_tokens: 500 });
  return new Response(done.output_text);
}
