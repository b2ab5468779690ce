'use server';
import OpenAI from 'openai';
import { auth } from '@/auth';

export async function ask(
  question: string,
  apiKey: string, // want "action-secret-param"
) {
  const session = await auth();
  if (!session?.user?.id) throw new Error('Unauthorized');
  const openai = new OpenAI({ apiKey });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: question.slice(0, 500), max_output_tokens: 100 });
  return done.output_text;
}
