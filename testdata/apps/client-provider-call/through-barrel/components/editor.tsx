'use client';
import { write } from '@/lib';

export function Editor() {
  return <button onClick={() => write('hi')}>Write</button>;
}
