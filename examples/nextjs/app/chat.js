'use client';

import { useRef, useState } from 'react';

async function* chunks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    for (let at; (at = rest.indexOf('\n\n')) >= 0; rest = rest.slice(at + 2)) {
      const line = rest.slice(0, at).split('\n').find((l) => l.startsWith('data: '));
      if (line && line !== 'data: [DONE]') yield JSON.parse(line.slice(6));
    }
  }
}

export default function Chat({ base }) {
  const [turns, setTurns] = useState([]);
  const [draft, setDraft] = useState('');
  const [model, setModel] = useState('gpt-4.1-mini');
  const [problem, setProblem] = useState('');
  const running = useRef(null);
  const [busy, setBusy] = useState(false);

  async function send(event) {
    event.preventDefault();
    if (!draft.trim() || busy) return;
    const messages = [...turns, { role: 'user', content: draft }];
    setTurns(messages);
    setDraft('');
    setProblem('');
    setBusy(true);
    running.current = new AbortController();
    try {
      const answer = await fetch(`${base}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({ model, stream: true, messages }),
        signal: running.current.signal,
      });
      if (!answer.ok) {
        const { error } = await answer.json();
        const wait = answer.headers.get('retry-after');
        setProblem(error.message + (wait ? `. Try again in ${wait} seconds.` : ''));
        setTurns(turns);
        return;
      }
      let text = '';
      for await (const chunk of chunks(answer.body)) {
        if (chunk.error) throw new Error(chunk.error.message);
        text += chunk.choices[0]?.delta?.content ?? '';
        setTurns([...messages, { role: 'assistant', content: text }]);
      }
    } catch (error) {
      setProblem(error.name === 'AbortError' ? 'Stopped' : 'The answer broke off');
    } finally {
      setBusy(false);
    }
  }

  return (
    <section aria-labelledby="chat-title">
      <h2 id="chat-title">Chat</h2>
      <div className="log" role="log" aria-live="polite">
        {turns.map((t, i) => (
          <p key={i} className={`turn ${t.role}`}>{t.content}</p>
        ))}
      </div>
      {problem && <p className="error" role="alert" id="chat-error">{problem}</p>}
      <form onSubmit={send}>
        <label htmlFor="model">Model</label>
        <select id="model" value={model} onChange={(e) => setModel(e.target.value)}>
          <option>gpt-4.1-mini</option>
          <option>gpt-4.1</option>
        </select>
        <label htmlFor="message">Message</label>
        <textarea id="message" rows={2} value={draft} onChange={(e) => setDraft(e.target.value)} required />
        <div className="row">
          <button id="send" disabled={busy}>Send</button>
          <button id="stop" type="button" className="quiet" disabled={!busy} onClick={() => running.current?.abort()}>Stop</button>
        </div>
      </form>
    </section>
  );
}
