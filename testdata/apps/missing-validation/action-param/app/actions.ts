'use server';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function ask(
  question: string, // want "missing-validation" "missing-size-cap"
) {
  const session = await auth();
  if (!session?.user?.id) throw new Error('Unauthorized');
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) throw new Error('Too many requests');
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: question, max_output_tokens: 500 });
  return done.output_text;
}
