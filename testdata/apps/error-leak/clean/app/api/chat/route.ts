import { auth } from '@/auth';
import { UserError } from '@/lib/errors';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export async function POST(req: Request) {
  try {
    const session = await auth();
    if (!session?.user?.id) throw new UserError('Sign in first', 401);
    const { success } = await ratelimit.limit(session.user.id);
    if (!success) throw new UserError('Too many requests', 429);
    const { prompt } = await req.json();
    if (typeof prompt !== 'string' || prompt.length > 2000) throw new UserError('Invalid prompt');
    const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 500 });
    return new Response(done.output_text);
  } catch (error) {
    if (error instanceof UserError) return Response.json({ error: error.message }, { status: error.status });
    console.error(error);
    return Response.json({ error: 'Something went wrong' }, { status: 502 });
  }
}
