'use client';
import { rename } from './actions';
export const Form = () => <button onClick={() => rename('x')}>x</button>;
