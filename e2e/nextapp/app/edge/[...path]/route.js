import { createRouteHandler } from '@claviger/next';
import { options } from '../../../session';

export const runtime = 'edge';
export const { GET, POST, DELETE } = createRouteHandler(options);
