/**
 * The errors of a service, as classes with `code` and `details`.
 */

/** More facts about an error, for programs. */
export type Details = Readonly<Record<string, unknown>>;

/** What is known of an error besides its text and its code. */
export interface About {
  /** More facts for programs. Default: none. */
  readonly details?: Details | undefined;
  /** The HTTP status, of an error that came over HTTP. */
  readonly status?: number | undefined;
  /** The id under which the service's log has the request. */
  readonly requestId?: string | undefined;
  /** The error behind this one. */
  readonly cause?: unknown;
}

/** An error of a service. An error whose code no class has is of this class. */
export class ServiceError<Code extends string = string> extends Error {
  /** The kind of the error, for programs, such as `not_found`. */
  readonly code: Code;
  /** More facts for programs. */
  readonly details: Details;
  /** The HTTP status; `undefined`: the error did not come over HTTP. */
  readonly status: number | undefined;
  /** The id under which the service's log has the request, if it is known. */
  readonly requestId: string | undefined;

  constructor(code: Code, message: string, about: About = {}) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.name = new.target.name;
    this.code = code;
    this.details = about.details ?? {};
    this.status = about.status;
    this.requestId = about.requestId;
  }
}

/** The input is not valid. `details.errors` lists all that is wrong. */
export class BadRequest extends ServiceError<"bad_request"> {}
/** The caller is not known. */
export class Unauthorized extends ServiceError<"unauthorized"> {}
/** The caller may not do this. */
export class Forbidden extends ServiceError<"forbidden"> {}
/** There is no such thing. */
export class NotFound extends ServiceError<"not_found"> {}
/** The state of the thing does not allow this. */
export class Conflict extends ServiceError<"conflict"> {}
/** What was asked for is no longer kept. */
export class Gone extends ServiceError<"gone"> {}
/** The message is too large. */
export class TooLarge extends ServiceError<"too_large"> {}
/** The caller asks too often, or a queue is full. */
export class TooManyRequests extends ServiceError<"too_many_requests"> {}
/** The handler failed. The service's log has the cause, under the request id. */
export class Internal extends ServiceError<"internal"> {}
/** The reply is not what the contract says. */
export class BadReply extends ServiceError<"bad_reply"> {}
/** The service cannot be reached now, or the connection was lost. The request may have been handled. */
export class Unavailable extends ServiceError<"unavailable"> {}
/** No answer came before the deadline. The request may have been handled. */
export class Timeout extends ServiceError<"timeout"> {}
/** No instance serves this service now. */
export class NoSuchService extends ServiceError<"no_such_service"> {}
/** No live instance of the service has this action. */
export class NoSuchAction extends ServiceError<"no_such_action"> {}
/** The service refused the connection. */
export class Reject extends ServiceError<"rejected"> {}

/** A class of errors with a code of its own. */
// The code is that of the class, which the caller has just looked up.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type ErrorClass<E extends ServiceError = ServiceError> = new (code: any, message: string, about?: About) => E;

const classes = new Map<string, ErrorClass>([
  ["bad_request", BadRequest],
  ["unauthorized", Unauthorized],
  ["forbidden", Forbidden],
  ["not_found", NotFound],
  ["conflict", Conflict],
  ["gone", Gone],
  ["too_large", TooLarge],
  ["too_many_requests", TooManyRequests],
  ["internal", Internal],
  ["bad_reply", BadReply],
  ["unavailable", Unavailable],
  ["timeout", Timeout],
  ["no_such_service", NoSuchService],
  ["no_such_action", NoSuchAction],
  ["rejected", Reject],
]);

/** Makes errors with this code objects of this class. */
export function register(code: string, kind: ErrorClass): void {
  classes.set(code, kind);
}

/** The error for a code. */
export function errorOf(code: string, message: string, about: About = {}): ServiceError {
  const kind = classes.get(code) ?? ServiceError;
  return new kind(code, message, about);
}

/** Whether a value is an error of a service, with this code if one is given. It narrows the type of the value. */
export function isError(error: unknown): error is ServiceError;
export function isError<Code extends string>(error: unknown, code: Code): error is ServiceError<Code>;
export function isError(error: unknown, code?: string): boolean {
  return error instanceof ServiceError && (code === undefined || error.code === code);
}

/** The error of a problem document, or of the error object of a message; `fallback`: what it has no code for. */
export function errorFrom(problem: unknown, fallback: { code: string; message: string } & About): ServiceError {
  const found = typeof problem === "object" && problem !== null ? (problem as Record<string, unknown>) : {};
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  const code = text(found["code"]) ?? fallback.code;
  return errorOf(code, text(found["detail"]) ?? text(found["error"]) ?? fallback.message, {
    details: typeof found["details"] === "object" ? (found["details"] as Details | null) ?? {} : fallback.details,
    status: typeof found["status"] === "number" ? found["status"] : fallback.status,
    requestId: text(found["request_id"]) ?? fallback.requestId,
    cause: fallback.cause,
  });
}
