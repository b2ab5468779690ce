import Stripe from 'stripe';
import { openai } from '@/lib/openai';
import { ratelimit } from '@/lib/limit';

const stripe = new Stripe(process.env.STRIPE_SECRET_KEY!);

export async function POST(req: Request) {
  const body = await req.text();
  let event;
  try {
    event = stripe.webhooks.constructEvent(body, req.headers.get('stripe-signature')!, process.env.STRIPE_WEBHOOK_SECRET!);
  } catch {
    return new Response('Bad signature', { status: 400 });
  }
  const { success } = await ratelimit.limit('stripe');
  if (!success) return new Response('Too many requests', { status: 429 });
  if (event.type === 'invoice.paid') {
    await openai.responses.create({ model: 'gpt-4.1-mini', input: 'Write a thank-you note', max_output_tokens: 200 });
  }
  return new Response('ok');
}
