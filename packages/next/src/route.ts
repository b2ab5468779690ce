import { credentials, gatewayURL, report, type Options } from './gateway.js';

/** A Route Handler of Next.js, for the catch-all of any folder. */
export type RouteHandler = (request: Request, context: { params: Promise<Record<string, string | string[] | undefined>> }) => Promise<Response>;

/** The methods that the gateway takes. */
export interface RouteHandlers {
  GET: RouteHandler;
  POST: RouteHandler;
  DELETE: RouteHandler;
}

const up = ['accept', 'content-type', 'content-length', 'x-claviger-stream', 'claviger-human', 'idempotency-key', 'referer'];
const down = [
  'allow', 'cache-control', 'content-disposition', 'content-security-policy', 'content-type', 'ratelimit', 'ratelimit-policy', 'referrer-policy',
  'retry-after', 'www-authenticate', 'x-content-type-options', 'x-request-id', 'x-should-retry', 'x-vercel-ai-ui-message-stream',
];

/**
 * Makes the handlers of a catch-all route, which is the way from the browser to
 * the gateway. Below it `actions/…` and `v1/…` are the gateway's own paths; any
 * other path is asked for as it stands, for actions with a `path` of their own.
 * The address is read at run time, both bodies are streamed, and the gateway is
 * told at once when the browser leaves. It runs on Node and Edge.
 *
 * @example app/api/ai/[...path]/route.ts
 * import { createRouteHandler } from '@claviger/next';
 *
 * export const { GET, POST, DELETE } = createRouteHandler();
 */
export function createRouteHandler(options: Options = {}): RouteHandlers {
  const handle: RouteHandler = async (request, { params }) => {
    const below = Object.values(await params).find(Array.isArray)?.length ?? 0;
    return forward(request, below, options);
  };
  return { GET: handle, POST: handle, DELETE: handle };
}

/** Carries one request. Its path is the last `below` segments, byte for byte as they were sent. */
export async function forward(request: Request, below: number, options: Options): Promise<Response> {
  const url = new URL(request.url);
  const target = targetOf(url.pathname, below);
  const v1 = target?.startsWith('/v1/') ?? false;
  if (!target) return refusal(404, 'not_found', 'Not found', v1);
  const who = await credentials(request.headers, options);
  if (who.refused) return refusal(403, 'csrf', 'Cross-site request refused', v1);
  for (const name of up) {
    const value = request.headers.get(name);
    if (value !== null) who.headers.set(name, value);
  }
  const base = gatewayURL(options);
  try {
    const answer = await fetch(base + target + url.search, {
      method: request.method, headers: who.headers, body: request.body, signal: request.signal,
      cache: 'no-store', redirect: 'manual', ...(request.body && { duplex: 'half' }),
    } as RequestInit);
    const headers = new Headers();
    for (const name of down) {
      const value = answer.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    return new Response(answer.body, { status: answer.status, headers });
  } catch (error) {
    if (request.signal.aborted) return new Response(null, { status: 499 });
    report(error, base);
    return refusal(502, 'upstream_error', 'Upstream error', v1);
  }
}

/** Plain segments alone: nothing that a server on the way could decode, fold or clean into another path. */
function targetOf(pathname: string, below: number): string | null {
  const segments = pathname.replace(/\/$/, '').split('/').slice(1);
  const rest = segments.slice(segments.length - below);
  if (!below || !segments.every((s) => /^[\w.~:@-]+$/.test(s) && !/^\.+$/.test(s))) return null;
  if (rest.length > 1 && (rest[0] === 'actions' || rest[0] === 'v1')) return '/' + rest.join('/');
  // Tickets are bought by servers, and an app's root could lead there.
  return segments[0] === 'tickets' ? null : '/' + segments.join('/');
}

/** An answer of our own, in the gateway's two shapes. */
export function refusal(status: number, code: string, error: string, v1 = false): Response {
  const body = v1 ? { error: { message: error, type: status < 500 ? 'invalid_request_error' : 'api_error', code, param: null } } : { error, code };
  const headers = { 'cache-control': 'private, no-store', 'x-content-type-options': 'nosniff', ...(status < 500 && { 'x-should-retry': 'false' }) };
  return Response.json(body, { status, headers });
}
