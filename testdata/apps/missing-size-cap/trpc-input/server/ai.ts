import { initTRPC, TRPCError } from '@trpc/server';
import { z } from 'zod';
import { auth } from '@/auth';
import { openai } from '@/lib/openai';
import { ratelimit } from '@/lib/limit';

const t = initTRPC.create();
const authed = t.procedure.use(async (opts) => {
  const session = await auth();
  if (!session?.user?.id) throw new TRPCError({ code: 'UNAUTHORIZED' });
  const { success } = await ratelimit.limit(session.user.id);
  if (!success) throw new TRPCError({ code: 'TOO_MANY_REQUESTS' });
  return opts.next();
});

export const ai = t.router({
  write: authed
    .input(z.object({
      topic: z.string(), // want "missing-size-cap"
    }))
    .mutation(async ({ input }) => {
      const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: input.topic, max_output_tokens: 500 });
      return { text: done.output_text };
    }),
});
