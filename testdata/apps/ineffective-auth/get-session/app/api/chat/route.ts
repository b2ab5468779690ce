import { createServerClient } from '@supabase/ssr';
import { cookies } from 'next/headers';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function POST(req: Request) {
  const jar = await cookies();
  const supabase = createServerClient(process.env.NEXT_PUBLIC_SUPABASE_URL!, process.env.NEXT_PUBLIC_SUPABASE_ANON_KEY!, { cookies: { getAll: () => jar.getAll() } });
  const { data: { session } } = await supabase.auth.getSession(); // want "ineffective-auth"
  if (!session) return new Response('Unauthorized', { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return new Response('Too many requests', { status: 429 });
  const text = await req.text();
  if (text.length > 4000) return new Response('Too long', { status: 413 });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 500 });
  return new Response(done.output_text);
}
