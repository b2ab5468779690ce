import { createAgentUIStreamResponse } from 'ai';
import { agent } from '@/lib/agent';

export async function POST(req: Request) { // want "missing-auth" "missing-rate-limit"
  const { messages } = await req.json(); // want "missing-size-cap" "missing-validation"
  return createAgentUIStreamResponse({ agent, uiMessages: messages });
}
