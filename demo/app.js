// The demo's chat. It speaks OpenAI's API at this page's own address; the
// session cookie is out of a script's sight, and the key is nowhere near.
'use strict';

const $ = (id) => document.getElementById(id);
const turns = [];
let running = null;
let seen = '';

function add(kind, text) {
  $('log').querySelector('.empty')?.remove();
  const p = document.createElement('p');
  p.className = 'turn ' + kind;
  p.textContent = text;
  $('log').append(p);
  $('log').scrollTop = $('log').scrollHeight;
  return p;
}

// Names of limits come as user-requests, user-tokens, user-spend; amounts of
// money are in millionths.
const names = { requests: 'Requests', tokens: 'Tokens', spend: 'Spend', concurrency: 'At once' };
const spans = { 1: 'a second', 60: 'a minute', 3600: 'an hour', 86400: 'a day' };

function items(field) {
  const out = new Map();
  for (const part of (field || '').split(/,(?=\s*")/)) {
    const m = part.trim().match(/^"([^"]+)"(.*)$/);
    if (!m) continue;
    const params = {};
    for (const p of m[2].split(';')) {
      const [k, v] = p.split('=');
      if (v !== undefined) params[k.trim()] = v.trim().replace(/^"|"$/g, '');
    }
    out.set(m[1], params);
  }
  return out;
}

function amount(kind, n) {
  return kind === 'spend' ? '$' + (n / 1e6).toFixed(4) : Number(n).toLocaleString('en');
}

function showLimits(headers) {
  const policies = items(headers.get('RateLimit-Policy'));
  const states = items(headers.get('RateLimit'));
  if (policies.size === 0) return;
  $('limits').replaceChildren();
  for (const [name, policy] of policies) {
    const kind = Object.keys(names).find((k) => name.includes(k)) || name;
    const all = Number(policy.q);
    const left = Math.max(0, Number(states.get(name)?.r ?? 0));
    const span = spans[policy.w] || (policy.w > 86400 ? 'a month' : '');
    const box = document.createElement('div');
    box.className = 'meter';
    const line = document.createElement('p');
    const label = document.createElement('span');
    label.textContent = [names[kind] || name, kind === 'concurrency' ? '' : span, name.startsWith('ip-') ? 'from your address' : ''].filter(Boolean).join(' ');
    const figures = document.createElement('span');
    figures.textContent = `${amount(kind, left)} of ${amount(kind, all)} left`;
    line.append(label, figures);
    const bar = document.createElement('progress');
    bar.max = all;
    bar.value = left;
    bar.className = left === 0 ? 'out' : left < all / 4 ? 'low' : '';
    bar.setAttribute('aria-label', line.textContent);
    box.append(line, bar);
    $('limits').append(box);
  }
}

function showSent(url, init) {
  const headers = Object.entries(init.headers).map(([k, v]) => `${k}: ${v}`).join('\n');
  $('sent').textContent = `POST ${url}\n${headers}\nCookie: (a session; scripts cannot read it)\n\n${JSON.stringify(JSON.parse(init.body), null, 2)}`;
}

function showReceived(response, text) {
  const headers = [...response.headers].map(([k, v]) => `${k}: ${v}`).join('\n');
  const whole = `${response.status} ${response.statusText}\n${headers}\n\n${text}`;
  $('received').textContent = whole.length > 4000 ? whole.slice(0, 4000) + '\n…' : whole;
  seen = $('sent').textContent + whole;
  const leaked = /sk-[A-Za-z0-9_-]{8,}/.test(seen);
  $('verdict').className = 'verdict ' + (leaked ? 'bad' : 'good');
  $('verdict').textContent = leaked ? 'A key was in it. That must never happen.' : `${seen.length.toLocaleString('en')} characters, and no key in any of them.`;
}

// One event of the stream at a time, as the HTML standard splits them.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    for (let at; (at = rest.indexOf('\n\n')) >= 0; rest = rest.slice(at + 2)) {
      const data = rest.slice(0, at).split('\n').filter((l) => l.startsWith('data:')).map((l) => l.slice(5).trim()).join('\n');
      if (data) yield data;
    }
  }
}

function explain(status, body) {
  const message = body?.error?.message || body?.error || 'That did not work';
  if (status === 401) return 'Sign in first: nothing is generated for strangers.';
  if (status === 429) return `${message}. The limits on this page show when there is more.`;
  return message;
}

async function ask(text) {
  turns.push({ role: 'user', content: text });
  add('user', text);
  running = new AbortController();
  const started = performance.now();
  const init = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify({ model: $('model').value, stream: true, messages: turns.slice(-20) }),
  };
  showSent('/v1/chat/completions', init);
  const response = await fetch('/v1/chat/completions', { ...init, signal: running.signal });
  showLimits(response.headers);
  if (!response.ok) {
    const raw = await response.text();
    showReceived(response, raw);
    let body = null;
    try { body = JSON.parse(raw); } catch { /* shown as it is */ }
    turns.pop();
    add('error', explain(response.status, body));
    $('status').textContent = '';
    return;
  }
  const turn = add('assistant', '');
  let answer = '';
  let raw = '';
  let first = 0;
  try {
    for await (const data of events(response)) {
      raw += `data: ${data}\n\n`;
      if (data === '[DONE]') break;
      const event = JSON.parse(data);
      if (event.error) { add('error', explain(0, event)); break; }
      const delta = event.choices?.[0]?.delta?.content || '';
      if (delta && !first) {
        first = performance.now() - started;
        $('status').textContent = `First words after ${Math.round(first)} ms`;
      }
      answer += delta;
      turn.textContent = answer;
      $('log').scrollTop = $('log').scrollHeight;
      showReceived(response, raw);
    }
  } finally {
    turns.push({ role: 'assistant', content: answer || '(stopped)' });
    showReceived(response, raw);
  }
}

$('chat').addEventListener('submit', async (e) => {
  e.preventDefault();
  const text = $('message').value.trim();
  if (!text || running) return;
  $('message').value = '';
  $('send').disabled = true;
  $('stop').disabled = false;
  $('status').textContent = 'Waiting for the first words';
  try {
    await ask(text);
  } catch (err) {
    if (err.name === 'AbortError') $('status').textContent = 'Stopped';
    else add('error', 'The connection broke off.');
  } finally {
    running = null;
    $('send').disabled = false;
    $('stop').disabled = true;
    $('message').focus();
  }
});

$('stop').addEventListener('click', () => running?.abort());

$('message').addEventListener('keydown', (e) => {
  if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
    e.preventDefault();
    $('chat').requestSubmit();
  }
});
