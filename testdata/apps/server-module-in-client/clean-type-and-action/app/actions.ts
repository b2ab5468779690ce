'use server';
import { read } from '@/lib/types';
export async function configured() {
  return read().key !== '';
}
