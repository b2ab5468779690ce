'use server';
import { auth } from '@/auth';
import { withinQuota } from '@/lib/quota';
import { openai } from '@/lib/openai';

export async function ask(question: string) {
  const session = await auth();
  if (!session?.user?.id) throw new Error('Unauthorized');
  const quota = await withinQuota(session.user.id);
  if (!quota.allowed) return { error: 'Come back later' };
  if (typeof question !== 'string' || question.length > 500) return { error: 'Invalid question' };
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: question, max_output_tokens: 500 });
  return { text: done.output_text };
}
