'use client';
import { ask } from './actions';
export const Form = () => <button onClick={() => ask('x')}>x</button>;
