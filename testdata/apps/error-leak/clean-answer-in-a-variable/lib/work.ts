import { openai } from '@/lib/openai';
import { failed } from '@/lib/fail';

export async function work(prompt: string): Promise<Response> {
  try {
    const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 300 });
    return Response.json({ text: done.output_text });
  } catch (e) {
    return failed(e);
  }
}
