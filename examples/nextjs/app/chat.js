'use client';

import { useChatAction } from '@claviger/next/client';
import { useState } from 'react';
import Problem from './problem';
import Usage from './usage';

const models = { assistant: 'gpt-4.1-mini', 'assistant-pro': 'gpt-4.1' };

export default function Chat({ base, plan }) {
  const [action, setAction] = useState('assistant');
  const [draft, setDraft] = useState('');
  const [limits, setLimits] = useState([]);
  const { messages, status, error, send, stop } = useChatAction(action, { baseURL: base, retries: 0, onLimits: setLimits });
  const busy = status === 'running';

  async function submit(event) {
    event.preventDefault();
    setDraft('');
    if (!(await send(draft))) setDraft((now) => now || draft);
  }

  return (
    <>
      <section aria-labelledby="chat-title">
        <h2 id="chat-title">Ask about your writing</h2>
        <div className="log" role="log" aria-labelledby="chat-title" aria-live="polite" aria-busy={busy} tabIndex={0}>
          {messages.length === 0 && <p className="note">Nothing said yet.</p>}
          {messages.map((m, i) => (
            <p key={i} className={`turn ${m.role}`}>
              <span className="who">{m.role === 'user' ? 'You' : 'Assistant'}: </span>
              {m.content}
            </p>
          ))}
        </div>
        {status === 'stopped' && <Problem id="chat-error" error="Stopped" />}
        {error && <Problem id="chat-error" error={error.message} retryAfter={error.retryAfter} />}
        <form onSubmit={submit}>
          <label htmlFor="model">Model</label>
          <select id="model" value={models[action]} onChange={(e) => setAction(Object.keys(models).find((name) => models[name] === e.target.value))}>
            <option value="gpt-4.1-mini">gpt-4.1-mini</option>
            <option value="gpt-4.1">gpt-4.1{plan === 'pro' ? '' : ' (pro plan)'}</option>
          </select>
          <label htmlFor="message">Message</label>
          <textarea id="message" rows={2} value={draft} onChange={(e) => setDraft(e.target.value)} required />
          <div className="row">
            <button id="send" disabled={busy}>Send</button>
            <button id="stop" type="button" className="quiet" disabled={!busy} onClick={stop}>Stop</button>
          </div>
        </form>
      </section>
      <Usage plan={plan} limits={limits} />
    </>
  );
}
