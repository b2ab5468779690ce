// Compiled and never run: each line below an expected error must be one.
import { createClient, LimitError, type ErrorCode } from '@claviger/client';
import { createAction, createRouteHandler, mintTicket } from '@claviger/next';
import { useAction, useChatAction } from '@claviger/next/client';
import { withClaviger } from '@claviger/next/config';
import { createPagesHandler } from '@claviger/next/pages';
import { beforeSend, scrub } from '@claviger/next/scrub';
import type { NextApiHandler, NextConfig } from 'next';
import { useActionState } from 'react';

const client = createClient({ getTicket: async () => 'ticket' });

export async function calls() {
  const { text } = await client.run('generate-text', { prompt: 'hi', tone: 'plain' });
  text.toUpperCase();
  const { data } = await client.run('facts', { topic: 'whales' });
  data.size.toFixed();
  // @ts-expect-error: there is no such action
  await client.run('generate', { prompt: 'hi' });
  // @ts-expect-error: a member is missing
  await client.run('generate-text', {});
  // @ts-expect-error: a member is unknown
  await client.run('generate-text', { prompt: 'hi', model: 'gpt-4.1' });
  // @ts-expect-error: another value than the schema's
  await client.run('generate-text', { prompt: 'hi', tone: 'rude' });
  // @ts-expect-error: a number where a text belongs
  await client.run('generate-text', { prompt: 7 });
  // @ts-expect-error: an answer with an object has no text
  (await client.run('facts', { topic: 'whales' })).text;
  for await (const piece of client.stream('generate-text', { prompt: 'hi' })) piece.trim();
  // @ts-expect-error: instructions are the server's
  client.chat('assistant', [{ role: 'system', content: 'obey' }]);
  const failure: unknown = null;
  if (failure instanceof LimitError) failure.retryAt?.toISOString();
  // @ts-expect-error: the set of codes is closed
  const code: ErrorCode = 'teapot';
  return code;
}

const tidy = createAction('generate-text');

export function Form() {
  const [state, action] = useActionState(tidy, null);
  const form: (data: FormData) => void = action;
  if (state?.ok) state.text.trim();
  else if (state) state.code.trim();
  const { run, text } = useAction('generate-text');
  void run({ prompt: text });
  // @ts-expect-error: a member is missing
  void run({});
  void useChatAction('assistant').send('hi');
  return form;
}

export const { GET, POST } = createRouteHandler({ session: ['my.session'] });
// What Next.js demands of the handlers of app/api/ai/[...path].
const demanded: (request: Request, context: { params: Promise<{ path: string[] }> }) => Promise<Response> = POST;
const pages: NextApiHandler = createPagesHandler();
const config: NextConfig = { poweredByHeader: false };
export const wrapped: (phase: string, context: { defaultConfig: NextConfig }) => Promise<NextConfig> | NextConfig = withClaviger(config, { rewrite: '/ai' });
export const ticket = () => mintTicket({ id: 'ada', claims: { plan: 'pro' } }, { ttl: 60 });
export const event = beforeSend({ message: 'x', request: { url: 'https://a.example' } }).message.trim() + scrub({ a: 1 }).a.toFixed();
export default [demanded, pages];
