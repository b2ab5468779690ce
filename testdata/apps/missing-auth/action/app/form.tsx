'use client';
import { ask } from './actions';

export function Form() {
  return <button onClick={async () => alert(await ask('why?'))}>Ask</button>;
}
