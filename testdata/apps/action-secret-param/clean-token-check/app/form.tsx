'use client';
import { verifyCaptcha } from './actions';
export const Form = () => <button onClick={() => verifyCaptcha('x')}>x</button>;
