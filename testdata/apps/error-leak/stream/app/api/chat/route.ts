import { streamText } from 'ai';
import { openai } from '@ai-sdk/openai';
import { z } from 'zod';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';

const Body = z.object({ prompt: z.string().max(1000) });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const { prompt } = Body.parse(await req.json());
  const result = streamText({ model: openai('gpt-4.1-mini'), prompt, maxOutputTokens: 500 });
  return result.toUIMessageStreamResponse({
    onError: (error) => (error instanceof Error ? error.message : String(error)), // want "error-leak"
  });
}
