import type { Options } from './gateway.js';
import { forward } from './route.js';

// The Pages Router leaves packages to Node, to which `server-only` is an error, so
// this entry stands apart from the one of the App Router.
export { mintTicket, type TicketOptions, type TicketUser } from './tickets.js';
export type { Options } from './gateway.js';

interface Incoming extends AsyncIterable<Uint8Array> {
  complete: boolean;
  method?: string | undefined;
  url?: string | undefined;
  headers: Record<string, string | string[] | undefined>;
  query: Partial<Record<string, string | string[]>>;
}

interface Outgoing {
  writableEnded: boolean;
  writeHead(status: number, headers: Record<string, string>): unknown;
  write(chunk: Uint8Array): boolean;
  end(): unknown;
  on(event: 'close', listener: () => void): unknown;
  once(event: 'drain' | 'close', listener: () => void): unknown;
}

/** An API route of the Pages Router. */
export type PagesHandler = (request: Incoming, response: Outgoing) => Promise<void>;

/**
 * The same as `createRouteHandler` for the Pages Router. The body must reach it
 * unread, which the route itself has to say.
 *
 * @example pages/api/ai/[...path].ts
 * import { createPagesHandler } from '@claviger/next/pages';
 *
 * export const config = { api: { bodyParser: false, responseLimit: false } };
 * export default createPagesHandler();
 */
export function createPagesHandler(options: Options = {}): PagesHandler {
  return async (req, res) => {
    const gone = new AbortController();
    res.on('close', () => {
      if (!res.writableEnded) gone.abort();
    });
    const below = Object.values(req.query).find(Array.isArray)?.length ?? 0;
    const answer = await forward(toRequest(req, gone.signal), below, options);
    // The rest of a body that was refused early is not waited for.
    res.writeHead(answer.status, { ...Object.fromEntries(answer.headers), ...(!req.complete && !answer.ok && { connection: 'close' }) });
    try {
      for await (const chunk of answer.body ?? []) {
        if (!res.write(chunk) && !gone.signal.aborted) await new Promise<void>((go) => { res.once('drain', go); res.once('close', go); });
      }
    } catch (error) {
      // Cut by the gateway: cut here too, so that it does not look whole.
      if (!gone.signal.aborted) throw error;
      return;
    }
    res.end();
  };
}

function toRequest(req: Incoming, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(req.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const method = req.method ?? 'GET';
  const bodyless = method === 'GET' || method === 'HEAD' || (!headers.has('content-length') && !headers.has('transfer-encoding'));
  const body = bodyless ? null : new ReadableStream<Uint8Array>(source(req));
  return new Request(new URL(req.url ?? '/', 'http://app.invalid'), { method, headers, signal, body, ...(body && { duplex: 'half' }) } as RequestInit);
}

/** Reads the request as fast as it is sent on. What nobody wants is left to Node: to end the iterator would end the connection, answer and all. */
function source(req: Incoming): UnderlyingDefaultSource<Uint8Array> {
  const chunks = req[Symbol.asyncIterator]();
  return {
    async pull(controller) {
      const { value, done } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  };
}
