import { generateText } from 'ai';
import { createOpenAI } from '@ai-sdk/openai';

const provider = createOpenAI({ apiKey: process.env.OPENAI_API_KEY }); // want "client-provider-call"

export async function write(prompt: string) {
  const { text } = await generateText({ model: provider('gpt-4.1-mini'), prompt, maxOutputTokens: 100 }); // want "client-provider-call"
  return text;
}
