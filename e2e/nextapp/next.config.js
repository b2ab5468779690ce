import { withClaviger } from '@claviger/next/config';

export default withClaviger({ poweredByHeader: false }, { rewrite: '/rewrite' });
