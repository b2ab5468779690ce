export type { ActionInput, ActionName, ActionOutput, Actions, ChatMessage, Finish, TextOutput } from './actions.js';
export { createClient, type CallOptions, type Client, type ClientOptions } from './client.js';
export {
  ClavigerError, ConnectionError, ForbiddenError, InvalidInputError, LimitError, SignedOutError,
  errorCodes, isClavigerError, type ErrorCode, type ErrorDetails,
} from './errors.js';
export { readLimits, type Limit } from './limits.js';
export { ActionStream } from './stream.js';
export { ticketFrom, type GetTicket, type Ticket } from './ticket.js';
