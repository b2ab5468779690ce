'use server';

import { createAction } from '@claviger/next';
import { options } from '../session';

export const tidy = createAction('tidy', options);
