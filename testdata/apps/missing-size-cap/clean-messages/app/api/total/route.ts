import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

type Message = { role: 'user' | 'assistant'; content: string };

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const { messages } = await req.json();
  if (!Array.isArray(messages) || !messages.every((m: Message) => typeof m.content === 'string' && ['user', 'assistant'].includes(m.role))) {
    return Response.json({ error: 'Invalid messages' }, { status: 400 });
  }
  const total = messages.reduce((n: number, m: Message) => n + m.content.length, 0);
  if (total > 20_000) return Response.json({ error: 'Too long' }, { status: 413 });
  const done = await openai.chat.completions.create({ model: 'gpt-4.1-mini', messages, max_tokens: 300 });
  return Response.json({ text: done.choices[0].message.content });
}
