import 'server-only';
import { cookies } from 'next/headers';

/** Where the gateway listens. Read at run time, on the server alone. */
export const gatewayURL = () => process.env.CLAVIGER_URL ?? 'http://127.0.0.1:8787';

/**
 * The sealed session of the person who made this request, as Auth.js set it:
 * one cookie, or numbered chunks. The gateway opens it with the same
 * AUTH_SECRET, so nothing about the person has to be told to it.
 */
export async function sessionToken() {
  const jar = await cookies();
  for (const name of ['__Secure-authjs.session-token', 'authjs.session-token']) {
    const whole = jar.get(name)?.value;
    if (whole) return whole;
    let joined = '';
    for (let i = 0; jar.get(`${name}.${i}`); i++) joined += jar.get(`${name}.${i}`).value;
    if (joined) return joined;
  }
  return null;
}

/** Runs a named action for the signed-in person and returns the least: a text, or a sentence that is fit to show. */
export async function runAction(name, input) {
  const token = await sessionToken();
  if (!token) return { error: 'Sign in first' };
  try {
    const answer = await fetch(`${gatewayURL()}/actions/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(input),
      cache: 'no-store',
    });
    const body = await answer.json();
    if (answer.ok) return { text: body.text };
    return { error: answer.status === 502 ? 'OpenAI request failed' : body.error, retryAfter: answer.headers.get('retry-after') };
  } catch {
    return { error: 'The gateway is out of reach' };
  }
}
