'use server';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function ask(question: string, sessionId: string) {
  const session = await auth();
  if (!session?.user?.id) throw new Error('Unauthorized');
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) throw new Error('Too many requests');
  if (typeof question !== 'string' || question.length > 500 || typeof sessionId !== 'string') throw new Error('Invalid question');
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: question, max_output_tokens: 200 });
  return done.output_text;
}
