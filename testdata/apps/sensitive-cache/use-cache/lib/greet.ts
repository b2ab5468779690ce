import { openai } from './openai';

export async function greet(name: string) {
  'use cache'; // want "sensitive-cache"
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: `Greet ${name}`, max_output_tokens: 50 });
  return done.output_text;
}
