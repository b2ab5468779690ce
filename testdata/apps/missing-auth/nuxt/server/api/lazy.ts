import { createOpenAI } from '@ai-sdk/openai';
import { generateText } from 'ai';

export default defineLazyEventHandler(async () => { // want "missing-auth" "missing-rate-limit"
  const openai = createOpenAI({ apiKey: useRuntimeConfig().openaiApiKey });
  return defineEventHandler(async (event) => {
    const { prompt } = await readBody(event); // want "missing-size-cap" "missing-validation"
    const { text } = await generateText({ model: openai('gpt-4.1-mini'), prompt, maxOutputTokens: 100 });
    return { text };
  });
});
