'use client';
import { ask, title } from './actions';
export const Form = () => <form action={ask}><button onClick={() => title('x')}>Ask</button></form>;
