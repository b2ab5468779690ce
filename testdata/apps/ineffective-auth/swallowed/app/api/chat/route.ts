import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

async function mustBeSignedIn() {
  const session = await auth();
  if (!session) throw new Error('Unauthorized');
}

export async function POST(req: Request) {
  try {
    await mustBeSignedIn(); // want "ineffective-auth"
  } catch {
    console.warn('a guest');
  }
  const { success } = await ratelimit.limit('chat');
  if (!success) return new Response('Too many requests', { status: 429 });
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  return new Response(done.output_text);
}
