'use server';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';

export async function probe(region: string) {
  const session = await auth();
  if (!session?.user?.id) throw new Error('Unauthorized');
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) throw new Error('Too many requests');
  const answer = await fetch(`https://${region}.api.example.com/v1/status`, { headers: { 'x-api-key': process.env.SERVICE_API_KEY! } }); // want "upstream-url-from-client"
  return answer.ok;
}
