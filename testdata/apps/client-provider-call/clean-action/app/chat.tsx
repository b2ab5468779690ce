'use client';
import type OpenAI from 'openai';
import { type ChatModel } from 'openai/resources';
import { ask } from './actions';

export function Chat({ model, last }: { model: ChatModel; last?: OpenAI.Responses.Response }) {
  return <button onClick={() => ask('hi')}>{model} {last?.id}</button>;
}
