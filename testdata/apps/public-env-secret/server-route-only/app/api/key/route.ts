import 'server-only';

export async function GET() {
  const { NEXT_PUBLIC_STRIPE_SECRET_KEY: secret } = process.env; // want "public-env-secret"
  return Response.json({ ready: secret !== undefined });
}
