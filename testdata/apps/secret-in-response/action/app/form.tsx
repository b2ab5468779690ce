'use client';
import { getSettings } from './actions';
export const Form = () => <button onClick={() => getSettings()}>x</button>;
