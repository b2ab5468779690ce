export default defineNuxtConfig({
  runtimeConfig: {
    openaiKey: process.env.OPENAI_API_KEY,
    public: {
      apiSecret: process.env.API_SECRET, // want "config-inlined-secret"
    },
  },
});
