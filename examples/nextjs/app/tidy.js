'use client';

import { useActionState } from 'react';
import { tidy } from './actions';

export default function Tidy() {
  const [state, action, pending] = useActionState(tidy, null);
  return (
    <section aria-labelledby="tidy-title">
      <h2 id="tidy-title">Tidy up a text</h2>
      <form action={action}>
        <label htmlFor="prompt">Text</label>
        <textarea id="prompt" name="prompt" rows={3} maxLength={2000} required defaultValue="i has went to the shop and buyed three apple" />
        <button disabled={pending}>{pending ? 'Tidying up' : 'Tidy up'}</button>
      </form>
      {state?.text && <p className="answer" id="tidied">{state.text}</p>}
      {state?.error && (
        <p className="error" role="alert" id="tidy-error">
          {state.error}
          {state.retryAfter && `. Try again in ${state.retryAfter} seconds.`}
        </p>
      )}
    </section>
  );
}
