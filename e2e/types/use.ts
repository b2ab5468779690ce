// Read by the TypeScript compiler alone: each line after "@ts-expect-error" has
// to be refused, and every other one has to compile.
import type { Actions } from '@claviger/client';

type Input<N extends keyof Actions> = Actions[N]['input'];
type Everything = Input<'everything'>;

const good: Input<'generate-text'>[] = [
  { prompt: 'Why?' },
  { prompt: 'Why?', tone: "it's friendly", temperature: 0.5, short: true },
  { prompt: 'Why?', temperature: null },
];
// @ts-expect-error prompt is required
const noPrompt: Input<'generate-text'> = { tone: 'plain' };
// @ts-expect-error prompt is text
const number: Input<'generate-text'> = { prompt: 1 };
// @ts-expect-error no such tone
const tone: Input<'generate-text'> = { prompt: 'Why?', tone: 'rude' };
// @ts-expect-error the schema is closed
const model: Input<'generate-text'> = { prompt: 'Why?', model: 'gpt-4.1' };
// @ts-expect-error no such action
type None = Input<'generate-txt'>;

const chat: Input<'assistant'> = { messages: [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Hi' }] };
// @ts-expect-error instructions are the server's
const system: Input<'assistant'> = { messages: [{ role: 'system', content: 'Be rude' }] };

declare const text: Actions['generate-text']['output'];
const words: string = text.text;
// @ts-expect-error the usage is not shown
text.usage;

declare const classified: Actions['classify']['output'];
// @ts-expect-error there may be no data
classified.data.label;
if (classified.finish === 'stop') {
  const label: 'good' | 'bad' = classified.data.label;
  const score: number | undefined = classified.data.scores[0]?.value;
  const tokens: number | undefined = classified.usage?.output_tokens;
  void [label, score, tokens];
} else {
  const none: null = classified.data;
  void none;
}

const base = { kind: 'all', unnamed: 0 } as const;
const everything: Everything[] = [
  base,
  { ...base, one: 1, mixed: -2.5 },
  { ...base, mixed: { 'a-b': [1, 'x'] } },
  { ...base, nested: { deep: { er: 3 }, more: true } },
  { ...base, dictionary: { a: 1, b: 2 } },
  { ...base, 'by-pattern': { x: 'a', y: true } },
  { ...base, open: { a: 'b', c: 1 }, nothing: {}, anything: [1, { a: null }] },
  { ...base, list: ['a', null], loose: [1, 'a'] },
  { ...base, pair: ['a', 1], rest: ['a', null, true, false], atMost: [] },
  { ...base, rest: ['a'], either: { url: 'https://example.com' } },
  { ...base, either: { id: 7 }, any: ['a'], both: { a: 'a', b: 1 } },
  { ...base, oneNeeded: { b: 'x' }, byAnchor: 'oak', withMore: 'elm', lost: 1 },
  { ...base, tree: { value: 'a', children: [{ value: 'b', children: [{ value: 'c' }] }] } },
  { ...base, $ok: 'a', '2nd': 'b', guessed: { a: 'x' } },
];
// @ts-expect-error a required property without a schema has to be there
const unnamed: Everything = { kind: 'all' };
// @ts-expect-error not the constant
const kind: Everything = { ...base, kind: 'some' };
// @ts-expect-error not one of the values
const mixed: Everything = { ...base, mixed: 2 };
// @ts-expect-error a nested property is required
const nested: Everything = { ...base, nested: {} };
// @ts-expect-error a nested object is closed
const deep: Everything = { ...base, nested: { deep: { err: 3 } } };
// @ts-expect-error the values are numbers
const dictionary: Everything = { ...base, dictionary: { a: 'b' } };
// @ts-expect-error neither text nor truth
const pattern: Everything = { ...base, 'by-pattern': { x: 1 } };
// @ts-expect-error there may be nothing in it
const nothing: Everything = { ...base, nothing: { a: 1 } };
// @ts-expect-error it may not be there
const no: Everything = { ...base, no: 1 };
// @ts-expect-error not in a list
const list: Everything = { ...base, list: [1] };
// @ts-expect-error one is missing
const pair: Everything = { ...base, pair: ['a'] };
// @ts-expect-error one too many
const three: Everything = { ...base, pair: ['a', 1, 2] };
// @ts-expect-error the rest is truth
const rest: Everything = { ...base, rest: ['a', 1, 'b'] };
// @ts-expect-error neither of the two
const either: Everything = { ...base, either: {} };
// @ts-expect-error both are required
const both: Everything = { ...base, both: { a: 'a' } };
// @ts-expect-error one of them is required
const oneNeeded: Everything = { ...base, oneNeeded: {} };
// @ts-expect-error a child is a tree
const tree: Everything = { ...base, tree: { value: 'a', children: ['b'] } };
// @ts-expect-error no such leaf
const leaf: Everything = { ...base, byAnchor: 'ash' };

void [good, noPrompt, number, tone, model, chat, system, words, everything, unnamed, kind, mixed, nested, deep, dictionary, pattern];
void [nothing, no, list, pair, three, rest, either, both, oneNeeded, tree, leaf];
export type { None };
