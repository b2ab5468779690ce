/** How the caller stands with one limit. */
export interface Limit {
  /** Name of the limit, as `user-requests-minute` or `user-money-day`. */
  name: string;
  /** `requests`, `concurrent-requests`, `tokens`, or money in millionths, as `micro-usd`. */
  unit: string;
  /** How much there is in a window. */
  limit: number;
  remaining: number;
  /** Length of the window in seconds; calls at once have none. */
  window?: number;
  /** Seconds until the window is full again or begins anew. */
  resetsIn?: number;
}

/** Reads the `RateLimit` and `RateLimit-Policy` headers of an answer; what it cannot read it leaves out. */
export function readLimits(headers: Headers): Limit[] {
  const left = items(headers.get('ratelimit'));
  const out: Limit[] = [];
  for (const [name, policy] of items(headers.get('ratelimit-policy'))) {
    const now = left.get(name);
    const limit = Number(policy.q);
    const remaining = Number(now?.r);
    if (Number.isNaN(limit) || Number.isNaN(remaining)) continue;
    const item: Limit = { name, unit: policy.qu ?? 'requests', limit, remaining };
    if (policy.w) item.window = Number(policy.w);
    if (now?.t) item.resetsIn = Number(now.t);
    out.push(item);
  }
  return out;
}

/** A list of structured fields, as `"a";q=1;w=60, "b";q=2`. The gateway's names hold neither commas nor semicolons. */
function items(header: string | null): Map<string, Record<string, string>> {
  const out = new Map<string, Record<string, string>>();
  for (const item of header?.split(',') ?? []) {
    const [name, ...parameters] = item.split(';').map((part) => part.trim());
    out.set(bare(name), Object.fromEntries(parameters.map((p) => p.split('=').map(bare))) as Record<string, string>);
  }
  return out;
}

const bare = (text = '') => text.replace(/^"|"$/g, '');
