'use server';

import { auth, signIn, signOut } from '../auth';
import { runAction } from '../lib/gateway';

/** Tidies a text. Called by the form with and without JavaScript. */
export async function tidy(_previous, form) {
  const session = await auth();
  if (!session?.user) return { error: 'Sign in first' };
  const prompt = form.get('prompt');
  if (typeof prompt !== 'string' || prompt.trim() === '' || prompt.length > 2000) return { error: 'Invalid prompt' };
  return runAction('tidy', { prompt });
}

export async function enter(form) {
  await signIn('credentials', { person: form.get('person'), redirectTo: '/' });
}

export async function leave() {
  await signOut({ redirectTo: '/' });
}
