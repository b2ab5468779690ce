import { redirect } from 'next/navigation';
import { auth } from '@/auth';
import { ratelimit } from '@/lib/limit';
import { openai } from '@/lib/openai';

export default async function Page() {
  const session = await auth();
  if (!session) redirect('/login');

  async function tidy(form: FormData) { // want "missing-auth"
    'use server';
    const text = form.get('text');
    if (typeof text !== 'string' || text.length > 2000) return;
    const { success } = await ratelimit.limit('tidy');
    if (!success) throw new Error('Too many requests');
    const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: text, max_output_tokens: 300 });
    await save(done.output_text);
  }

  return <form action={tidy}><textarea name="text" /><button>Tidy</button></form>;
}

async function save(text: string) {
  await fetch(`${process.env.STORE_URL}/texts`, { method: 'POST', body: text });
}
