import { cookies } from 'next/headers';
import { db } from './db';

export async function currentUser() {
  const token = (await cookies()).get('session')?.value;
  if (!token) return null;
  const session = await db.session.findUnique({ where: { token }, include: { user: true } });
  if (!session || session.expiresAt < new Date()) return null;
  return session.user;
}
