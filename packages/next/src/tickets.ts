import { gatewayURL, report, serviceKey, type Options } from './gateway.js';
import { ownPage } from './request.js';
import { refusal } from './route.js';

/** A user that your server has signed in. */
export interface TicketUser {
  /** The id by which your app knows the user, and never an address that may change. */
  id: string;
  /** What plans ask for, as `{ plan: 'pro' }`; the service key has to allow each by name. */
  claims?: Record<string, unknown>;
}

/** What a ticket is held to. */
export interface TicketOptions extends Options {
  /** Its life in seconds: 300 unless said, at most what the service key allows. */
  ttl?: number;
  /** The plan of the ticket, where the service key names several. */
  plan?: string;
  /** The only actions for which it is good. */
  actions?: readonly string[];
  /** The number of requests for which it is good. */
  maxUses?: number;
  /** The thumbprint of the browser's key, to which the ticket is bound (DPoP). */
  dpopThumbprint?: string;
}

/**
 * Buys a ticket for one user with the service key. Call it on the server, for
 * whom you have just authenticated: whoever holds the ticket is that user to
 * the gateway, for a few minutes.
 */
export async function mintTicket(user: TicketUser, options: TicketOptions = {}): Promise<{ ticket: string; expires_at: string }> {
  const key = serviceKey(options);
  if (!key) throw new Error('claviger: CLAVIGER_SERVICE_KEY is not set. Make one with "claviger secret new", and give it to the app and to auth.service of the gateway.');
  const url = gatewayURL(options);
  const answer = await fetch(`${url}/tickets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({
      sub: user.id, claims: user.claims, ttl: options.ttl, plan: options.plan, actions: options.actions,
      max_uses: options.maxUses, dpop_jkt: options.dpopThumbprint,
    }),
    cache: 'no-store',
    redirect: 'manual',
  }).catch((error: unknown) => {
    report(error, url);
    throw new Error('claviger: no ticket, since the gateway did not answer');
  });
  if (!answer.ok) throw new Error(`claviger: no ticket: ${await reason(answer)}`);
  return (await answer.json()) as { ticket: string; expires_at: string };
}

async function reason(answer: Response): Promise<string> {
  const { error, code, field } = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (answer.status === 401) return 'the gateway does not know the service key. Compare CLAVIGER_SERVICE_KEY with auth.service of its configuration.';
  if (field) return `${String(error)}. See what the service key may set (claims, plans, actions, ticket_ttl): ${String(field)}`;
  return `${answer.status} ${String(code ?? 'without a reason')}`;
}

/**
 * Makes the route from which the browser gets its tickets. `user` says who is
 * signed in, or null; a page of another site is refused before it is asked.
 *
 * @example app/api/ticket/route.ts
 * import { createTicketRoute } from '@claviger/next';
 * import { auth } from '../../../auth';
 *
 * export const POST = createTicketRoute(async () => {
 *   const session = await auth();
 *   return session?.user?.id ? { id: session.user.id } : null;
 * });
 */
export function createTicketRoute(
  user: (request: Request) => TicketUser | null | Promise<TicketUser | null>,
  options: TicketOptions = {},
): (request: Request) => Promise<Response> {
  return async (request) => {
    if (!ownPage(request.headers, options.origins ?? [])) return refusal(403, 'csrf', 'Cross-site request refused');
    const found = await user(request);
    if (!found) return refusal(401, 'unauthenticated', 'Sign in first');
    try {
      return Response.json(await mintTicket(found, options), { headers: { 'cache-control': 'private, no-store' } });
    } catch (error) {
      console.error(error instanceof Error ? error.message : 'claviger: no ticket');
      return refusal(500, 'misconfigured', 'Server misconfigured');
    }
  };
}
