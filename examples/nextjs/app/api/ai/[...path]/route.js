// The first way to the gateway: a Route Handler. It turns the session cookie
// into a bearer token. A cookie is sent by any page that can make the browser
// ask, a bearer is not, so the question "did our own page ask?" is answered here.
import { gatewayURL, sessionToken } from '../../../../lib/gateway';

export const dynamic = 'force-dynamic';

const back = ['content-type', 'cache-control', 'retry-after', 'ratelimit', 'ratelimit-policy', 'x-request-id', 'x-should-retry'];

export async function POST(request, { params }) {
  if (request.headers.get('sec-fetch-site') !== 'same-origin') {
    return Response.json({ error: { message: 'Cross-site request refused', type: 'invalid_request_error', code: 'csrf', param: null } }, { status: 403 });
  }
  const token = await sessionToken();
  const { path } = await params;
  const answer = await fetch(`${gatewayURL()}/${path.map(encodeURIComponent).join('/')}`, {
    method: 'POST',
    headers: {
      'content-type': request.headers.get('content-type') ?? '',
      accept: request.headers.get('accept') ?? '*/*',
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: await request.arrayBuffer(),
    signal: request.signal,
    cache: 'no-store',
  });
  const headers = new Headers();
  for (const name of back) if (answer.headers.has(name)) headers.set(name, answer.headers.get(name));
  return new Response(answer.body, { status: answer.status, headers });
}
