/**
 * Calls of a service over HTTP, and streams as server-sent events.
 */

import { errorFrom, isError, type ServiceError, Unavailable } from "./errors.ts";
import { readEvents } from "./events.ts";
import { parse } from "./json.ts";
import { baseOf, headersWith, Mistake } from "./mistakes.ts";
import { addressOf, bodyOf, type Route } from "./routes.ts";
import { type Backoff, Deadline, pauseBefore, sleep, type Waiting } from "./waiting.ts";

/** How to reach a service. */
export interface HttpOptions {
  /** The address of the service, such as `https://shop.example.com`, with the path before its routes, if any. */
  readonly url: string | URL;
  /**
   * A token for `Authorization: Bearer`, or a function that is asked for one before each request. If the service refuses
   * a token with 401, the function is asked again, with that token, and the request is sent once more with another one.
   */
  readonly token?: string | ((refused?: string) => string | Promise<string>);
  /** More headers of each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether cookies are sent, as for `fetch`. */
  readonly credentials?: RequestCredentials;
  /** Milliseconds that a call may take; the service is told, and stops then. Default: 30 000. `Infinity`: no limit. */
  readonly timeout?: number;
  /** The function that sends requests. Default: `fetch`. */
  readonly fetch?: typeof fetch;
}

/** Options of one call. */
export interface CallOptions extends Waiting {
  /** More headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body, for a route whose body has no type. */
  readonly body?: BodyInit;
}

/** Options of one stream. Its `timeout` counts until the stream begins. */
export interface StreamOptions extends CallOptions {
  /** Goes on after this event, which an earlier run has got. */
  readonly lastEventId?: string;
  /** Gets the id of each event, if it has one. */
  readonly onEventId?: (id: string) => void;
  /**
   * Called when the events after the last one are no longer kept; then the stream begins anew. Load your state again.
   * Default: the stream fails with `Gone`.
   */
  readonly onLost?: (reason: ServiceError) => void;
  /** Pauses between attempts; `false`: a stream that was cut fails. Only streams that can be resumed go on. */
  readonly reconnect?: Backoff | false;
  /** Milliseconds without a sign of life after which the connection counts as cut. Default: 45 000. */
  readonly silence?: number;
}

/** The header that tells the service for how many milliseconds the caller still waits. */
const TIMEOUT = "x-request-timeout-ms";

/** A service that is reached over HTTP. */
export class Http {
  readonly #options: HttpOptions;
  readonly #base: string;

  constructor(options: HttpOptions) {
    this.#base = baseOf(options?.url, ["http:", "https:"]);
    this.#options = options;
  }

  /** Calls a route. */
  async call(route: Route, input: unknown, options: CallOptions = {}): Promise<unknown> {
    const deadline = new Deadline(nameOf(route), { timeout: this.#options.timeout ?? 30_000, ...options });
    try {
      const response = await this.#send(route, input, options, deadline.signal, {}, deadline);
      return await read(route, response);
    } catch (error) {
      throw deadline.signal.aborted ? deadline.signal.reason : unreachable(route, error);
    } finally {
      deadline.end();
    }
  }

  /**
   * Opens a stream. It ends with the stream of the service; leaving the loop cancels the handler.
   *
   * A stream that is cut goes on after its last event, if it can be resumed; else it fails with `Unavailable`.
   */
  async *stream(route: Route, input: unknown, options: StreamOptions = {}): AsyncGenerator<unknown, void, void> {
    const place: Place = { last: options.lastEventId, attempt: 0 };
    for (;;) {
      try {
        yield* this.#run(route, input, options, place);
        return;
      } catch (error) {
        const mayHelp = isError(error, "unavailable") || isError(error, "timeout");
        const mayGoOn = route.resumes === true || place.last !== undefined;
        if (!mayHelp || !mayGoOn || options.reconnect === false || options.signal?.aborted) throw error;
        await sleep(pauseBefore(place.attempt++, options.reconnect ?? {}), options.signal);
      }
    }
  }

  /** One connection of a stream. */
  async *#run(route: Route, input: unknown, options: StreamOptions, place: Place): AsyncGenerator<unknown, void, void> {
    const deadline = new Deadline(nameOf(route), { timeout: this.#options.timeout ?? 30_000, ...options });
    const cut = new AbortController();
    const signal = AbortSignal.any([deadline.signal, cut.signal]);
    const silence = options.silence ?? 45_000;
    const quiet = new Unavailable("unavailable", `${nameOf(route)}: nothing came for ${silence} ms`);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const heard = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => cut.abort(quiet), silence);
    };
    try {
      const resumed = place.last === undefined ? {} : { "last-event-id": place.last };
      const response = await this.#send(route, input, options, signal, { accept: "text/event-stream", ...resumed });
      deadline.stopClock();
      if (!response.ok || response.body === null) throw await failure(route, response);
      for await (const event of readEvents(response.body, heard, signal)) {
        clearTimeout(timer);
        place.attempt = 0;
        if (event.name === "end") return;
        if (event.name === "problem" || event.name === "lost") {
          const error = errorFrom(parse(event.data), fallback(route, response));
          if (event.name === "problem" || options.onLost === undefined) throw error;
          place.last = undefined;
          options.onLost(error);
        } else if (event.name === "message") {
          yield parse(event.data);
          // Only now: an item that was not taken comes again.
          if (event.id !== undefined) {
            place.last = event.id;
            options.onEventId?.(event.id);
          }
        }
        heard();
      }
      throw new Unavailable("unavailable", `${nameOf(route)}: the stream was cut`);
    } catch (error) {
      throw signal.aborted ? signal.reason : unreachable(route, error);
    } finally {
      clearTimeout(timer);
      deadline.end();
      cut.abort();
    }
  }

  async #send(
    route: Route,
    input: unknown,
    options: CallOptions,
    signal: AbortSignal,
    more: Readonly<Record<string, string>>,
    deadline?: Deadline,
  ): Promise<Response> {
    const headers = headersWith("headers", () => new Headers(this.#options.headers));
    for (const [name, value] of Object.entries({ ...more, ...options.headers })) {
      const option = name === "last-event-id" ? "lastEventId" : `headers: ${JSON.stringify(name)}`;
      headersWith(option, () => headers.set(name, value));
    }
    const { token, credentials } = this.#options;
    const isOwn = token !== undefined && !headers.has("authorization");
    const authorize = (given: string): void =>
      headersWith("token", () => headers.set("authorization", `Bearer ${given}`));
    const given = typeof token === "function" ? await token() : token;
    if (isOwn && given !== undefined) authorize(given);
    const body = bodyOf(route, input) ?? options.body;
    const left = deadline?.left;
    if (left !== undefined && !headers.has(TIMEOUT)) headers.set(TIMEOUT, String(left));
    const isJson = typeof body === "string" && options.body === undefined;
    if (isJson && !headers.has("content-type")) headers.set("content-type", "application/json");
    const send = (): Promise<Response> =>
      (this.#options.fetch ?? fetch)(this.#base + addressOf(route, input), {
        method: route.method,
        headers,
        signal,
        ...(body === undefined ? {} : { body }),
        ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
        ...(credentials === undefined ? {} : { credentials }),
      });
    const response = await send();
    const mayAskAgain = isOwn && typeof token === "function" && !(body instanceof ReadableStream);
    if (response.status !== 401 || !mayAskAgain) return response;
    const other = await token(given);
    if (other === given) return response;
    await response.body?.cancel();
    authorize(other);
    return await send();
  }
}

/** Where a stream is: its last event, and how often it was tried in vain. */
interface Place {
  last: string | undefined;
  attempt: number;
}

function nameOf(route: Route): string {
  return `${route.method} ${route.path}`;
}

async function read(route: Route, response: Response): Promise<unknown> {
  if (!response.ok) throw await failure(route, response);
  if (route.answer === "response") return response;
  const text = await response.text();
  if (route.answer === "text") return text;
  return text === "" ? null : parse(text);
}

async function failure(route: Route, response: Response): Promise<ServiceError> {
  const text = await response.text();
  let problem: unknown;
  try {
    problem = parse(text);
  } catch {
    problem = undefined; // it is from a proxy, and the fallback says what is known
  }
  return errorFrom(problem, fallback(route, response));
}

function fallback(route: Route, { status, statusText, headers }: Response) {
  const code = CODES[status] ?? (status >= 500 ? "internal" : "bad_request");
  const requestId = headers.get("x-request-id") ?? undefined;
  return { code, message: `${nameOf(route)}: ${status} ${statusText}`, status, requestId };
}

const CODES: Readonly<Record<number, string>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  410: "gone",
  413: "too_large",
  429: "too_many_requests",
  502: "unavailable",
  503: "unavailable",
  504: "timeout",
};

/** The error for one of `fetch`, whose own text differs from platform to platform. */
function unreachable(route: Route, error: unknown): unknown {
  if (!(error instanceof TypeError) || error instanceof Mistake) return error;
  return new Unavailable("unavailable", `${nameOf(route)}: the service cannot be reached`, { cause: error });
}
