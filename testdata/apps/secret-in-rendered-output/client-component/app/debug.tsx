'use client';
export function Debug() {
  const key = process.env.STRIPE_SECRET_KEY;
  return (
    <pre>
      {
        key // want "secret-in-rendered-output"
      }
    </pre>
  );
}
