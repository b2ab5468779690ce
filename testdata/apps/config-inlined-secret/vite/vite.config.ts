import { defineConfig, loadEnv } from 'vite';

export default defineConfig(({ mode }) => {
  const env = loadEnv(mode, process.cwd(), '');
  return {
    define: {
      __VERSION__: JSON.stringify('1.0'),
      'process.env.OPENAI_API_KEY': JSON.stringify(env.OPENAI_API_KEY), // want "config-inlined-secret"
      'process.env': env, // want "config-inlined-secret"
    },
  };
});
