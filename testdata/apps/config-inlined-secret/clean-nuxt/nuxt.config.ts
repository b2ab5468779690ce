export default defineNuxtConfig({
  runtimeConfig: { openaiKey: process.env.OPENAI_API_KEY, public: { site: process.env.SITE_URL, posthogKey: process.env.POSTHOG_KEY } },
});
