import type { NextApiRequest, NextApiResponse } from 'next';
import { openai } from '@/lib/openai';
import { ratelimit } from '@/lib/limit';

export default async function handler(req: NextApiRequest, res: NextApiResponse) { // want "missing-auth"
  const { success } = await ratelimit.limit('all');
  if (!success) return res.status(429).json({ error: 'Too many requests' });
  const { prompt } = req.body;
  if (typeof prompt !== 'string' || prompt.length > 1000) return res.status(400).json({ error: 'Invalid prompt' });
  const done = await openai.chat.completions.create({ model: 'gpt-4.1-mini', max_tokens: 100, messages: [{ role: 'user', content: prompt }] });
  res.status(200).json({ text: done.choices[0].message.content });
}
