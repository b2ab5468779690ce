'use server';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

async function complete(prompt: string) {
  return openai.chat.completions.create({ model: 'gpt-4.1-mini', messages: [{ role: 'user', content: prompt }], max_tokens: 100 });
}

export async function ask(question: string) {
  const session = await auth();
  if (!session?.user?.id) throw new Error('Unauthorized');
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) throw new Error('Too many requests');
  if (typeof question !== 'string' || question.length > 500) throw new Error('Invalid question');
  return complete(question); // want "raw-upstream-returned"
}
