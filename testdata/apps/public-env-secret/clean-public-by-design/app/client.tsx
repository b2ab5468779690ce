'use client';
import { createBrowserClient } from '@supabase/ssr';

export const supabase = createBrowserClient(process.env.NEXT_PUBLIC_SUPABASE_URL!, process.env.NEXT_PUBLIC_SUPABASE_ANON_KEY!);
export const stripe = process.env.NEXT_PUBLIC_STRIPE_PUBLISHABLE_KEY;
export const posthog = process.env.NEXT_PUBLIC_POSTHOG_KEY;
export const site = process.env.NEXT_PUBLIC_TURNSTILE_SITE_KEY;
export const clerk = process.env.NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY;
export const maps = process.env.NEXT_PUBLIC_GOOGLE_MAPS_API_KEY;
export const firebase = process.env.NEXT_PUBLIC_FIREBASE_API_KEY;
