import type { ActionInput, ActionName, ActionOutput, ChatMessage } from './actions.js';
import { errorOf, errorOfResponse, type ErrorCode } from './errors.js';
import { readLimits, type Limit } from './limits.js';
import { ActionStream } from './stream.js';
import { TicketHolder, type GetTicket } from './ticket.js';

/** How a client reaches the gateway. */
export interface ClientOptions {
  /**
   * Where the gateway is, without a slash at its end: the route of your app
   * that leads to it (the default, `/api/ai`), or its own address.
   */
  baseURL?: string;
  /** Gets a ticket from your server. Without it the session cookie of the own origin speaks for the user. */
  getTicket?: GetTicket;
  /** How often a call that was refused before it cost anything is sent again; 2 unless said, 0 for never. */
  retries?: number;
  /** The longest wait before such another try, in seconds; 5 unless said. A longer `Retry-After` is an error at once. */
  maxWait?: number;
  /** Told how the caller stands after each answer that says so. */
  onLimits?: (limits: Limit[]) => void;
  /** Takes the place of `fetch`, for tests and runtimes of their own. */
  fetch?: typeof fetch;
}

/** Choices of one call. */
export interface CallOptions {
  /** Ends the call, here and at the provider. The call then fails with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Calls the actions of a gateway. */
export interface Client {
  /** Runs an action and waits for the whole answer. It rejects with a `ClavigerError`, or with the signal's reason. */
  run<N extends ActionName>(name: N, input: ActionInput<N>, options?: CallOptions): Promise<ActionOutput<N>>;
  /** Runs an action whose answer comes piece by piece. Reading starts it. */
  stream<N extends ActionName>(name: N, input: ActionInput<N>, options?: CallOptions): ActionStream<ActionOutput<N>>;
  /** Runs an action of kind chat: the turns so far, the last of them the user's. */
  chat<N extends ActionName>(name: N, messages: readonly ChatMessage[], options?: CallOptions): ActionStream<ActionOutput<N>>;
  /**
   * A `fetch` that presents the ticket, for SDKs that take one. It renews the
   * ticket as the other calls do, and repeats nothing else.
   */
  fetch: typeof fetch;
}

/** Codes of refusals that cost nothing: the provider was not asked, or refused because it was busy. */
const free: readonly ErrorCode[] = ['rate_limited', 'too_many_in_flight', 'upstream_busy', 'limits_unavailable', 'identity_unavailable'];

/** Makes a client. It keeps a ticket and nothing else, and may be shared by a whole page. */
export function createClient(options: ClientOptions = {}): Client {
  const { baseURL = '/api/ai', getTicket, retries = 2, maxWait = 5, onLimits } = options;
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const base = baseURL.replace(/\/+$/, '');
  const holder = getTicket && new TicketHolder(getTicket);

  /** One request, with the ticket; once more where the ticket was refused. A body that is a stream is sent once. */
  async function present(input: RequestInfo | URL, init: RequestInit, send: typeof fetch): Promise<Response> {
    for (let again = !(input instanceof Request) && !(init.body instanceof ReadableStream); ; again = false) {
      const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined));
      const ticket = holder && (await unlessAborted(holder.current(), init.signal));
      if (ticket) headers.set('authorization', `Bearer ${ticket}`);
      const response = await send(input, { ...init, headers });
      const limits = onLimits ? readLimits(response.headers) : [];
      if (limits.length) onLimits?.(limits);
      if (!ticket || response.status !== 401) return response;
      holder.refused(ticket);
      if (!again) return response;
      await response.body?.cancel();
    }
  }

  async function call(name: string, body: unknown, accept: string, signal: AbortSignal | undefined): Promise<Response> {
    const init: RequestInit = {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept },
      body: JSON.stringify(body),
      cache: 'no-store',
      ...(signal && { signal }),
    };
    for (let attempt = 0; ; attempt++) {
      const response = await present(`${base}/actions/${encodeURIComponent(name)}`, init, (url, request) =>
        send(url, request).catch((error: unknown) => {
          if (signal?.aborted) throw error;
          throw errorOf(undefined, { code: 'unreachable', status: 0 }, { cause: error });
        }));
      if (response.ok) return response;
      const error = await errorOfResponse(response);
      const wait = error.retryAfter ?? 0.5 * 2 ** attempt;
      if (attempt >= retries || !free.includes(error.code) || response.headers.get('x-should-retry') === 'false' || wait > maxWait) throw error;
      await pause(wait * 1000, signal);
    }
  }

  function stream<N extends ActionName>(name: N, input: unknown, { signal }: CallOptions = {}): ActionStream<ActionOutput<N>> {
    return new ActionStream(() => call(name, input, 'text/event-stream', signal), signal);
  }

  return {
    async run<N extends ActionName>(name: N, input: ActionInput<N>, { signal }: CallOptions = {}) {
      const response = await call(name, input, 'application/json', signal);
      try {
        return (await response.json()) as ActionOutput<N>;
      } catch (error) {
        if (signal?.aborted) throw error;
        throw errorOf(undefined, { code: 'unexpected_answer', status: response.status }, { cause: error });
      }
    },
    stream,
    chat: (name, messages, callOptions) => stream(name, { messages }, callOptions),
    fetch: (input, init = {}) => present(input, init, send),
  };
}

/** Waits for a promise that several share, and leaves it to the others where this call is ended. */
function unlessAborted<T>(shared: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return shared;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    shared.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return unlessAborted(new Promise((resolve) => setTimeout(resolve, ms)), signal);
}
