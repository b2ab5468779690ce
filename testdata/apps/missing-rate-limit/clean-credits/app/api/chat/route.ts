import { PrismaClient } from '@prisma/client';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { auth } from '@/auth';
import { openai } from '@/lib/openai';

const db = new PrismaClient();

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const user = await db.user.findUnique({ where: { id: session.user.id } });
  if (!user || user.credits < 1) return new Response('No credits left', { status: 402 });
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  await db.user.update({ where: { id: user.id }, data: { credits: { decrement: 1 } } });
  return new Response(done.output_text);
}
