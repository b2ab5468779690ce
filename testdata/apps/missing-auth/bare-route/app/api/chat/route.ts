import { z } from 'zod';
import { openai } from '@/lib/openai';
import { ratelimit } from '@/lib/limit';

const Body = z.object({ prompt: z.string().min(1).max(2000) });

export async function POST(req: Request) { // want "missing-auth"
  const ip = req.headers.get('x-real-ip') ?? 'none';
  const { success } = await ratelimit.limit(ip);
  if (!success) return Response.json({ error: 'Too many requests' }, { status: 429 });
  const { prompt } = Body.parse(await req.json());
  const answer = await openai.responses.create({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 500 });
  return Response.json({ text: answer.output_text });
}
