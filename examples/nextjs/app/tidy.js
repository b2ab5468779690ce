'use client';

import { useActionState } from 'react';
import { tidy } from './actions';
import Problem from './problem';

const example = 'i has went to the shop and buyed three apple';

export default function Tidy() {
  const [state, action, pending] = useActionState(tidy, null);
  const refused = state && !state.ok;
  return (
    <section aria-labelledby="tidy-title">
      <h2 id="tidy-title">Improve this text</h2>
      <form action={action}>
        <label htmlFor="prompt">Text</label>
        <textarea
          id="prompt" name="prompt" rows={3} maxLength={2000} required defaultValue={example}
          aria-invalid={refused && state.field === 'prompt'} aria-describedby={refused ? 'tidy-error' : undefined}
        />
        <button disabled={pending}>{pending ? 'Tidying up' : 'Tidy up'}</button>
      </form>
      <div aria-live="polite">{state?.ok && <p className="answer" id="tidied">{state.text}</p>}</div>
      {refused && <Problem id="tidy-error" {...state} />}
    </section>
  );
}
