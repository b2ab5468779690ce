import { NextResponse } from 'next/server';
import { auth } from '@/auth';

export async function deny() {
  const session = await auth();
  if (session) return null;
  return NextResponse.json({ error: 'Unauthorized' }, { status: 401 });
}

export async function user() {
  const session = await auth();
  if (!session?.user) throw new Error('Unauthorized');
  return session.user;
}
