'use server';
import { generateObject } from 'ai';
import { openai } from '@ai-sdk/openai';
import { z } from 'zod';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';

export async function ask(question: string) {
  const session = await auth();
  if (!session?.user?.id) throw new Error('Unauthorized');
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) throw new Error('Too many requests');
  if (typeof question !== 'string' || question.length > 500) throw new Error('Invalid question');
  const { object } = await generateObject({ model: openai('gpt-4.1-mini'), schema: z.object({ answer: z.string() }), prompt: question, maxOutputTokens: 100 });
  return { answer: object.answer };
}
