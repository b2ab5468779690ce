'use server';
import { auth } from '@/auth';
import { greet } from '@/lib/greet';
import { ratelimit } from '@/lib/limit';

export async function hello() {
  const session = await auth();
  if (!session?.user?.id) throw new Error('Unauthorized');
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) throw new Error('Too many requests');
  return greet(session.user.name);
}
