'use server';
import { isSignedIn } from '@/lib/session';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function ask(question: string) {
  await isSignedIn(); // want "ineffective-auth"
  const { success } = await ratelimit.limit('ask');
  if (!success) return { error: 'Too many requests' };
  if (typeof question !== 'string' || question.length > 500) return { error: 'Invalid question' };
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: question, max_output_tokens: 500 });
  return { text: done.output_text };
}
