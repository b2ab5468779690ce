import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export const dynamic = 'force-dynamic';
export const revalidate = 0;

export async function GET() {
  const session = await auth();
  if (!session?.user?.id) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: `Greet ${session.user.name}`, max_output_tokens: 50 });
  return new Response(done.output_text, { headers: { 'Cache-Control': 'private, no-store' } });
}
