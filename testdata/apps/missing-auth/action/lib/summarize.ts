import { openai } from './openai';

async function complete(input: string) {
  const done = await openai.chat.completions.create({
    model: 'gpt-4.1-mini', max_tokens: 200,
    messages: [{ role: 'user', content: input }],
  });
  return done.choices[0]?.message.content ?? '';
}

export async function summarize(text: string) {
  return complete(`Summarize: ${text}`);
}
