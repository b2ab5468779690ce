import { streamText, convertToModelMessages } from 'ai';
import { openai } from '@ai-sdk/openai';
import { z } from 'zod';
import { auth } from '@/auth';

const Body = z.object({ messages: z.array(z.object({ role: z.enum(['user', 'assistant']), content: z.string().max(4000) })).max(20) });

export async function POST(req: Request) { // want "missing-rate-limit"
  const session = await auth();
  if (!session?.user) return new Response('Unauthorized', { status: 401 });
  const { messages } = Body.parse(await req.json());
  const result = streamText({ model: openai('gpt-4.1-mini'), messages: convertToModelMessages(messages), maxOutputTokens: 800 });
  return result.toUIMessageStreamResponse();
}
