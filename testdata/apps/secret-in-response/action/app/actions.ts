'use server';
const settings = { endpoint: 'https://api.openai.com', apiKey: process.env.OPENAI_API_KEY };

export async function getSettings() {
  return settings; // want "secret-in-response"
}
