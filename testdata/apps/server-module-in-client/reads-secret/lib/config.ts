export const config = {
  name: 'app',
  key: process.env.OPENAI_API_KEY,
};
