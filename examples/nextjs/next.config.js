// A second way to the gateway, and a build that stops where it would copy a
// secret into code for browsers. Next.js reads the rewrite's destination when
// it builds, so CLAVIGER_URL has to be set for `next build`; the Route Handler
// in app/api/ai reads it when it runs.
import { withClaviger } from '@claviger/next/config';

/** @type {import('next').NextConfig} */
const config = { poweredByHeader: false };

export default withClaviger(config, { rewrite: '/rewrite' });
