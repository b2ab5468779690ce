'use client';
export function Widget({ ready, last }: { ready: boolean; last: string }) {
  return <p>{ready ? last : 'off'}</p>;
}
