import { z } from 'zod';
import { TRPCError } from '@trpc/server';
import { openai } from '@/lib/openai';
import { ratelimit } from '@/lib/limit';
import { protectedProcedure, publicProcedure, router } from '../trpc';

async function write(prompt: string) {
  const { success } = await ratelimit.limit('write');
  if (!success) throw new TRPCError({ code: 'TOO_MANY_REQUESTS' });
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: prompt, max_output_tokens: 300 });
  return { text: done.output_text };
}

export const ai = router({
  open: publicProcedure // want "missing-auth"
    .input(z.object({ prompt: z.string().max(1000) }))
    .mutation(({ input }) => write(input.prompt)),
  kept: protectedProcedure
    .input(z.object({ prompt: z.string().max(1000) }))
    .mutation(({ input }) => write(input.prompt)),
});
