'use client';
import { ask, order } from './actions';
export const Form = () => <button onClick={() => { ask('eu', 'x'); order('1'); }}>Ask</button>;
