'use client';
import { config } from '@/lib/config'; // want "server-module-in-client"

export const Title = () => <h1>{config.name}</h1>;
