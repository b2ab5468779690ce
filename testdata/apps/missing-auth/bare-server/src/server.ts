import { createServer } from 'node:http';
import { generateText } from 'ai';
import { openai } from '@ai-sdk/openai';

createServer(async (req, res) => { // want "missing-auth" "missing-rate-limit"
  const { text } = await generateText({ model: openai('gpt-4.1-mini'), prompt: 'Invent a holiday.', maxOutputTokens: 100 });
  res.end(text);
}).listen(8080);
