// What Next.js does for its own modules when it builds: `server-only` is empty on
// the server, and `next/headers` knows the request, here the one of the test.
import { register } from 'node:module';

register('data:text/javascript,' + encodeURIComponent(`
export async function resolve(name, context, next) {
  if (name === 'server-only') return { url: 'data:text/javascript,', shortCircuit: true };
  if (name === 'next/headers.js') {
    return { url: 'data:text/javascript,export const headers = async () => globalThis.requestHeaders;', shortCircuit: true };
  }
  return next(name, context);
}`));
