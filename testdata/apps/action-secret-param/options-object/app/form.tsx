'use client';
import { write } from './actions';
export const Form = () => <button onClick={() => write({ prompt: 'x', key: 'y' })}>x</button>;
