'use client';
import { useCompletion } from '@/hooks/use-completion';

export function Chat() {
  const { run } = useCompletion();
  return <button onClick={() => run('hi')}>Send</button>;
}
