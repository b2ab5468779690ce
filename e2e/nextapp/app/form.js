'use client';

import { useAction } from '@claviger/next/client';
import { useActionState } from 'react';
import { tidy } from './actions';

export default function Form() {
  const [state, action] = useActionState(tidy, null);
  const { text } = useAction('tidy');
  return (
    <form action={action}>
      <input name="prompt" defaultValue="" />
      <button>Go</button>
      <output>{state?.ok ? state.text : state?.error}{text}</output>
    </form>
  );
}
