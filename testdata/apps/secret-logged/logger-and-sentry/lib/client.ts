import * as Sentry from '@sentry/nextjs';
import { log } from './log';

const options = { baseURL: 'https://api.openai.com/v1', apiKey: process.env.OPENAI_API_KEY };

export async function call() {
  try {
    log.info({ options }, 'calling'); // want "secret-logged"
    return await fetch(`${options.baseURL}/models`, { headers: { authorization: `Bearer ${options.apiKey}` } });
  } catch (error) {
    Sentry.captureException(error, { extra: { options } }); // want "secret-logged"
    throw new Error('failed');
  }
}
