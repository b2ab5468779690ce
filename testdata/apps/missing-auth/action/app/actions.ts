'use server';
import { headers } from 'next/headers';
import { summarize } from '@/lib/summarize';
import { ratelimit } from '@/lib/limit';

export async function ask(question: string) { // want "missing-auth"
  if (typeof question !== 'string' || question.length > 500) throw new Error('Invalid question');
  const { success } = await ratelimit.limit((await headers()).get('x-real-ip') ?? 'none');
  if (!success) throw new Error('Too many requests');
  return summarize(question);
}
