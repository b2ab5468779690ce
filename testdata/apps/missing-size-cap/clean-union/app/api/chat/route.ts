import { z } from 'zod';
import { auth } from '@/auth';
import { openai } from '@/lib/openai';
import { ratelimit } from '@/lib/limit';

const Text = z.object({ type: z.literal('text'), text: z.string().max(2000) });
const Image = z.object({ type: z.literal('image'), id: z.string().uuid() });
const Body = z.object({ parts: z.array(z.union([Text, Image])).max(20) });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return Response.json({ error: 'Unauthorized' }, { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return Response.json({ error: 'Too many requests' }, { status: 429 });
  const body = Body.safeParse(await req.json());
  if (!body.success) return Response.json({ error: 'Invalid parts' }, { status: 400 });
  const input = body.data.parts.filter((p) => p.type === 'text').map((p) => p.text).join('\n');
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input, max_output_tokens: 300 });
  return Response.json({ text: done.output_text });
}
