/**
 * Deadlines, delays, and lists of what waits.
 */

import { ServiceError, Timeout } from "./errors.ts";

/** How long a call may take, and what aborts it. */
export interface Waiting {
  /** Milliseconds until the call fails with `Timeout`. Default: that of the client. `Infinity`: no limit. */
  readonly timeout?: number;
  /** Aborts the call, which then fails with `signal.reason`. */
  readonly signal?: AbortSignal;
}

/** Times and pauses of new attempts, in milliseconds. */
export interface Backoff {
  /** The longest pause before the first new attempt. Default: 500. */
  readonly first?: number;
  /** The longest pause of all. Default: 30 000. */
  readonly most?: number;
}

/** The longest delay of a timer; a longer one would fire at once. */
const LONGEST = 2 ** 31 - 1;
/** A service takes only shorter times, in milliseconds. */
const MOST = 1e10;

/** The pause before an attempt, which is random, so that the clients of a service do not all come back at once. */
export function pauseBefore(attempt: number, { first = 500, most = 30_000 }: Backoff): number {
  return Math.random() * Math.min(most, first * 2 ** Math.min(attempt, 30));
}

/** Waits. Fails with `signal.reason` when the signal is aborted. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const end = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, Math.min(milliseconds, LONGEST));
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** The error of a call whose time is over. */
export function tooLate(what: string, milliseconds: number): Timeout {
  return new Timeout("timeout", `${what}: no answer within ${milliseconds} ms`);
}

/** A signal that is aborted by another one, or with `Timeout` when the time is over. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #end: number;
  readonly #outer: AbortSignal | undefined;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(what: string, { timeout = Infinity, signal }: Waiting) {
    this.#end = performance.now() + timeout;
    this.#outer = signal;
    if (signal?.aborted) this.#follow();
    signal?.addEventListener("abort", this.#follow, { once: true });
    if (timeout < LONGEST) this.#timer = setTimeout(() => this.#controller.abort(tooLate(what, timeout)), timeout);
  }

  /** The signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The milliseconds that are left, at least 1, for the service; `undefined`: there is no limit that it could know. */
  get left(): number | undefined {
    const left = Math.ceil(this.#end - performance.now());
    return left < MOST ? Math.max(1, left) : undefined;
  }

  readonly #follow = (): void => this.#controller.abort(this.#outer?.reason);

  /** Ends the time limit, and keeps following the other signal. */
  stopClock(): void {
    clearTimeout(this.#timer);
  }

  /** Frees the timer and the other signal. */
  end(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#follow);
  }
}

/** What waits to be read by an async iterator, up to a number of items. */
export class Queue<T> implements AsyncIterableIterator<T, void, void> {
  readonly #items: T[] = [];
  readonly #most: number;
  readonly #onEnd: () => void;
  #readers: Array<{ resolve: (result: IteratorResult<T, void>) => void; reject: (error: unknown) => void }> = [];
  #error: unknown;
  #ended = false;

  constructor(most: number, onEnd: () => void) {
    this.#most = most;
    this.#onEnd = onEnd;
  }

  /** Adds an item. If too many wait, the reader gets these, and then an error. */
  push(item: T): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ done: false, value: item });
    else if (this.#items.length < this.#most) this.#items.push(item);
    else this.fail(new ServiceError("too_slow", `more than ${this.#most} messages wait to be read`));
  }

  /** Ends the iteration with an error, after what waits. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#error = error;
    this.end();
  }

  /** Ends the iteration, after what waits. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
    const readers = this.#readers;
    this.#readers = [];
    for (const reader of readers) this.#last(reader.resolve, reader.reject);
  }

  next(): Promise<IteratorResult<T, void>> {
    return new Promise((resolve, reject) => {
      if (this.#items.length > 0) resolve({ done: false, value: this.#items.shift() as T });
      else if (this.#ended) this.#last(resolve, reject);
      else this.#readers.push({ resolve, reject });
    });
  }

  #last(resolve: (result: IteratorResult<T, void>) => void, reject: (error: unknown) => void): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) resolve({ done: true, value: undefined });
    else reject(error);
  }

  return(): Promise<IteratorResult<T, void>> {
    this.#items.length = 0;
    this.#error = undefined;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
