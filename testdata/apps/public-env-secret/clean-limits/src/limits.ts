export const limits = {
  tokens: Number(process.env.NEXT_PUBLIC_MAX_TOKENS ?? 500),
  model: process.env.NEXT_PUBLIC_OPENAI_MODEL,
  url: process.env.NEXT_PUBLIC_AI_API_URL,
};
