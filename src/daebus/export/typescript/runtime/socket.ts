/**
 * A WebSocket of a service: requests, messages and rooms over a connection that is opened again when it is lost.
 */

import { type Details, errorFrom, errorOf, type ServiceError, Unavailable } from "./errors.ts";
import { parse, stringify } from "./json.ts";
import { type Listener, Listeners, type Off } from "./listeners.ts";
import { baseOf } from "./mistakes.ts";
import { type Incoming, type Joined, Room } from "./rooms.ts";
import { type Backoff, Deadline, pauseBefore, Queue, sleep, type Waiting } from "./waiting.ts";

/** How to reach a service by WebSocket. */
export interface SocketOptions<Params = unknown> {
  /** The address of the service, such as `https://shop.example.com`, with the path before that of the WebSocket. */
  readonly url: string | URL;
  /** The parameters for the connect handler of the service. */
  readonly params?: Params;
  /**
   * A token, or a function that is asked for one before each connection, with the last one if the service has refused it,
   * or its user has expired. It is sent in the first message.
   */
  readonly token?: string | ((refused?: string) => string | Promise<string>);
  /** Milliseconds that a request may take, with the time until the connection is open. Default: 30 000. */
  readonly timeout?: number;
  /** Pauses between attempts to connect; `false`: a lost connection closes the socket. */
  readonly reconnect?: Backoff | false;
  /** How many messages may wait to be read by a loop over `messages()`. Default: 1000. */
  readonly queue?: number;
  /** The class of the connection. Default: `WebSocket`. */
  readonly WebSocket?: typeof WebSocket;
}

/** Whether the socket is being opened, is open, waits before it is opened again, or is closed for good. */
export type State = "connecting" | "open" | "waiting" | "closed";

/** Where a message is from. Outside of rooms all parts are missing. */
export interface Origin {
  /** The name of the room. */
  readonly room?: string;
  /** The epoch of the room. */
  readonly epoch?: string;
  /** The number of the message in this epoch; missing if the room does not keep the message. */
  readonly offset?: number;
}

interface Pending {
  take(data: unknown): void;
  item?(data: unknown): void;
  fail(error: unknown): void;
}

/** How many items of a stream may wait for its loop. */
const AHEAD = 64;
/** How long a login may take, as the service sees it. */
const LOGIN = 10_000;
/** Connections that were open for this long did not fail: the next pause is short again. */
const STABLE = 5_000;

/** A WebSocket of a service. It is opened at once. */
export class Socket<Messages extends object, Params = unknown, Welcome = unknown> {
  readonly #options: SocketOptions<Params>;
  readonly #address: string;
  readonly #ended = new AbortController();
  readonly #pending = new Map<number, Pending>();
  readonly #waiting = new Set<Pending>();
  readonly #listeners = new Listeners();
  readonly #rooms = new Map<string, Room<Messages, unknown>>();
  #connection: WebSocket | undefined;
  #state: State = "connecting";
  #welcome: Welcome | undefined;
  #number = 0;
  #attempt = 0;
  #refused = false;
  #token: string | undefined;
  #expired: string | undefined;

  /**
   * @param path - The path of the WebSocket of the service.
   * @param options - How to reach it.
   */
  constructor(path: string, options: SocketOptions<Params>) {
    const base = baseOf(options?.url, ["http:", "https:", "ws:", "wss:"]);
    this.#options = options;
    this.#address = addressOf(base, path, options.params);
    void this.#connect();
  }

  /** The state of the connection. */
  get state(): State {
    return this.#state;
  }

  /** What the connect handler has returned; `undefined`: nothing yet. */
  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  /** Waits until the connection is open, and the login is done. Fails with the reason if the socket is closed. */
  async ready(options: Waiting = {}): Promise<void> {
    const deadline = new Deadline("connect", { timeout: this.#options.timeout ?? 30_000, ...options });
    try {
      await this.#whenOpen(deadline.signal);
    } finally {
      deadline.end();
    }
  }

  /**
   * Sends a request, and gives its answer. It waits for the connection.
   *
   * The service handles the messages of a socket one after another, and each for at most the time that was left when
   * it was sent.
   *
   * If the connection is lost before the answer, it fails with `Unavailable`: the request may have been handled.
   */
  async request(type: string, data: unknown, options: Waiting = {}): Promise<unknown> {
    return await this.#exchange(type, data, options, (answer) => answer);
  }

  /**
   * Opens a stream, and gives its items. It ends with the stream of the service; leaving the loop cancels the handler.
   * Its `timeout` counts until the first item.
   *
   * A loop that is slower than the service slows it down. A stream whose connection is lost fails with `Unavailable`.
   */
  async *stream(type: string, data: unknown, options: Waiting = {}): AsyncGenerator<unknown, void, void> {
    const deadline = new Deadline(type, { timeout: this.#options.timeout ?? 30_000, ...options });
    const { signal } = deadline;
    const id = ++this.#number;
    const items = new Queue<unknown>(AHEAD, () => this.#pending.delete(id));
    const aborted = (): void => items.fail(signal.reason);
    let isOver = true;
    try {
      await this.#whenOpen(signal);
      signal.addEventListener("abort", aborted);
      const ended = (end: () => void) => {
        isOver = true;
        end();
      };
      this.#pending.set(id, {
        take: () => ended(() => items.end()),
        fail: (error) => ended(() => items.fail(error)),
        item: (item) => {
          deadline.stopClock();
          items.push(item);
        },
      });
      isOver = false;
      this.#send({ type, data, id, credit: AHEAD });
      let taken = 0;
      for await (const item of items) {
        signal.throwIfAborted();
        yield item;
        if (++taken < AHEAD / 2) continue;
        if (!isOver) this.#send({ type: "daebus.credit", id, credit: taken });
        taken = 0;
      }
    } finally {
      signal.removeEventListener("abort", aborted);
      deadline.end();
      this.#pending.delete(id);
      if (!isOver) this.#send({ type: "daebus.cancel", id });
    }
  }

  /** Calls a function with each message of a type. */
  on<Type extends keyof Messages & string>(type: Type, listener: (data: Messages[Type], origin: Origin) => void): Off {
    return this.#listeners.on(`message ${type}`, listener as Listener);
  }

  /**
   * The messages of a type, for a loop. Leaving the loop ends it; closing the socket, too.
   *
   * A loop that is slower than the service fails with `too_slow` when too many messages wait.
   */
  messages<Type extends keyof Messages & string>(type: Type, options: { signal?: AbortSignal } = {}): Queue<Messages[Type]> {
    return this.#queue(options.signal, (push) => this.on(type, push));
  }

  /** Calls a function at each change of the state, with the reason if it is an error. */
  onState(listener: (state: State, reason?: ServiceError) => void): Off {
    return this.#listeners.on("state", listener as Listener);
  }

  /** Calls a function with each error that answers no request. */
  onError(listener: (error: ServiceError) => void): Off {
    return this.#listeners.on("error", listener as Listener);
  }

  /** Sends a new token of the same user, before the last one expires. */
  async authenticate(token: string, options: Waiting = {}): Promise<void> {
    await this.request("authenticate", { token }, options);
  }

  /** Closes the socket for good. */
  close(): void {
    this.#end(undefined);
    this.#connection?.close(1000);
  }

  /** A room by its name; the same object until it is left. */
  room<Presence>(name: string): Room<Messages, Presence> {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      room = new Room<Messages, unknown>(name, {
        exchange: (type, data, options, take) => this.#exchange(type, data, options, take),
        forget: () => this.#rooms.delete(name),
        queue: (signal, listen) => this.#queue(signal, listen),
      });
      this.#rooms.set(name, room);
    }
    return room as Room<Messages, Presence>;
  }

  #queue<T>(signal: AbortSignal | undefined, listen: (push: (item: T) => void) => Off): Queue<T> {
    const ends: Off[] = [];
    const queue = new Queue<T>(this.#options.queue ?? 1000, () => ends.forEach((end) => end()));
    ends.push(listen((item) => queue.push(item)));
    for (const [one, end] of [
      [signal, () => queue.fail(signal?.reason)],
      [this.#ended.signal, () => queue.fail(this.#ended.signal.reason)],
    ] as const) {
      if (one?.aborted) end();
      one?.addEventListener("abort", end);
      ends.push(() => one?.removeEventListener("abort", end));
    }
    return queue;
  }

  async #exchange<T>(type: string, data: unknown, options: Waiting, take: (answer: unknown) => T): Promise<T> {
    const deadline = new Deadline(type, { timeout: this.#options.timeout ?? 30_000, ...options });
    try {
      await this.#whenOpen(deadline.signal);
      return await this.#ask(type, data, deadline, take);
    } finally {
      deadline.end();
    }
  }

  #ask<T>(type: string, data: unknown, deadline: Deadline, take: (answer: unknown) => T): Promise<T> {
    const id = ++this.#number;
    const text = stringify({ type, data, id, timeout_ms: deadline.left });
    return until<T>(deadline.signal, (resolve, reject) => {
      this.#pending.set(id, { take: (answer) => resolve(take(answer)), fail: reject });
      this.#connection?.send(text);
      return () => {
        const isAborted = this.#pending.delete(id) && deadline.signal.aborted;
        if (isAborted && this.#state === "open") this.#send({ type: "daebus.cancel", id });
      };
    });
  }

  #send(message: Readonly<Record<string, unknown>>): void {
    this.#connection?.send(stringify(message));
  }

  #whenOpen(signal: AbortSignal): Promise<void> {
    if (this.#state === "open") return Promise.resolve();
    if (this.#state === "closed") return Promise.reject(this.#ended.signal.reason);
    return until<void>(signal, (resolve, reject) => {
      const pending = { take: () => resolve(), fail: reject };
      this.#waiting.add(pending);
      return () => this.#waiting.delete(pending);
    });
  }

  async #connect(): Promise<void> {
    this.#change("connecting");
    const { token } = this.#options;
    let given: string | undefined;
    try {
      given = typeof token === "function" ? await token(this.#expired) : token;
      this.#token = given;
      this.#expired = undefined;
    } catch (error) {
      this.#lost(new Unavailable("unavailable", "there is no token", { cause: error }));
      return;
    }
    if (this.#ended.signal.aborted) return;
    const connection = new (this.#options.WebSocket ?? WebSocket)(
      this.#address,
      given === undefined ? [] : ["daebus.authenticate"],
    );
    this.#connection = connection;
    connection.onopen = () => void this.#login(given).catch(() => connection.close());
    connection.onmessage = ({ data }: MessageEvent) => this.#receive(parse(String(data)) as Envelope);
    connection.onclose = ({ code, reason }: CloseEvent) => {
      if (this.#connection === connection) this.#closed(code, reason);
    };
  }

  async #login(token: string | undefined): Promise<void> {
    if (token !== undefined) {
      const deadline = new Deadline("authenticate", { timeout: LOGIN });
      const welcomed = (answer: unknown): void => void (this.#welcome = answer as Welcome);
      await this.#ask("authenticate", { token }, deadline, welcomed).finally(() => deadline.end());
    }
    this.#refused = false;
    const stable = setTimeout(() => (this.#attempt = 0), STABLE);
    this.#connection?.addEventListener("close", () => clearTimeout(stable));
    this.#resume();
    this.#change("open");
    for (const one of this.#waiting) one.take(undefined);
  }

  /** Asks for what the joined rooms have missed. */
  #resume(): void {
    const rooms = [...this.#rooms.values()].filter((room) => room.isJoined);
    if (rooms.length === 0) return;
    const asked = Object.fromEntries(rooms.map((room) => [room.name, room.position]));
    const resumed = (answer: unknown): void => {
      const { rooms: told } = answer as { rooms: Record<string, Joined & { error?: unknown }> };
      for (const room of rooms) {
        const { error, ...joined } = told[room.name] ?? { error: {} };
        if (error === undefined) room.rejoined(joined);
        else room.removed(errorFrom(error, { code: "not_in_room", message: `the room ${room.name} is left` }));
      }
    };
    const ended = new Deadline("resume", { signal: this.#ended.signal });
    this.#ask("resume", { rooms: asked }, ended, resumed)
      .catch((error: unknown) => {
        // A connection that was lost again resumes when it is back; another error says why the rooms cannot be joined.
        if (error instanceof Unavailable || this.#ended.signal.aborted) return;
        for (const room of rooms) room.removed(error as ServiceError);
      })
      .finally(() => ended.end());
  }

  #receive(message: Envelope): void {
    const { type, id, data } = message;
    if (type === "response" && message.final === false) this.#pending.get(id as number)?.item?.(data ?? null);
    else if (type === "response" || type === "error") this.#answered(type, id, data ?? null);
    else if (message.room === undefined) this.#listeners.tell(`message ${type}`, data ?? null, {});
    else {
      const notice = this.#rooms.get(message.room)?.receive(message as Incoming);
      if (notice !== true) this.#listeners.tell(`message ${type}`, data ?? null, originOf(message));
    }
  }

  #answered(type: string, id: unknown, data: unknown): void {
    const pending = typeof id === "number" ? this.#pending.get(id) : undefined;
    if (type === "response" && pending === undefined && id === undefined) this.#welcome = data as Welcome;
    if (type === "response") return pending?.take(data);
    const error = errorFrom(data, { code: "error", message: "the service answered with an error" });
    if (pending !== undefined) pending.fail(error);
    else this.#listeners.tell("error", error, {});
  }

  #closed(code: number, reason: string): void {
    const status = code >= 4000 ? code - 4000 : undefined;
    const details: Details = { code };
    const text = reason || `the connection was closed with ${code}`;
    if (status === undefined) {
      this.#lost(new Unavailable("unavailable", text, { details }), code === 1000);
      return;
    }
    const error = errorOf(STATUSES[status] ?? "rejected", text, { details, status });
    const mayHelp = status >= 500 || status === 429 || status === 408;
    const isExpired = status === 401 && typeof this.#options.token === "function" && !this.#refused;
    this.#refused = status === 401;
    this.#expired = status === 401 ? this.#token : undefined;
    this.#lost(error, !(mayHelp || isExpired));
  }

  #lost(error: ServiceError, forGood = false): void {
    this.#connection = undefined;
    const lost = new Unavailable("unavailable", "the connection was lost before the answer", { cause: error });
    for (const one of [...this.#pending.values()]) one.fail(forGood ? error : lost);
    if (this.#ended.signal.aborted) return;
    if (forGood || this.#options.reconnect === false) {
      this.#end(error);
      return;
    }
    this.#change("waiting", error);
    void sleep(pauseBefore(this.#attempt++, this.#options.reconnect ?? {}), this.#ended.signal).then(
      () => this.#connect(),
      () => undefined, // closed meanwhile
    );
  }

  #end(error: ServiceError | undefined): void {
    if (this.#ended.signal.aborted) return;
    const reason = error ?? new Unavailable("unavailable", "the socket is closed");
    this.#change("closed", error);
    this.#ended.abort(reason);
    for (const one of [...this.#waiting, ...this.#pending.values()]) one.fail(reason);
  }

  #change(state: State, reason?: ServiceError): void {
    if (this.#ended.signal.aborted || (state === this.#state && reason === undefined)) return;
    this.#state = state;
    this.#listeners.tell("state", state, reason);
  }
}

interface Envelope extends Origin {
  readonly type: string;
  readonly data?: unknown;
  readonly id?: unknown;
  readonly final?: boolean;
}

const STATUSES: Readonly<Record<number, string>> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  429: "too_many_requests",
  503: "unavailable",
};

function originOf({ room, epoch, offset }: Envelope): Origin {
  return {
    ...(room === undefined ? {} : { room }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(offset === undefined ? {} : { offset }),
  };
}

/** A promise that fails when the signal is aborted; `begin` returns what to do at its end. */
function until<T>(
  signal: AbortSignal,
  begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const ended = (): void => {
      signal.removeEventListener("abort", aborted);
      end();
    };
    const aborted = (): void => {
      ended();
      reject(signal.reason);
    };
    signal.addEventListener("abort", aborted);
    const end = begin(
      (value) => {
        ended();
        resolve(value);
      },
      (error) => {
        ended();
        reject(error);
      },
    );
  });
}

function addressOf(base: string, path: string, params: unknown): string {
  const url = new URL(base + path);
  url.protocol = url.protocol.replace("http", "ws");
  for (const [name, value] of Object.entries((params ?? {}) as Record<string, unknown>)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one !== undefined && one !== null) url.searchParams.append(name, String(one));
    }
  }
  return url.href;
}
