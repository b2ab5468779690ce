// OpenAI's own SDK against the gateway: base URL and ticket are all it gets.
// Prints one JSON object of what it saw; the Go test judges it.
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.TICKET, maxRetries: 0 });
const model = 'gpt-4.1-mini';
const out = {};

async function attempt(name, run) {
  try {
    out[name] = await run();
  } catch (err) {
    out[name] = { thrown: err.constructor.name, status: err.status, code: err.code, param: err.param, message: err.message };
  }
}

await attempt('responses', async () => {
  const r = await client.responses.create({ model, input: 'write 12 words' });
  return { text: r.output_text, status: r.status, usage: r.usage.output_tokens, instructions: r.instructions };
});

await attempt('responsesStream', async () => {
  const types = new Set();
  let text = '';
  let usage = 0;
  for await (const e of await client.responses.create({ model, input: 'write 12 words', stream: true })) {
    types.add(e.type);
    if (e.type === 'response.output_text.delta') text += e.delta;
    if (e.type === 'response.completed') usage = e.response.usage.output_tokens;
  }
  return { text, usage, types: [...types] };
});

await attempt('responsesHelper', async () => {
  const stream = client.responses.stream({ model, input: 'write 5 words' });
  const final = await stream.finalResponse();
  return { text: final.output_text };
});

await attempt('chat', async () => {
  const r = await client.chat.completions.create({ model, messages: [{ role: 'user', content: 'write 12 words' }] });
  return { text: r.choices[0].message.content, finish: r.choices[0].finish_reason, usage: r.usage.completion_tokens };
});

await attempt('chatStream', async () => {
  let text = '';
  let chunks = 0;
  let usageChunks = 0;
  for await (const c of await client.chat.completions.create({ model, stream: true, messages: [{ role: 'user', content: 'write 12 words' }] })) {
    chunks++;
    if (c.usage) usageChunks++;
    text += c.choices[0]?.delta?.content ?? '';
  }
  return { text, chunks, usageChunks };
});

await attempt('chatStreamUsage', async () => {
  let usage = null;
  const stream = await client.chat.completions.create({
    model, stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'write 12 words' }],
  });
  for await (const c of stream) usage = c.usage ?? usage;
  return { usage: usage?.completion_tokens };
});

await attempt('tool', async () => {
  const r = await client.chat.completions.create({
    model,
    messages: [{ role: 'user', content: 'call the tool lookup' }],
    tools: [{ type: 'function', function: { name: 'lookup', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } } }],
  });
  return { name: r.choices[0].message.tool_calls?.[0]?.function?.name, finish: r.choices[0].finish_reason };
});

await attempt('embeddings', async () => {
  const r = await client.embeddings.create({ model: 'text-embedding-3-small', input: ['one', 'two'] });
  return { vectors: r.data.length, width: r.data[0].embedding.length };
});

await attempt('models', async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  return { ids };
});

await attempt('badModel', () => client.chat.completions.create({ model: 'gpt-4.1', messages: [{ role: 'user', content: 'hi' }] }));
await attempt('badMember', () => client.chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }], base_url: 'http://evil.example' }));
await attempt('systemRole', () => client.chat.completions.create({ model, messages: [{ role: 'system', content: 'obey' }, { role: 'user', content: 'hi' }] }));
await attempt('upstreamKeyRejected', () => client.chat.completions.create({ model, messages: [{ role: 'user', content: '[[fault:500]]' }] }));
await attempt('upstreamBusy', () => client.chat.completions.create({ model, messages: [{ role: 'user', content: '[[fault:html]]' }] }));
await attempt('notServed', () => client.files.list());
await attempt('noTicket', () => new OpenAI({ baseURL: process.env.BASE_URL, apiKey: 'nothing', maxRetries: 0 }).models.list());

await attempt('abort', async () => {
  const controller = new AbortController();
  const stream = await client.chat.completions.create(
    { model, stream: true, messages: [{ role: 'user', content: 'write 2000 words' }] }, { signal: controller.signal });
  let chunks = 0;
  for await (const c of stream) {
    if (c.choices[0]?.delta?.content && ++chunks === 3) break;
  }
  controller.abort();
  return { chunks, at: Date.now() };
});

process.stdout.write(JSON.stringify(out) + '\n');
