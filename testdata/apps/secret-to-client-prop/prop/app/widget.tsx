'use client';
export function Widget({ apiKey, name }: { apiKey?: string; name: string }) {
  return <p data-ready={Boolean(apiKey)}>{name}</p>;
}
