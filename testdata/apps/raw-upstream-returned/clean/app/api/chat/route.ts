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
  const stream = await openai.chat.completions.create({ model: 'gpt-4.1-mini', stream: true, max_tokens: 300, messages: [{ role: 'user', content: prompt }] });
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    async start(controller) {
      for await (const chunk of stream) {
        controller.enqueue(encoder.encode(chunk.choices[0]?.delta?.content ?? ''));
      }
      controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/plain', 'cache-control': 'private, no-store' } });
}
