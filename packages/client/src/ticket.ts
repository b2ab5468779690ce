import { errorOfResponse } from './errors.js';

/** A ticket as `POST /tickets` answers, and as your own route may hand it on. */
export interface Ticket {
  ticket: string;
  /** When it ends, as a date text or milliseconds since 1970. Without it the ticket is used until it is refused. */
  expires_at?: string | number | undefined;
}

/** Gets a ticket for the signed-in user from your own server. */
export type GetTicket = () => Promise<Ticket | string>;

/**
 * A {@link GetTicket} that posts to a route of your app, as `createTicketRoute`
 * of `@claviger/next` makes one. The session cookie goes along, to the own
 * origin alone.
 */
export function ticketFrom(url: string): GetTicket {
  return async () => {
    const response = await fetch(url, { method: 'POST', credentials: 'same-origin', headers: { accept: 'application/json' } });
    if (!response.ok) throw await errorOfResponse(response);
    return (await response.json()) as Ticket;
  };
}

/** How long before its end a ticket is renewed, in milliseconds; of a short life it is a fifth. */
const ahead = 30_000;

/** Keeps one ticket, and renews it: one question at a time, however many calls wait for it. */
export class TicketHolder {
  #get: GetTicket;
  #ticket = '';
  #renewAt = Infinity;
  #asking: Promise<string> | undefined;

  constructor(get: GetTicket) {
    this.#get = get;
  }

  /** The ticket to use now. */
  async current(): Promise<string> {
    return this.#ticket && Date.now() < this.#renewAt ? this.#ticket : this.#renew();
  }

  /** Forgets a ticket that was refused, unless it was replaced meanwhile. */
  refused(ticket: string): void {
    if (this.#ticket === ticket) this.#ticket = '';
  }

  #renew(): Promise<string> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<string> {
    const answer = await this.#get();
    const { ticket, expires_at } = typeof answer === 'string' ? { ticket: answer } : answer;
    if (typeof ticket !== 'string' || !ticket) throw new TypeError('getTicket gave no ticket: let it return a text, or {ticket, expires_at}');
    const now = Date.now();
    const end = expires_at === undefined ? NaN : new Date(expires_at).getTime();
    this.#ticket = ticket;
    this.#renewAt = Number.isNaN(end) ? Infinity : end - Math.min(ahead, Math.max(0, end - now) / 5);
    return ticket;
  }
}
