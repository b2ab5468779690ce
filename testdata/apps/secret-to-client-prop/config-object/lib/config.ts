export function getConfig() {
  return { title: 'app', ai: { model: 'gpt-4.1-mini', key: process.env.OPENAI_API_KEY } };
}
