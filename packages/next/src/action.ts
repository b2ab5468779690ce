import { createClient, isClavigerError, type ActionInput, type ActionName, type ActionOutput, type ErrorCode } from '@claviger/client';
import { headers } from 'next/headers.js';
import { credentials, gatewayURL, report, type Options } from './gateway.js';

/** What a failed action tells the browser: a sentence that is fit for a user, and what a form needs to react. */
export interface ActionFailure {
  ok: false;
  error: string;
  code: ErrorCode;
  /** The member of the input that was refused. */
  field?: string | undefined;
  /** Seconds after which another try can succeed. */
  retryAfter?: number | undefined;
}

/** What an action returns. It never throws: production builds hide from the browser what a Server Action throws. */
export type ActionResult<N extends ActionName = ActionName> = ({ ok: true } & ActionOutput<N>) | ActionFailure;

/** A Server Action: call it with its input, or with a form, alone or behind the state of `useActionState`. */
export interface ServerAction<N extends ActionName = ActionName> {
  (input: ActionInput<N> | FormData): Promise<ActionResult<N>>;
  (previous: ActionResult<N> | null, form: FormData): Promise<ActionResult<N>>;
}

/** Choices of an action. */
export interface ActionOptions extends Options {
  /** Fields of a form that belong to the page and are not part of the input. */
  omit?: readonly string[];
}

/**
 * Makes a Server Action that runs a named action of the gateway as the
 * signed-in user. The gateway authenticates, authorizes and checks the input,
 * every time; what comes back is the answer alone.
 *
 * @example app/actions.ts
 * 'use server';
 * import { createAction } from '@claviger/next';
 *
 * export const tidy = createAction('tidy');
 */
export function createAction<N extends ActionName>(name: N, options: ActionOptions = {}): ServerAction<N> {
  return async (first: ActionInput<N> | FormData | ActionResult<N> | null, form?: FormData) => {
    const input = form ?? first;
    if (input instanceof FormData && [...input.values()].some((v) => typeof v !== 'string')) return failure('invalid_input', 'Invalid input');
    const who = await credentials(await headers(), options, true);
    if (who.refused) return failure('csrf', 'Cross-site request refused');
    const body = input instanceof FormData ? fields(input, options.omit ?? []) : JSON.stringify(input);
    const base = gatewayURL(options);
    // A form goes on as one: the gateway knows which fields are numbers.
    const client = createClient({
      baseURL: base,
      retries: 0,
      fetch: (url, init) => {
        const all = new Headers(who.headers);
        all.set('accept', 'application/json');
        all.set('content-type', typeof body === 'string' ? 'application/json' : 'application/x-www-form-urlencoded');
        return fetch(url, { ...init, headers: all, body, redirect: 'manual' });
      },
    });
    try {
      return { ok: true, ...(await client.run(name, {} as ActionInput<N>)) };
    } catch (error) {
      if (!isClavigerError(error)) throw error;
      if (error.code === 'unreachable') report(error.cause, base);
      return failure(error.code, error.message, error.field, error.retryAfter);
    }
  };
}

function failure(code: ErrorCode, error: string, field?: string, retryAfter?: number): ActionFailure {
  return { ok: false, error, code, ...(field !== undefined && { field }), ...(retryAfter !== undefined && { retryAfter }) };
}

/** The fields of a form without those of Next.js, `$ACTION_…`. */
function fields(form: FormData, omit: readonly string[]): URLSearchParams {
  const out = new URLSearchParams();
  for (const [name, value] of form) {
    if (typeof value === 'string' && !/^(\d+_)*\$ACTION_/.test(name) && !omit.includes(name)) out.append(name, value);
  }
  return out;
}
