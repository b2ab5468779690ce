import { auth } from '@/auth';

export async function isSignedIn() {
  const session = await auth();
  return Boolean(session?.user);
}
