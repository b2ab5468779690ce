'use server';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';
import { assertShort, validPrompt } from '@/lib/valid';

async function user() {
  const session = await auth();
  if (!session?.user?.id) throw new Error('Unauthorized');
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) throw new Error('Too many requests');
  return session.user;
}

export async function ask(form: FormData) {
  await user();
  const prompt = form.get('prompt');
  if (!validPrompt(prompt)) return { error: 'Invalid prompt' };
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 500 });
  return { text: done.output_text };
}

export async function title(topic: string) {
  await user();
  assertShort(topic);
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: `A title about ${topic}`, max_output_tokens: 50 });
  return { text: done.output_text };
}
