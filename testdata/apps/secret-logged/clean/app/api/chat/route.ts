import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const { prompt } = await req.json();
  if (typeof prompt !== 'string' || prompt.length > 2000) return new Response('Invalid prompt', { status: 400 });
  try {
    const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 500 });
    return new Response(done.output_text);
  } catch (error) {
    console.error('generation failed', error instanceof Error ? error.name : 'unknown', prompt.length);
    return new Response('Something went wrong', { status: 502 });
  }
}
