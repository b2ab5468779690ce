import { gate } from '@/lib/guard';
import { openai } from '@/lib/openai';

export async function POST(req: Request) {
  const g = await gate();
  if (!g.ok) return g.response;
  const { prompt } = await req.json();
  if (typeof prompt !== 'string' || prompt.length === 0 || prompt.length > 2000) {
    return Response.json({ error: 'Invalid prompt' }, { status: 400 });
  }
  const answer = await openai.responses.create({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 500 });
  return Response.json({ text: answer.output_text });
}
