'use client';
import { ask } from './actions';
export const Form = () => <button onClick={() => ask('x')}>Ask</button>;
