import { createTicketRoute } from '@claviger/next';

export const POST = createTicketRoute((request) => (request.headers.get('cookie')?.includes('user=ada') ? { id: 'ada' } : null));
