import { ChatOpenAI } from '@langchain/openai';
import { PromptTemplate } from '@langchain/core/prompts';
import { z } from 'zod';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';

const Body = z.object({ text: z.string().max(2000) });
const Tone = z.object({ tone: z.enum(['good', 'bad']) });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return Response.json({ error: 'Unauthorized' }, { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return Response.json({ error: 'Too many requests' }, { status: 429 });
  const body = Body.safeParse(await req.json());
  if (!body.success) return Response.json({ error: 'Invalid text' }, { status: 400 });
  const model = new ChatOpenAI({ model: 'gpt-4.1-mini', maxTokens: 50 }).withStructuredOutput(Tone);
  const chain = PromptTemplate.fromTemplate('What is the tone of {text}?').pipe(model);
  const result = await chain.invoke({ text: body.data.text });
  return Response.json(result, { status: 200 });
}
