import type { Finish } from './actions.js';
import { errorFrom, errorOf, isClavigerError } from './errors.js';

/** One event of a stream (WHATWG EventSource, without ids and retries). */
export interface StreamEvent {
  event: string;
  data: string;
}

/** Reads the events of a body. Comments are left out; an event that the body's end cuts is dropped. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let event = '';
  let data: string[] = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      // A carriage return at the end may be half of a line's end.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') {
          if (data.length) yield { event: event || 'message', data: data.join('\n') };
          event = '';
          data = [];
          continue;
        }
        const [, name, text = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
        if (name === 'event') event = text;
        if (name === 'data') data.push(text);
      }
    }
  } finally {
    // Also where the reader leaves early: the gateway then ends the call.
    await reader.cancel().catch(() => {});
  }
}

interface Done {
  finish: Finish;
  data?: unknown;
  usage?: { input_tokens: number; output_tokens: number };
}

/**
 * An answer that comes piece by piece. Reading starts the call, once: either
 * `for await` takes the pieces of text as they come, and leaving the loop ends
 * the call, or `result()` waits for the whole answer. Of a structured answer the
 * pieces are its JSON, unchecked; `result()` has the checked object.
 */
export class ActionStream<Output> implements AsyncIterable<string> {
  #open: () => Promise<Response>;
  #signal: AbortSignal | undefined;
  #pieces: AsyncGenerator<string, Output> | undefined;
  #result: Promise<Output> | undefined;
  #resolve: ((value: Output | PromiseLike<Output>) => void) | undefined;

  /** @internal Streams come from a client. */
  constructor(open: () => Promise<Response>, signal?: AbortSignal) {
    this.#open = open;
    this.#signal = signal;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void> {
    if (this.#pieces) throw new TypeError('The stream is being read already: read it once, and use result() for the whole');
    this.#pieces = this.#read();
    try {
      for (;;) {
        const { value, done } = await this.#pieces.next();
        if (done) {
          this.#settle(value);
          return;
        }
        yield value;
      }
    } catch (error) {
      this.#settle(Promise.reject(error));
      throw error;
    } finally {
      await this.#pieces.return(undefined as never);
      this.#settle(Promise.reject(errorOf(undefined, { code: 'interrupted', status: 200 })));
    }
  }

  /** The whole answer, once it is there. It reads what nobody else reads. */
  result(): Promise<Output> {
    if (!this.#result) {
      this.#result = new Promise((resolve) => (this.#resolve = resolve));
      if (!this.#pieces) void this.#drain();
    }
    return this.#result;
  }

  async #drain(): Promise<void> {
    try {
      for await (const _ of this);
    } catch {
      // result() has the error.
    }
  }

  /** The first outcome counts, and nobody is told of an error that nobody asked for. */
  #settle(outcome: Output | Promise<Output>): void {
    const settled = Promise.resolve(outcome);
    settled.catch(() => {});
    this.#result ??= settled;
    this.#resolve?.(settled);
  }

  async *#read(): AsyncGenerator<string, Output> {
    const response = await this.#open();
    const details = { status: response.status, requestId: response.headers.get('x-request-id') ?? undefined };
    if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
      await response.body?.cancel();
      throw errorOf(undefined, { ...details, code: 'unexpected_answer' });
    }
    let text = '';
    try {
      for await (const { event, data } of readEvents(response.body)) {
        const body = JSON.parse(data) as unknown;
        if (event === 'delta') {
          const piece = (body as { text: string }).text;
          text += piece;
          yield piece;
        }
        if (event === 'error') throw errorFrom(body, details);
        if (event === 'done') {
          const { finish, data: object, usage } = body as Done;
          return { ...(object === undefined ? { text } : { data: object }), finish, ...(usage && { usage }) } as Output;
        }
      }
    } catch (error) {
      if (this.#signal?.aborted || isClavigerError(error)) throw error;
      throw errorOf(undefined, { ...details, code: 'interrupted' }, { cause: error });
    }
    throw errorOf(undefined, { ...details, code: 'interrupted' });
  }
}
