'use client';
import { createContext } from 'react';
export const Ctx = createContext<unknown>(null);
export function Provider({ value, children }: { value: unknown; children: React.ReactNode }) {
  return <Ctx.Provider value={value}>{children}</Ctx.Provider>;
}
