import type { Readable } from './request.js';

const encoder = new TextEncoder();

/**
 * The header that tells the gateway whose request this is, signed with the
 * service key and good for a minute, so that limits for each address hold.
 */
export async function signedClient(address: string, secret: string, name = '', now = Date.now()): Promise<string> {
  const t = Math.floor(now / 1000);
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const text = ['claviger-client', '1', name, address, t].join('\n');
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(text)));
  const sig = btoa(String.fromCharCode(...mac)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return `${name && `key=${name};`}addr=${address};t=${t};sig=${sig}`;
}

/**
 * The address in a header that the host or the proxy in front sets. Of a list
 * the last counts: that is the one which the proxy itself added. Next.js passes
 * a header of the caller's on unchanged, so no header is read unless the app or
 * a platform vouches for it.
 */
export function addressOf(headers: Readable, header: string | undefined): string | null {
  const value = header && headers.get(header)?.split(',').at(-1)?.trim();
  const bare = value?.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1');
  return bare && /^([\d.]{7,15}|[\da-f:.]{2,45})$/i.test(bare) ? bare : null;
}
