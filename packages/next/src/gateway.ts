import { addressOf, signedClient } from './address.js';
import { ownCredential, ownPage, sessionCookies, sessionOf, type Readable } from './request.js';

/** How an app reaches its gateway. All of it can be left out: the environment says the rest, at run time. */
export interface Options {
  /** Where the gateway listens: `CLAVIGER_URL`, else `http://127.0.0.1:8787`. */
  url?: string;
  /**
   * The session that speaks for the user: names of cookies (those of Auth.js
   * and NextAuth unless said), or what finds it by itself, as the token of an
   * identity provider. It travels to the gateway as a bearer, which verifies it.
   */
  session?: readonly string[] | ((request: { headers: Readable }) => string | null | Promise<string | null>);
  /**
   * The header in which your host or proxy puts the caller's address:
   * `CLAVIGER_ADDRESS_HEADER`, on Vercel `x-real-ip`, else none, and limits for
   * each address do not apply. It must be one that callers cannot choose.
   */
  addressHeader?: string;
  /** The service key that signs the address and buys tickets: `CLAVIGER_SERVICE_KEY`. */
  serviceKey?: string;
  /** Its name in the gateway's configuration, where it has several: `CLAVIGER_SERVICE_NAME`. */
  serviceName?: string;
  /** Other origins whose pages may use the session, as `https://admin.example.com`. None unless said. */
  origins?: readonly string[];
}

/** What is forwarded, or why nothing is. */
export type Credentials = { refused: 'csrf' } | { refused?: undefined; headers: Headers };

export function gatewayURL(options: Options): string {
  return (options.url ?? process.env.CLAVIGER_URL ?? 'http://127.0.0.1:8787').replace(/\/+$/, '');
}

export function serviceKey(options: Options): string | undefined {
  return options.serviceKey ?? process.env.CLAVIGER_SERVICE_KEY?.trim();
}

/**
 * The headers that say who asks: the caller's own ticket, else the session as
 * a bearer where a page of the app asked, and the signed address. Nothing else
 * of the caller's headers goes along.
 */
export async function credentials(headers: Readable, options: Options, navigation = false): Promise<Credentials> {
  const out = new Headers();
  const own = ownCredential(headers);
  if (own) {
    out.set('authorization', own);
    const proof = headers.get('dpop');
    if (proof) out.set('dpop', proof);
  } else {
    const token = await sessionToken(headers, options);
    const asked = ownPage(headers, options.origins ?? []) || (navigation && headers.get('sec-fetch-site') === 'none');
    if (token && !asked) return { refused: 'csrf' };
    if (token) out.set('authorization', `Bearer ${token}`);
    if (!token && foreign(headers, asked)) return { refused: 'csrf' };
  }
  const address = addressOf(headers, options.addressHeader ?? process.env.CLAVIGER_ADDRESS_HEADER ?? (process.env.VERCEL ? 'x-real-ip' : undefined));
  const key = serviceKey(options);
  if (address && key) out.set('claviger-client', await signedClient(address, key, options.serviceName ?? process.env.CLAVIGER_SERVICE_NAME));
  return { headers: out };
}

/** A browser says that a page of another site asked. */
const foreign = (headers: Readable, asked: boolean) => !asked && !!(headers.get('sec-fetch-site') ?? headers.get('origin'));

async function sessionToken(headers: Readable, { session = sessionCookies }: Options): Promise<string | null> {
  const token = typeof session === 'function' ? await session({ headers }) : sessionOf(headers, session);
  // What is no bearer (RFC 6750) must not reach a header.
  return token && /^[\w.~+/=:*-]+$/.test(token) ? token : null;
}

/** Says on the server, and nowhere else, why the gateway did not answer. */
export function report(error: unknown, url: string): void {
  const cause = error instanceof Error ? ((error.cause as { code?: unknown } | undefined)?.code ?? error.name) : 'unknown';
  console.error(`claviger: the gateway at ${url} did not answer (${String(cause)}). Start it with "claviger serve", or set CLAVIGER_URL to where it listens.`);
}
