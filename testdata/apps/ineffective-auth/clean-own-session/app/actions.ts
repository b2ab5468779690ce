'use server';
import { redirect } from 'next/navigation';
import { currentUser } from '@/lib/session';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function ask(question: string) {
  const user = await currentUser();
  if (!user) redirect('/login');
  const { success } = await ratelimit.limit(user.id);
  if (!success) return { error: 'Too many requests' };
  if (typeof question !== 'string' || question.length > 500) return { error: 'Invalid question' };
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: question, max_output_tokens: 500 });
  return { text: done.output_text };
}
