'use server';
import { z } from 'zod';
import { userClient } from '@/lib/safe-action';
import { openai } from '@/lib/openai';

export const ask = userClient // want "missing-rate-limit"
  .inputSchema(z.object({ question: z.string().max(500) }))
  .action(async ({ parsedInput: { question } }) => {
    const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: question, max_output_tokens: 500 });
    return { text: done.output_text };
  });
