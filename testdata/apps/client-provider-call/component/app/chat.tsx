'use client';
import OpenAI from 'openai';

const openai = new OpenAI({ apiKey: process.env.NEXT_PUBLIC_OPENAI_API_KEY, dangerouslyAllowBrowser: true }); // want "client-provider-call" "public-env-secret"

export default function Chat() {
  async function send() {
    const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: 'hi' }); // want "client-provider-call"
    alert(done.output_text);
  }
  return <button onClick={send}>Send</button>;
}
