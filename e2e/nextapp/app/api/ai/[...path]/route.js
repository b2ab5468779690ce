import { createRouteHandler } from '@claviger/next';
import { options } from '../../../../session';

export const { GET, POST, DELETE } = createRouteHandler(options);
