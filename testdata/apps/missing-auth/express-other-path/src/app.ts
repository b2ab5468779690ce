import express from 'express';
import rateLimit from 'express-rate-limit';
import OpenAI from 'openai';
import { requireUser } from './require-user';

const openai = new OpenAI();
const app = express();
app.use('/admin', requireUser);
app.use(rateLimit({ windowMs: 60_000, limit: 20 }));

app.post('/generate', async (req, res) => { // want "missing-auth"
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: 'Invent a holiday.', max_output_tokens: 100 });
  res.json({ text: done.output_text });
});

app.post('/admin/generate', async (req, res) => {
  const done = await openai.responses.create({ model: 'gpt-4.1-mini', input: 'Invent a holiday.', max_output_tokens: 100 });
  res.json({ text: done.output_text });
});
