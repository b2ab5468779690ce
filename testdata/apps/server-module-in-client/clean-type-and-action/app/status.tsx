'use client';
import type { Settings } from '@/lib/types';
import { configured } from './actions';

export function Status({ settings }: { settings?: Pick<Settings, never> }) {
  return <button onClick={() => configured()}>{String(Boolean(settings))}</button>;
}
