'use client';
import { posts } from './actions';
export const Form = () => <button onClick={() => posts()}>x</button>;
