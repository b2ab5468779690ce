import { z } from 'zod';
import OpenAI from 'openai';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

const Body = z.object({ prompt: z.string().max(1000) });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const parsed = Body.safeParse(await req.json());
  if (!parsed.success) return Response.json({ error: parsed.error.issues }, { status: 400 });
  try {
    const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: parsed.data.prompt, max_output_tokens: 500 });
    return new Response(done.output_text);
  } catch (error) {
    if (error instanceof OpenAI.APIError) return Response.json({ error: 'Upstream error', status: error.status }, { status: 502 });
    throw error;
  }
}
