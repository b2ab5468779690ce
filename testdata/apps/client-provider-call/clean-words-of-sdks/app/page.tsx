'use client';
import { zodTextFormat } from 'openai/helpers/zod';
import { HumanMessage } from '@langchain/core/messages';
import { z } from 'zod';

const Answer = z.object({ text: z.string() });

export default function Page() {
  const send = async () => {
    await fetch('/api/answer', { method: 'POST', body: JSON.stringify({ format: zodTextFormat(Answer, 'answer'), messages: [new HumanMessage('hi')] }) });
  };
  return <button onClick={send}>Send</button>;
}
