export default ({ config }) => ({
  ...config,
  extra: {
    openaiKey: process.env.OPENAI_API_KEY, // want "config-inlined-secret"
  },
});
