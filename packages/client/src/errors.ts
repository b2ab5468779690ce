/** The codes that a gateway answers with. The set is closed. */
export const errorCodes = [
  'budget_exhausted', 'csrf', 'forbidden', 'identity_unavailable', 'internal', 'invalid_input', 'invalid_json',
  'limits_unavailable', 'method_not_allowed', 'misconfigured', 'misdirected_request', 'model_not_allowed', 'not_found',
  'rate_limited', 'request_timeout', 'too_large', 'too_many_in_flight', 'unauthenticated', 'unsupported_media_type',
  'upstream_busy', 'upstream_error', 'upstream_invalid_request', 'upstream_timeout',
] as const;

/**
 * A code of the gateway, or one of three that are made here: `unreachable` (no
 * answer came), `interrupted` (a stream ended before its end), and
 * `unexpected_answer` (what came is no answer of a gateway).
 */
export type ErrorCode = (typeof errorCodes)[number] | 'unreachable' | 'interrupted' | 'unexpected_answer';

/** What an error knows beside its sentence. */
export interface ErrorDetails {
  code: ErrorCode;
  /** The HTTP status; 0 where no answer came. A failure inside a stream has the stream's own, 200. */
  status: number;
  /** The member of the input that was refused, as `prompt` or `messages[0].content`. */
  field?: string | undefined;
  /** Seconds after which another try can succeed. */
  retryAfter?: number | undefined;
  /** The number by which the gateway's log knows the request. */
  requestId?: string | undefined;
}

const sentences: Partial<Record<ErrorCode, string>> = {
  upstream_error: 'OpenAI request failed',
  unreachable: 'The server is out of reach. Check the connection and try again.',
  interrupted: 'The answer broke off. Try again.',
  unexpected_answer: 'The server gave no proper answer. Try again later.',
};

/**
 * Why a call failed. The message is a plain sentence that is fit for a user: it
 * holds nothing of the provider's and no secret.
 */
export class ClavigerError extends Error implements ErrorDetails {
  override name = 'ClavigerError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly field?: string | undefined;
  readonly retryAfter?: number | undefined;
  readonly requestId?: string | undefined;
  /** When another try can succeed, where that is known. */
  readonly retryAt?: Date | undefined;

  constructor(message: string | undefined, details: ErrorDetails, options?: ErrorOptions) {
    super(sentences[details.code] ?? (message || 'The request failed'), options);
    this.code = details.code;
    this.status = details.status;
    this.field = details.field;
    this.retryAfter = details.retryAfter;
    this.requestId = details.requestId;
    if (details.retryAfter !== undefined) this.retryAt = new Date(Date.now() + details.retryAfter * 1000);
  }
}

/** Nobody is signed in, or the session or ticket has ended. */
export class SignedOutError extends ClavigerError {
  override name = 'SignedOutError';
}

/** The input was refused; `field` names the member where one is at fault. */
export class InvalidInputError extends ClavigerError {
  override name = 'InvalidInputError';
}

/** The person is known, and their plan does not allow this. */
export class ForbiddenError extends ClavigerError {
  override name = 'ForbiddenError';
}

/** A rate, a budget or the number of calls at once is used up; `retryAt` says when to come back. */
export class LimitError extends ClavigerError {
  override name = 'LimitError';
}

/** No answer came, or it broke off. */
export class ConnectionError extends ClavigerError {
  override name = 'ConnectionError';
}

const classes: Partial<Record<ErrorCode, typeof ClavigerError>> = {
  unauthenticated: SignedOutError,
  invalid_input: InvalidInputError,
  invalid_json: InvalidInputError,
  too_large: InvalidInputError,
  forbidden: ForbiddenError,
  model_not_allowed: ForbiddenError,
  csrf: ForbiddenError,
  rate_limited: LimitError,
  too_many_in_flight: LimitError,
  budget_exhausted: LimitError,
  unreachable: ConnectionError,
  interrupted: ConnectionError,
};

/** Makes the error of a code. */
export function errorOf(message: string | undefined, details: ErrorDetails, options?: ErrorOptions): ClavigerError {
  return new (classes[details.code] ?? ClavigerError)(message, details, options);
}

/** Reports whether a caught value is an error of this package, whichever copy of it made the error. */
export function isClavigerError(value: unknown): value is ClavigerError {
  return value instanceof Error && typeof (value as Partial<ClavigerError>).code === 'string' && 'status' in value && 'retryAfter' in value;
}

const isCode = (code: unknown): code is ErrorCode => (errorCodes as readonly unknown[]).includes(code);

/** Reads the error object of an answer or of an error event, in either of the gateway's two shapes. */
export function errorFrom(body: unknown, details: Omit<ErrorDetails, 'code' | 'field'>): ClavigerError {
  let flat = (body ?? {}) as { error?: unknown; code?: unknown; field?: unknown; message?: unknown; param?: unknown };
  if (typeof flat.error === 'object' && flat.error) flat = flat.error;
  const message = flat.error ?? flat.message;
  const field = flat.field ?? flat.param;
  if (!isCode(flat.code)) return errorOf(undefined, { ...details, code: 'unexpected_answer' });
  return errorOf(typeof message === 'string' ? message : undefined, {
    ...details, code: flat.code, field: typeof field === 'string' ? field : undefined,
  });
}

/** Reads the error of an answer that is not 2xx. */
export async function errorOfResponse(response: Response): Promise<ClavigerError> {
  const wait = Number(response.headers.get('retry-after') ?? NaN);
  const details = {
    status: response.status,
    retryAfter: wait >= 0 ? wait : undefined,
    requestId: response.headers.get('x-request-id') ?? undefined,
  };
  return errorFrom(await response.json().catch(() => null), details);
}
