import { z } from 'zod';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

const Body = z.object({ device: z.string().max(64), prompt: z.string().max(1000) });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { device, prompt } = Body.parse(await req.json());
  const { success } = await ratelimit.limit(device); // want "weak-rate-limit"
  if (!success) return new Response('Too many requests', { status: 429 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 500 });
  return new Response(done.output_text);
}
