/** What is read of a request: the headers of a `Request`, of `next/headers`, or of Node. */
export interface Readable {
  get(name: string): string | null;
}

/** The sessions that are looked for unless an app says otherwise: those of Auth.js 5 and NextAuth 4. */
export const sessionCookies: readonly string[] = ['authjs.session-token', 'next-auth.session-token'];

const mostChunks = 16;

/**
 * The session of whoever made the request, as the app's library set it: one
 * cookie, or numbered chunks. The gateway opens it; here nothing is verified.
 * A name counts with `__Secure-` and `__Host-` too, and over https only so: a
 * plain http page of a neighbouring host could have set the other. A cookie
 * that is there twice is not told apart and counts as none.
 */
export function sessionOf(headers: Readable, names: readonly string[]): string | null {
  const jar = cookies(headers.get('cookie') ?? '');
  const plain = protocol(headers) !== 'https';
  for (const name of names) {
    const bare = name.replace(/^__(Secure|Host)-/, '');
    for (const full of [`__Host-${bare}`, `__Secure-${bare}`, ...(plain || !standard(name) ? [name] : [])]) {
      const value = whole(jar, full);
      if (value) return value;
    }
  }
  return null;
}

/** Of names that a library prefixes by itself the plain one is for http; other names are as the app chose them. */
const standard = (name: string) => sessionCookies.includes(name) || name.startsWith('better-auth.');

function whole(jar: Map<string, string | null>, name: string): string | null {
  if (jar.has(name)) return jar.get(name) ?? null;
  let joined = '';
  for (let i = 0; i < mostChunks && jar.has(`${name}.${i}`); i++) {
    const chunk = jar.get(`${name}.${i}`);
    if (chunk == null) return null;
    joined += chunk;
  }
  return joined || null;
}

function cookies(header: string): Map<string, string | null> {
  const jar = new Map<string, string | null>();
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    if (at > 0) jar.set(name, jar.has(name) ? null : decoded(pair.slice(at + 1).trim()));
  }
  return jar;
}

function decoded(value: string): string | null {
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}

const first = (list: string | null) => list?.split(',')[0]?.trim() || null;

function protocol(headers: Readable): string {
  return first(headers.get('x-forwarded-proto')) ?? 'http';
}

/**
 * Whether a page of the app made the browser send this, which is what lets a
 * cookie count. A browser says so by `Sec-Fetch-Site`, an old one by `Origin`,
 * and no page can make it lie. What says neither comes from no browser.
 */
export function ownPage(headers: Readable, origins: readonly string[]): boolean {
  const site = headers.get('sec-fetch-site');
  const origin = headers.get('origin');
  if (origin && origins.includes(origin)) return true;
  if (site) return site === 'same-origin';
  const host = first(headers.get('x-forwarded-host')) ?? headers.get('host');
  return !!origin && !!host && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

/** A credential that a browser does not add by itself, and that looks like one: SDKs insist on a key and send a placeholder. */
export function ownCredential(headers: Readable): string | null {
  const value = headers.get('authorization');
  return value && /^(Bearer|DPoP) +[\w~+/=-]+(\.[\w~+/=-]*){2,4}$/i.test(value) ? value : null;
}
