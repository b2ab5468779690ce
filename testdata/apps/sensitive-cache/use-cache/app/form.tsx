'use client';
import { hello } from './actions';
export const Form = () => <button onClick={() => hello()}>x</button>;
