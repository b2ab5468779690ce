'use client';
import { env } from '@/env';

export function Share() {
  return <a href={env.NEXT_PUBLIC_APP_URL}>Share</a>;
}
