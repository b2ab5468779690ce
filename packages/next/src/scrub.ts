/** Names of members that hold secrets, or what people wrote and were answered. */
const privateName =
  /^(authorization|cookies?|set-cookie|dpop|x-api-key|api-?key|.*(secret|password|passwd|token|api_?key|private_?key|session).*|prompts?|messages|instructions|input|output|output_text|completion|answer)$/i;

const secrets: readonly [RegExp, string][] = [
  [/\bsk-[A-Za-z0-9_-]{16,}/g, '[key]'],
  [/\b(Bearer|DPoP|Basic)\s+[\w.~+/=-]{8,}/gi, '$1 [credential]'],
  [/\bey[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}/g, '[token]'],
  [/\bFe26\.2\*[^\s"']+/g, '[session]'],
  [/((?:^|[?&;,\s])(?:[\w-]*(?:key|token|secret|password|sig|signature|code)[\w-]*)=)[^&;\s"']+/gi, '$1[value]'],
  [/(\/\/[^\s/:@]+:)[^\s/@]+@/g, '$1[password]@'],
];

const deepest = 8;
const most = 1000;

/**
 * A copy of a value that is fit for a log: no key, token, cookie or password,
 * and nothing of what people wrote to a model or were answered. It ends at a
 * depth of 8 and at 1,000 members of one object, and changes nothing of the
 * original.
 */
export function scrub<T>(value: T): T {
  return copy(value, 0, new WeakSet()) as T;
}

function copy(value: unknown, depth: number, above: WeakSet<object>): unknown {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= deepest || above.has(value)) return '[left out]';
  if (value instanceof Date) return value;
  above.add(value);
  try {
    if (Array.isArray(value)) return value.slice(0, most).map((v) => copy(v, depth + 1, above));
    if (value instanceof Error) return { name: value.name, message: scrubText(value.message), ...members(value, depth, above), stack: scrubText(value.stack ?? '') };
    if (value instanceof Headers || value instanceof Map || value instanceof URLSearchParams) return members(Object.fromEntries(value), depth, above);
    return members(value, depth, above);
  } finally {
    above.delete(value);
  }
}

function members(value: object, depth: number, above: WeakSet<object>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, v] of Object.entries(value).slice(0, most)) {
    out[name] = privateName.test(name) && v !== null && v !== undefined && typeof v !== 'boolean' && typeof v !== 'number' ? '[private]' : copy(v, depth + 1, above);
  }
  return out;
}

function scrubText(text: string): string {
  for (const [pattern, instead] of secrets) text = text.replace(pattern, instead);
  return text;
}

/**
 * The `beforeSend` and `beforeSendTransaction` of Sentry: the event without
 * bodies, cookies, query strings, credentials and what people wrote.
 *
 * @example sentry.server.config.ts
 * import { beforeSend } from '@claviger/next/scrub';
 *
 * Sentry.init({ dsn: process.env.SENTRY_DSN, beforeSend, beforeSendTransaction: beforeSend });
 */
export function beforeSend<E extends object>(event: E): E {
  const { request, ...rest } = event as E & { request?: Record<string, unknown> };
  const out = scrub(rest) as Record<string, unknown>;
  if (request) {
    const { data: _data, cookies: _cookies, query_string: _query, ...kept } = request;
    if (typeof kept.url === 'string') kept.url = kept.url.split(/[?#]/)[0];
    out.request = scrub(kept);
  }
  return out as E;
}
