import { streamText } from 'ai';
import { openai } from '@ai-sdk/openai';
import { z } from 'zod';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';

const Message = z.object({ role: z.enum(['user', 'assistant']), content: z.string().trim().min(1).max(4000) });
const Body = z.object({ id: z.string().uuid(), messages: z.array(Message).min(1).max(20) });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const body = Body.safeParse(await req.json().catch(() => null));
  if (!body.success) return Response.json({ error: 'Invalid prompt' }, { status: 400 });
  const result = streamText({ model: openai('gpt-4.1-mini'), messages: body.data.messages, maxOutputTokens: 800 });
  return result.toUIMessageStreamResponse();
}
