import { jwtVerify } from 'jose';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

const key = new TextEncoder().encode(process.env.JWT_SECRET);

async function subject(req: Request): Promise<string | null> {
  const token = req.headers.get('authorization')?.replace('Bearer ', '');
  if (!token) return null;
  try {
    const { payload } = await jwtVerify(token, key, { issuer: 'https://app.example.com' });
    return payload.sub ?? null;
  } catch {
    return null;
  }
}

export async function POST(req: Request) {
  const sub = await subject(req);
  if (!sub) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(sub);
  if (!success) return new Response('Too many requests', { status: 429 });
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  return new Response(done.output_text);
}
