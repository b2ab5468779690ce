'use server';
import { generateText } from 'ai';
import { createOpenAI } from '@ai-sdk/openai';

export async function write(
  options: { prompt: string; key: string }, // want "action-secret-param"
) {
  const provider = createOpenAI({ apiKey: options.key });
  const { text } = await generateText({ model: provider('gpt-4.1-mini'), prompt: 'x', maxOutputTokens: 10 });
  return text;
}
