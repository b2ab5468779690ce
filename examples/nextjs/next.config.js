// The second way to the gateway: a rewrite. Next.js reads its destination when
// it builds, so CLAVIGER_URL has to be set for `next build`; the Route Handler
// in app/api/ai reads it when it runs.
const gateway = process.env.CLAVIGER_URL ?? 'http://127.0.0.1:8787';

/** @type {import('next').NextConfig} */
export default {
  poweredByHeader: false,
  async rewrites() {
    return [{ source: '/rewrite/v1/:path*', destination: `${gateway}/v1/:path*` }];
  },
};
