/** @type {import('next').NextConfig} */
const nextConfig = {
  reactStrictMode: true,
  env: {
    APP_NAME: 'x',
    OPENAI_API_KEY: process.env.OPENAI_API_KEY, // want "config-inlined-secret"
  },
};

export default nextConfig;
