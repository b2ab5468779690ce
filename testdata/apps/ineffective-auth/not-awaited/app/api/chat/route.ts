import { requireUser } from '@/lib/user';
import { openai } from '@/lib/openai';
import { ratelimit } from '@/lib/limit';

export async function POST() {
  requireUser(); // want "ineffective-auth"
  const { success } = await ratelimit.limit('all');
  if (!success) return Response.json({ error: 'Too many requests' }, { status: 429 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: 'Invent a holiday.', max_output_tokens: 100 });
  return Response.json({ text: done.output_text });
}

export async function PUT() {
  await requireUser();
  const { success } = await ratelimit.limit('all');
  if (!success) return Response.json({ error: 'Too many requests' }, { status: 429 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: 'Invent a holiday.', max_output_tokens: 100 });
  return Response.json({ text: done.output_text });
}
