'use server';

import { createAction } from '@claviger/next';
import { signIn, signOut } from '../auth';

/** Tidies a text, as the signed-in user. Called by the form with and without JavaScript. */
export const tidy = createAction('tidy');

export async function enter(form) {
  await signIn('credentials', { person: form.get('person'), redirectTo: '/' });
}

export async function leave() {
  await signOut({ redirectTo: '/' });
}
