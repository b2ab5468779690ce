import { createPagesHandler } from '@claviger/next/pages';
import { options } from '../../../session';

export const config = { api: { bodyParser: false, responseLimit: false } };
export default createPagesHandler(options);
