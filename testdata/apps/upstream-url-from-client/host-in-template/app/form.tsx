'use client';
import { probe } from './actions';
export const Form = () => <button onClick={() => probe('eu')}>Ask</button>;
