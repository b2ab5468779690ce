'use client';
import { price } from '@/lib/format';

export const Price = ({ n }: { n: number }) => <b>{price(n)}</b>;
