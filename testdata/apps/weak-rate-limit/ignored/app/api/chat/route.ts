import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  await ratelimit.limit(session.user.id); // want "weak-rate-limit"
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  return new Response(done.output_text);
}
