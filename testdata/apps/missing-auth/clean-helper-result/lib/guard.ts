import { auth } from '@/auth';
import { ratelimit } from './limit';

type Gate = { ok: true; userId: string } | { ok: false; response: Response };

export async function gate(): Promise<Gate> {
  const session = await auth();
  if (!session?.user?.id) return { ok: false, response: Response.json({ error: 'Sign in first' }, { status: 401 }) };
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return { ok: false, response: Response.json({ error: 'Too many requests' }, { status: 429 }) };
  return { ok: true, userId: session.user.id };
}
