'use server';
export async function verifyCaptcha(token: string) {
  const answer = await fetch('https://challenges.cloudflare.com/turnstile/v0/siteverify', {
    method: 'POST', body: new URLSearchParams({ secret: process.env.TURNSTILE_SECRET_KEY!, response: token }),
  });
  const { success } = await answer.json();
  return Boolean(success);
}
