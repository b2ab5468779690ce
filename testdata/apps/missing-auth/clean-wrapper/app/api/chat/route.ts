import { z } from 'zod';
import { openai } from '@/lib/openai';
import { ratelimit } from '@/lib/limit';
import { withUser } from '@/lib/with-user';

const Body = z.object({ prompt: z.string().min(1).max(2000) });

export const POST = withUser(async (req, user) => {
  const { success } = await ratelimit.limit(user.id);
  if (!success) return Response.json({ error: 'Too many requests' }, { status: 429 });
  const parsed = Body.safeParse(await req.json());
  if (!parsed.success) return Response.json({ error: 'Invalid prompt' }, { status: 400 });
  const answer = await openai.responses.create({ model: 'gpt-4.1-mini', input: parsed.data.prompt, max_output_tokens: 500 });
  return Response.json({ text: answer.output_text });
});
