'use client';

import {
  ClavigerError, createClient, isClavigerError,
  type ActionInput, type ActionName, type ActionOutput, type ChatMessage, type ClientOptions,
} from '@claviger/client';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

/** Where a call stands. `stopped` is what the user did, and no error. */
export type Status = 'idle' | 'running' | 'done' | 'stopped' | 'error';

/** What `useAction` gives. */
export interface UseAction<N extends ActionName> {
  /** The text so far. */
  text: string;
  /** The whole answer, once it is there. */
  output: ActionOutput<N> | undefined;
  status: Status;
  /** Why it failed: the message is fit to be shown, `code`, `field` and `retryAfter` are there to react to. */
  error: ClavigerError | undefined;
  /** Runs the action; a call under way is ended first. It gives the whole answer, or undefined, and never rejects. */
  run(input: ActionInput<N>): Promise<ActionOutput<N> | undefined>;
  /** Ends the call, here and at the provider. What came stays. */
  stop(): void;
}

interface State<Output> {
  text: string;
  status: Status;
  output: Output | undefined;
  error: ClavigerError | undefined;
}

/**
 * Runs a named action from a component, its text as it comes. Leaving the page
 * ends the call.
 *
 * @example
 * const { text, status, error, run, stop } = useAction('tidy');
 */
export function useAction<N extends ActionName>(name: N, options?: ClientOptions): UseAction<N> {
  const client = useClient(options);
  const [state, setState] = useState<State<ActionOutput<N>>>({ text: '', status: 'idle', output: undefined, error: undefined });
  const { follow, stop } = useFollow<ActionOutput<N>>();
  const run = useCallback(
    async (input: ActionInput<N>) => {
      let last: State<ActionOutput<N>> | undefined;
      await follow((signal) => client.stream(name, input, { signal }), (next) => setState((last = next)));
      return last?.output;
    },
    [client, follow, name],
  );
  return { ...state, run, stop };
}

/** What `useChatAction` gives. */
export interface UseChatAction {
  /** The turns so far, the answer under way included. */
  messages: ChatMessage[];
  status: Status;
  error: ClavigerError | undefined;
  /** Says something, unless an answer is under way. A turn that failed before its first word is taken back, and `send` gives false. */
  send(text: string): Promise<boolean>;
  stop(): void;
  /** Begins anew, or with other turns. */
  reset(messages?: ChatMessage[]): void;
}

/**
 * Holds a conversation with an action of kind chat. The turns live in the
 * component; instructions, model and caps are the server's.
 *
 * @example
 * const { messages, status, error, send, stop } = useChatAction('assistant');
 */
export function useChatAction<N extends ActionName>(name: N, options?: ClientOptions): UseChatAction {
  const client = useClient(options);
  const [messages, setMessages] = useState<ChatMessage[]>([]);
  const [state, setState] = useState<Pick<State<never>, 'status' | 'error'>>({ status: 'idle', error: undefined });
  const { follow, stop, busy } = useFollow<ActionOutput<N>>();
  const turns = useRef(messages);
  const show = useCallback((next: ChatMessage[]) => setMessages((turns.current = next)), []);
  const send = useCallback(
    async (text: string) => {
      if (busy() || !text.trim()) return false;
      const before = turns.current;
      const asked: ChatMessage[] = [...before, { role: 'user', content: text }];
      let said = '';
      show(asked);
      await follow((signal) => client.chat(name, asked, { signal }), (next) => {
        setState({ status: next.status, error: next.error });
        said = next.text;
        if (said) show([...asked, { role: 'assistant', content: said }]);
        else if (next.error) show(before);
      });
      return said !== '';
    },
    [busy, client, follow, name, show],
  );
  const reset = useCallback(
    (next: ChatMessage[] = []) => {
      stop();
      show(next);
      setState({ status: 'idle', error: undefined });
    },
    [show, stop],
  );
  return { messages, ...state, send, stop, reset };
}

/** One client as long as what matters of the options stays the same; functions may be made anew in each render. */
function useClient(options: ClientOptions = {}) {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const { baseURL, retries, maxWait } = options;
  const tickets = !!options.getTicket;
  return useMemo(
    () =>
      createClient({
        ...(baseURL !== undefined && { baseURL }),
        ...(retries !== undefined && { retries }),
        ...(maxWait !== undefined && { maxWait }),
        ...(tickets && { getTicket: () => latest.current.getTicket?.() ?? Promise.reject(new TypeError('getTicket was taken away')) }),
        onLimits: (limits) => latest.current.onLimits?.(limits),
        fetch: (input, init) => (latest.current.fetch ?? fetch)(input, init),
      }),
    [baseURL, retries, maxWait, tickets],
  );
}

/** Follows one stream at a time and tells how it stands. */
function useFollow<Output>() {
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const stop = useCallback(() => running.current?.abort(), []);
  const busy = useCallback(() => running.current !== undefined, []);
  const follow = useCallback(
    async (open: (signal: AbortSignal) => AsyncIterable<string> & { result(): Promise<Output> }, tell: (state: State<Output>) => void) => {
      running.current?.abort();
      const mine = (running.current = new AbortController());
      let text = '';
      const at = (status: Status, more: Partial<State<Output>> = {}) => {
        // Whoever was overtaken says nothing more.
        if (running.current === mine) tell({ text, status, output: undefined, error: undefined, ...more });
      };
      at('running');
      try {
        const stream = open(mine.signal);
        for await (const piece of stream) {
          text += piece;
          at('running');
        }
        at('done', { output: await stream.result() });
      } catch (error) {
        // What is none of ours, as the failure of an app's getTicket, is not fit to be shown.
        const shown = isClavigerError(error) ? error : new ClavigerError(undefined, { code: 'unexpected_answer', status: 0 }, { cause: error });
        if (mine.signal.aborted) at('stopped');
        else at('error', { error: shown });
      } finally {
        if (running.current === mine) running.current = undefined;
      }
    },
    [],
  );
  return { follow, stop, busy };
}
