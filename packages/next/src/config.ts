/** What is read of a Next.js configuration; everything else passes through. */
interface Config {
  env?: Record<string, string | undefined> | undefined;
  rewrites?: (() => Promise<Rewrites>) | undefined;
}

interface Rewrite {
  source: string;
  destination: string;
}

type Rewrites = Rewrite[] | { beforeFiles?: Rewrite[]; afterFiles?: Rewrite[]; fallback?: Rewrite[] };

type ConfigFunction<C> = (phase: string, context: { defaultConfig: C }) => C | Promise<C>;

/** Choices of `withClaviger`. */
export interface ClavigerConfig {
  /**
   * A path of the app under which the gateway answers by a rewrite, as `/ai`:
   * no code on the way, and the cookie itself travels, so the app's origin has
   * to stand in `origins` of the gateway. Without it there is no rewrite.
   */
  rewrite?: string;
  /** Where the gateway listens: `CLAVIGER_URL`, else `http://127.0.0.1:8787`. A rewrite's is read by `next build`. */
  url?: string;
}

/**
 * Wraps the configuration of Next.js: adds the rewrite, and stops a build that
 * would copy a secret into code for browsers. What it refuses is named by its
 * variable; no value is shown.
 *
 * @example next.config.ts
 * import { withClaviger } from '@claviger/next/config';
 *
 * export default withClaviger({ poweredByHeader: false }, { rewrite: '/ai' });
 */
export function withClaviger<C extends object>(config: C | ConfigFunction<C> = {} as C, options: ClavigerConfig = {}): ConfigFunction<C> {
  return async (phase, context) => {
    const own = typeof config === 'function' ? await config(phase, context) : config;
    const { env, rewrites } = own as Config;
    refusePublicSecrets(process.env, env ?? {});
    if (options.rewrite === undefined) return own;
    const added = rewritesTo(options.rewrite, options.url ?? process.env.CLAVIGER_URL ?? 'http://127.0.0.1:8787');
    return { ...own, rewrites: async () => merge((await rewrites?.()) ?? [], added) };
  };
}

function rewritesTo(path: string, url: string): Rewrite[] {
  if (!/^(\/[\w.-]+)+$/.test(path)) throw new Error(`claviger: rewrite: ${JSON.stringify(path)} is no path: write it as "/ai"`);
  const base = url.replace(/\/+$/, '');
  return ['v1', 'actions'].map((part) => ({ source: `${path}/${part}/:path*`, destination: `${base}/${part}/:path*` }));
}

function merge(theirs: Rewrites, ours: Rewrite[]): Rewrites {
  if (Array.isArray(theirs)) return [...theirs, ...ours];
  return { ...theirs, afterFiles: [...(theirs.afterFiles ?? []), ...ours] };
}

/** As the gateway knows them: what has the shape of a key, holds a secret of another variable, or is named one. */
const keyShape = /\b(sk-(ant-|or-|proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}|sk_live_[A-Za-z0-9]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY-----)/;
const secretName = /(^|_)(SECRETS?|PASSWORD|PASSWD|PASSPHRASE|PRIVATE_KEY|SERVICE_ROLE(_KEY)?|SERVICE_KEY|(OPENAI|ANTHROPIC|GROQ|XAI|MISTRAL|OPENROUTER|GEMINI|AI|LLM)_?(API_?)?(KEY|TOKEN))$/;
const least = 8;

function refusePublicSecrets(variables: Record<string, string | undefined>, inlined: Record<string, string | undefined>): void {
  const secrets = new Map<string, string>();
  for (const [name, value] of Object.entries(variables)) {
    if (value && value.length >= least && !isPublic(name) && secretName.test(name)) secrets.set(value, name);
  }
  const found: string[] = [];
  const look = (name: string, value: string | undefined, where: string, named: boolean) => {
    if (!value) return;
    const twin = secrets.get(value);
    if (twin) found.push(`${where} holds the same as ${twin}`);
    else if (keyShape.test(value)) found.push(`${where} holds a key`);
    else if (named && value.length >= least && secretName.test(name)) found.push(`${where} is named as a secret`);
  };
  for (const [name, value] of Object.entries(variables)) {
    if (isPublic(name)) look(name, value, name, true);
  }
  for (const [name, value] of Object.entries(inlined)) look(name, value, `"env.${name}" in the configuration of Next.js`, true);
  if (found.length === 0) return;
  throw new Error(
    `claviger: this build would copy a secret into code for browsers:\n${found.map((f) => `  - ${f}`).join('\n')}\n` +
    'Unset it, use a name without the prefix and read it on the server alone, and replace the secret: it may be public already.',
  );
}

const isPublic = (name: string) => name.toUpperCase().startsWith('NEXT_PUBLIC_');
