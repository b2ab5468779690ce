import type { NextConfig } from 'next';
import { withSentryConfig } from '@sentry/nextjs';

const config: NextConfig = {
  env: { APP_VERSION: process.env.npm_package_version, SITE: process.env.SITE_URL, HAS_KEY: process.env.OPENAI_API_KEY ? '1' : '' },
  serverRuntimeConfig: { key: process.env.OPENAI_API_KEY },
};

export default withSentryConfig(config, { authToken: process.env.SENTRY_AUTH_TOKEN });
