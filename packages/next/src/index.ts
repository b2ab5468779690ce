import 'server-only';

export { createAction, type ActionFailure, type ActionOptions, type ActionResult, type ServerAction } from './action.js';
export { createRouteHandler, type RouteHandler, type RouteHandlers } from './route.js';
export { createTicketRoute, mintTicket, type TicketOptions, type TicketUser } from './tickets.js';
export type { Options } from './gateway.js';
