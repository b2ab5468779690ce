import { openai } from '@ai-sdk/openai';
import { ToolLoopAgent } from 'ai';

export const agent = new ToolLoopAgent({ model: openai('gpt-4.1-mini'), instructions: 'Be brief.' });
