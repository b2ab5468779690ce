'use server';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function ask(question: string) {
  const session = await auth();
  if (!session?.user?.id) return { error: 'Unauthorized' };
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return { error: 'Too many requests' };
  if (typeof question !== 'string' || question.length > 500) return { error: 'Invalid question' };
  try {
    const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: question, max_output_tokens: 500 });
    return { text: done.output_text };
  } catch (e: any) {
    return { error: `Failed: ${e}` }; // want "error-leak"
  }
}
