// Every way in which a page can make a browser send a request. Each runs inside
// the page: {target(path), redirect(code, url), row, bodies} -> what it saw.
// `goes` marks those that leave the page; `wait` those whose end it cannot see.

// In the page there is nothing but what travels with the function, so these are
// put before each of them.
export const inPage = `
const chat = '/v1/chat/completions', generate = '/api/ai/generate', models = '/v1/models';
const chatBody = JSON.stringify({ model: 'gpt-4.1-mini', messages: [{ role: 'user', content: 'hi' }] });
const form = () => new URLSearchParams({ prompt: 'hi' });
const parts = () => { const f = new FormData(); f.append('prompt', 'hi'); return f; };
const blob = (type) => new Blob([chatBody], type ? { type } : {});
const ask = async (url, options) => {
  try {
    const r = await fetch(url, { credentials: 'include', ...options });
    return r.type === 'opaque' ? 'opaque' : String(r.status);
  } catch { return 'blocked'; }
};
const simple = (mode, path, method, body, headers) => ask(at(path), { mode, method, body, headers });
const element = (tag, url, name = 'src', more = {}) => new Promise((done) => {
  const e = Object.assign(document.createElement(tag), more);
  e.onload = () => done('loaded'); e.onerror = () => done('error');
  e[name] = url; document.body.append(e); setTimeout(() => done('silent'), 8000);
});
const submit = (url, { method = 'POST', enctype = '', target = '', rel = '', fields = { prompt: 'hi' } } = {}) => {
  const f = Object.assign(document.createElement('form'), { action: url, method, target });
  if (enctype) f.enctype = enctype;
  if (rel) f.rel = rel;
  if (method === 'GET') fields = { ...fields, row: String(row) };
  for (const [name, value] of Object.entries(fields)) f.append(Object.assign(document.createElement('input'), { name, value }));
  document.body.append(f); f.submit(); return 'sent';
};
const framed = (go) => new Promise((done) => {
  const i = Object.assign(document.createElement('iframe'), { name: 'into' + row });
  document.body.append(i);
  i.onload = () => { if (i.sent) done('loaded'); };
  i.sent = true; go(i.name); setTimeout(() => done('silent'), 8000);
});
const jsonAsText = { [chatBody.slice(0, -2) + ', "x": "']: '"}]}' };
`;

// name, code, and how it is waited for.
const list = [
  ['fetch no-cors GET', `simple('no-cors', models, 'GET')`],
  ['fetch no-cors HEAD', `simple('no-cors', models, 'HEAD')`],
  ['fetch no-cors POST text/plain', `simple('no-cors', chat, 'POST', chatBody)`],
  ['fetch no-cors POST urlencoded', `simple('no-cors', generate, 'POST', form())`],
  ['fetch no-cors POST multipart', `simple('no-cors', generate, 'POST', parts())`],
  ['fetch no-cors POST no type', `simple('no-cors', chat, 'POST', blob())`],
  ['fetch no-cors POST keepalive', `ask(at(generate), { mode: 'no-cors', method: 'POST', body: form(), keepalive: true })`],
  ['fetch no-cors POST, no referrer', `ask(at(generate), { mode: 'no-cors', method: 'POST', body: form(), referrerPolicy: 'no-referrer' })`],
  ['fetch cors GET', `simple('cors', models, 'GET')`],
  ['fetch cors HEAD', `simple('cors', models, 'HEAD')`],
  ['fetch cors POST text/plain', `simple('cors', chat, 'POST', chatBody)`],
  ['fetch cors POST urlencoded', `simple('cors', generate, 'POST', form())`],
  ['fetch cors POST multipart', `simple('cors', generate, 'POST', parts())`],
  ['fetch cors POST no type', `simple('cors', chat, 'POST', blob())`],
  ['XHR POST urlencoded', `new Promise((done) => {
    const x = new XMLHttpRequest(); x.open('POST', at(generate)); x.withCredentials = true;
    x.onload = () => done(String(x.status)); x.onerror = () => done('blocked'); x.send(form());
  })`],
  ['worker fetch POST urlencoded', `new Promise((done) => {
    const code = "onmessage = async (m) => { try { const r = await fetch(m.data, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({ prompt: 'hi' }) }); postMessage(r.type); } catch { postMessage('blocked'); } }";
    try {
      const w = new Worker(URL.createObjectURL(new Blob([code]))); w.onmessage = (m) => done(m.data); w.onerror = () => done('no worker'); w.postMessage(at(generate));
    } catch { done('no worker'); }
  })`],
  ['service worker fetch POST', `(async () => {
    try {
      const reg = await navigator.serviceWorker.register('/-/sw.js', { scope: '/-/' });
      const sw = reg.active ?? await new Promise((done) => { const w = reg.installing ?? reg.waiting; w.onstatechange = () => { if (w.state === 'activated') done(w); }; });
      return await new Promise((done) => { const c = new MessageChannel(); c.port1.onmessage = (m) => done(m.data); sw.postMessage(at(generate), [c.port2]); });
    } catch { return 'no worker'; }
  })()`],
  ['beacon text/plain', `String(navigator.sendBeacon(at(chat), chatBody))`, 'wait'],
  ['beacon urlencoded', `String(navigator.sendBeacon(at(generate), form()))`, 'wait'],
  ['beacon multipart', `String(navigator.sendBeacon(at(generate), parts()))`, 'wait'],
  ['beacon no type', `String(navigator.sendBeacon(at(chat), blob()))`, 'wait'],
  ['img', `element('img', at(models))`],
  ['script', `element('script', at(models))`],
  ['script crossorigin', `element('script', at(models), 'src', { crossOrigin: 'use-credentials' })`],
  ['stylesheet', `element('link', at(models), 'href', { rel: 'stylesheet' })`],
  ['iframe', `element('iframe', at(models))`],
  ['EventSource', `new Promise((done) => { const s = new EventSource(at(models), { withCredentials: true }); s.onerror = () => { s.close(); done('error'); }; s.onopen = () => { s.close(); done('open'); }; })`],
  ['WebSocket', `new Promise((done) => { const s = new WebSocket(at(models).replace('https', 'wss')); s.onerror = () => done('error'); s.onopen = () => done('open'); })`],
  ['form GET', `submit(at(models), { method: 'GET' })`, 'goes'],
  ['form urlencoded', `submit(at(generate))`, 'goes'],
  ['form urlencoded, no referrer', `submit(at(generate), { rel: 'noreferrer' })`, 'goes'],
  ['form multipart', `submit(at(generate), { enctype: 'multipart/form-data' })`, 'goes'],
  ['form text/plain that is JSON', `submit(at(chat), { enctype: 'text/plain', fields: jsonAsText })`, 'goes'],
  ['form into a frame', `framed((target) => submit(at(generate), { target }))`],
  ['form into a new window', `submit(at(generate), { target: '_blank' })`, 'goes'],
  ['form to the top', `submit(at(generate), { target: '_top' })`, 'goes'],
  ['form in a srcdoc frame', `new Promise((done) => {
    const i = document.createElement('iframe');
    i.srcdoc = '<form method=post action="' + at(generate) + '"><input name=prompt value=hi></form>';
    i.onload = () => { i.onload = () => done('loaded'); try { i.contentDocument.forms[0].submit(); } catch { done('out of reach'); } };
    document.body.append(i); setTimeout(() => done('silent'), 8000);
  })`],
  ['form in a sandboxed frame', `new Promise((done) => {
    const i = document.createElement('iframe'); i.sandbox = 'allow-scripts allow-forms';
    i.srcdoc = '<form method=post action="' + at(generate) + '"><input name=prompt value=hi></form><scr' + 'ipt>document.forms[0].submit()</scr' + 'ipt>';
    let n = 0; i.onload = () => { if (++n > 1) done('loaded'); };
    document.body.append(i); setTimeout(() => done('silent'), 5000);
  })`],
  ['navigation', `(location.href = at(models), 'sent')`, 'goes'],
  ['window.open', `(open(at(models)), 'sent')`, 'goes'],
  ['fetch, redirected by 307', `ask(redirect(307, at(generate)), { mode: 'no-cors', method: 'POST', body: form() })`],
  ['fetch cors, redirected by 307', `ask(redirect(307, at(generate)), { mode: 'cors', method: 'POST', body: form(), credentials: 'include' })`],
  ['fetch GET, redirected by 302', `ask(redirect(302, at(models)), { mode: 'no-cors' })`],
  ['form, redirected by 307', `submit(redirect(307, at(generate)))`, 'goes'],
  ['form, redirected by 302', `submit(redirect(302, at(models)))`, 'goes'],
  ['navigation, redirected by 302', `(location.href = redirect(302, at(models)), 'sent')`, 'goes'],
  ['fetch JSON (preflight)', `simple('cors', chat, 'POST', chatBody, { 'content-type': 'application/json' })`],
  ['fetch JSON, no-cors', `simple('no-cors', chat, 'POST', chatBody, { 'content-type': 'application/json' })`],
  ['fetch own header (preflight)', `simple('cors', generate, 'POST', form(), { 'x-evil': '1' })`],
  ['fetch placeholder bearer (preflight)', `simple('cors', chat, 'POST', chatBody, { 'content-type': 'application/json', authorization: 'Bearer unused' })`],
  ['fetch PUT (preflight)', `simple('cors', chat, 'PUT', chatBody, { 'content-type': 'application/json' })`],
  ['fetch PATCH (preflight)', `simple('cors', chat, 'PATCH', chatBody, { 'content-type': 'application/json' })`],
  ['fetch DELETE (preflight)', `simple('cors', chat, 'DELETE')`],
  ['fetch ticket, with the cookie (preflight)', `simple('cors', chat, 'POST', chatBody, { 'content-type': 'application/json', authorization: 'Bearer ' + ticket })`],
  ['fetch ticket, no cookie (preflight)', `ask(at(chat), { mode: 'cors', method: 'POST', body: chatBody, credentials: 'omit', headers: { 'content-type': 'application/json', authorization: 'Bearer ' + ticket } })`],
];

export const ways = list.map(([name, code, how]) => ({ name, code, goes: how === 'goes', wait: how === 'goes' || how === 'wait' }));
