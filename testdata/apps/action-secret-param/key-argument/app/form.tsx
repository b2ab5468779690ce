'use client';
import { ask } from './actions';
export const Form = ({ k }: { k: string }) => <button onClick={() => ask('x', k)}>x</button>;
