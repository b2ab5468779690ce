import arcjet, { shield, tokenBucket } from '@arcjet/next';
import { auth } from '@/auth';
import { openai } from '@/lib/openai';

const aj = arcjet({ key: process.env.ARCJET_KEY!, rules: [shield({ mode: 'LIVE' }), tokenBucket({ mode: 'LIVE', refillRate: 5, interval: 10, capacity: 10 })] });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const decision = await aj.protect(req, { requested: 1 });
  if (decision.isDenied()) return new Response('Too many requests', { status: 429 });
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  return new Response(done.output_text);
}
