import { z } from 'zod';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { work } from '@/lib/work';

const Body = z.object({ prompt: z.string().max(2000) });

export async function POST(req: Request) {
  const session = await auth();
  if (!session?.user?.id) return Response.json({ error: 'Unauthorized' }, { status: 401 });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) return Response.json({ error: 'Too many requests' }, { status: 429 });
  const body = Body.safeParse(await req.json());
  if (!body.success) return Response.json({ error: 'Invalid prompt' }, { status: 400 });
  const response = await work(body.data.prompt);
  return response;
}
