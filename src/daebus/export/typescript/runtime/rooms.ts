/**
 * Rooms: groups of clients, with the messages that their members get, in order, and what members see of each other.
 */

import type { ServiceError } from "./errors.ts";
import { stringify } from "./json.ts";
import { type Listener, Listeners, type Off } from "./listeners.ts";
import type { Origin } from "./socket.ts";
import type { Queue, Waiting } from "./waiting.ts";

/** A member of a room. */
export interface Member<Presence> {
  /** The id of its connection. */
  readonly id: string;
  /** What others see of it. */
  readonly data: Presence;
  /** The id of its user, if there is one. */
  readonly user?: string;
}

/** A place in the messages of a room. */
export interface Position {
  /** The epoch. A new one begins if the service has lost its messages. */
  readonly epoch: string;
  /** The number of the last message that was got. */
  readonly offset: number;
}

/**
 * What a client gets of the messages that it missed while it was away: all (`full`), those that are still kept
 * (`partial`), or none (`lost`).
 */
export type Recovered = "full" | "partial" | "lost";

/** Who has come and who has gone. A member with other data has come once more. */
export interface PresenceChange<Presence> {
  readonly joined: readonly Member<Presence>[];
  readonly left: readonly Member<Presence>[];
}

/** What a message of the room itself says: where the client is, and who else is there. */
export interface Joined {
  readonly epoch?: string;
  readonly offset?: number;
  readonly recovered?: Recovered;
  readonly joined?: readonly Member<unknown>[];
  readonly left?: readonly string[];
  readonly members?: readonly Member<unknown>[];
}

/** A message in a room, as it is sent. */
export interface Incoming {
  readonly type: string;
  readonly room: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly data?: unknown;
}

/** What a room needs of its socket. */
export interface Connection {
  exchange<T>(type: string, data: unknown, options: Waiting, take: (answer: unknown) => T): Promise<T>;
  forget(): void;
  queue<T>(signal: AbortSignal | undefined, listen: (push: (item: T) => void) => Off): Queue<T>;
}

/**
 * A room. Add the listeners, then call `join()`.
 *
 * When the connection was lost, the room is joined again, and the messages that were missed come before new ones.
 */
export class Room<Messages extends object, Presence> {
  /** The name. */
  readonly name: string;
  readonly #connection: Connection;
  readonly #members = new Map<string, Member<Presence>>();
  readonly #listeners = new Listeners();
  #position: Position | undefined;
  #joined = false;

  constructor(name: string, connection: Connection) {
    this.name = name;
    this.#connection = connection;
  }

  /** The members, by the ids of their connections; empty if members see nothing of each other. */
  get members(): ReadonlyMap<string, Member<Presence>> {
    return this.#members;
  }

  /** Whether the client is in the room, or will be when the connection is back. */
  get isJoined(): boolean {
    return this.#joined;
  }

  /** The place of the last message that has come. Give it to `join()` after a page was loaded anew. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Joins the room. Gives what came of the messages after `since`, if that was asked. */
  async join(options: Waiting & { readonly since?: Position } = {}): Promise<Recovered | undefined> {
    const { since, ...waiting } = options;
    const asked = { room: this.name, ...(since === undefined ? {} : { since }) };
    return await this.#connection.exchange("join", asked, waiting, (answer) => {
      this.#enter(answer as Joined);
      return (answer as { recovered?: Recovered }).recovered;
    });
  }

  /** Leaves the room. */
  async leave(options: Waiting = {}): Promise<void> {
    this.#joined = false;
    this.#connection.forget();
    await this.#connection.exchange("leave", { room: this.name }, options, () => undefined);
  }

  /** Calls a function with each message of a type in this room. */
  on<Type extends keyof Messages & string>(type: Type, listener: (data: Messages[Type], origin: Origin) => void): Off {
    return this.#listeners.on(`message ${type}`, listener as Listener);
  }

  /** The messages of a type in this room, for a loop, as `messages` of the socket. */
  messages<Type extends keyof Messages & string>(type: Type, options: { signal?: AbortSignal } = {}): Queue<Messages[Type]> {
    return this.#connection.queue(options.signal, (push) => this.on(type, push));
  }

  /** Calls a function when members come and go. */
  onPresence(listener: (change: PresenceChange<Presence>) => void): Off {
    return this.#listeners.on("presence", listener as Listener);
  }

  /** Calls a function when the client is back in the room, before the messages that it has missed. */
  onRecovered(listener: (recovered: Recovered) => void): Off {
    return this.#listeners.on("recovered", listener as Listener);
  }

  /** Calls a function when the client is no longer in the room, with the error if it may not join again. */
  onRemoved(listener: (reason: ServiceError | undefined) => void): Off {
    return this.#listeners.on("removed", listener as Listener);
  }

  /** Takes the answer to `resume`. @internal */
  rejoined(data: Joined): void {
    this.#enter(data);
    if (data.recovered !== undefined) this.#listeners.tell("recovered", data.recovered, {});
  }

  /** Ends the membership. @internal */
  removed(reason: ServiceError | undefined): void {
    this.#joined = false;
    this.#connection.forget();
    this.#listeners.tell("removed", reason, {});
  }

  /** Takes a message; returns whether it was only for the room itself. @internal */
  receive(message: Incoming): boolean {
    const { type, room, epoch, offset } = message;
    const told = (message.data ?? {}) as Joined;
    if (type === "removed") this.removed(undefined);
    else if (type === "presence") this.#present(told);
    else this.#note(type === "recovered" ? told : message);
    if (type === "recovered") this.#listeners.tell("recovered", told.recovered, {});
    if (NOTICES.has(type)) return true;
    const place = epoch === undefined || offset === undefined ? {} : { epoch, offset };
    this.#listeners.tell(`message ${type}`, message.data ?? null, { room, ...place });
    return false;
  }

  #enter(data: Joined): void {
    this.#joined = true;
    this.#note(data);
    if (data.members !== undefined) this.#present({ members: data.members });
  }

  #note({ epoch, offset }: { readonly epoch?: string; readonly offset?: number }): void {
    if (epoch !== undefined && offset !== undefined) this.#position = { epoch, offset };
  }

  #present({ joined = [], left = [], members }: Joined): void {
    const here = new Set(members?.map((member) => member.id));
    const gone = members === undefined ? left : [...this.#members.keys()].filter((id) => !here.has(id));
    const came = (members?.filter((member) => !this.#isKnown(member)) ?? joined) as readonly Member<Presence>[];
    const lost = gone.map((id) => this.#members.get(id)).filter((member) => member !== undefined);
    for (const id of gone) this.#members.delete(id);
    for (const member of came) this.#members.set(member.id, member);
    if (came.length + lost.length > 0) this.#listeners.tell("presence", { joined: came, left: lost }, {});
  }

  #isKnown(member: Member<unknown>): boolean {
    const known = this.#members.get(member.id);
    return known !== undefined && stringify(known.data) === stringify(member.data);
  }
}

const NOTICES: ReadonlySet<string> = new Set(["presence", "recovered", "offset", "removed"]);
