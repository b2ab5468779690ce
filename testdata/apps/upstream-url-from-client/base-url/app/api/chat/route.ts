import OpenAI from 'openai';
import { z } from 'zod';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';

const Body = z.object({ baseUrl: z.string().url(), prompt: z.string().max(1000) });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const { baseUrl, prompt } = Body.parse(await req.json());
  const openai = new OpenAI({
    apiKey: process.env.OPENAI_API_KEY,
    baseURL: baseUrl, // want "upstream-url-from-client"
  });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 500 });
  return new Response(done.output_text);
}
