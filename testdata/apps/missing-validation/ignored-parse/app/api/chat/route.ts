import { z } from 'zod';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

const Body = z.object({ prompt: z.string().max(500) });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const body = await req.json(); // want "missing-validation" "missing-size-cap"
  const parsed = Body.safeParse(body);
  if (!parsed.success) console.warn('odd input');
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: body.prompt, max_output_tokens: 500 });
  return new Response(done.output_text);
}
