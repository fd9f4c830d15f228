/** How the client behaves with a service that lives: each case runs in node and in a browser. */

import { equal, failure, until } from "./checks.ts";
import {
  BadRequest,
  type Change,
  Conflict,
  Forbidden,
  Gone,
  isError,
  NotFound,
  ServiceError,
  SoldOut,
  type StreamOptions,
  Timeout,
  TooLarge,
  TortureHttp,
  TortureSocket,
  Unauthorized,
  Unavailable,
  type Waiting,
} from "./client.ts";
import { Http } from "./daebus/http.ts";

type Case = (url: string) => Promise<void>;

const ID = "0b8a1e4e-6a3c-4a52-9a43-6f3a3c1d2e4f";

async function withSocket(url: string, use: (socket: TortureSocket) => Promise<void>): Promise<void> {
  const socket = new TortureSocket({ url });
  try {
    await use(socket);
  } finally {
    socket.close();
  }
}

export const cases: Readonly<Record<string, Case>> = {
  "an input is in the path, the query string and the body": async (url) => {
    const http = new TortureHttp({ url: `${url}/` });
    const found = await http.search({ shop: "a b&c?%", words: ["x", "ü=1"], colour: "dark-green", strict: true });
    const given = { shop: "a b&c?%", words: ["x", "ü=1"], colour: "dark-green", day: null, limit: 20, strict: true };
    equal(found, given);
    const change: Change = { itemId: ID, newPrice: "9.50" };
    equal(await http.change(change), change);
    equal(await http.addShape({ data: { type: "square", side: 2 }, times: 2 }), [
      { type: "square", side: 2, colour: "red" },
      { type: "square", side: 2, colour: "red" },
    ]);
    equal(await http.thing({ thing_id: ID, tags: ["a", "b"] }), { id: ID, count: 2 });
  },

  "nothing is null": async (url) => {
    const http = new TortureHttp({ url });
    equal([await http.nothing(), await http.removeThing({ thing_id: ID })], [null, null]);
    await withSocket(url, async (socket) => equal(await socket.nothing(), null));
  },

  "a value that would be another path is refused": async (url) => {
    for (const shop of ["", ".", "..", "a/b"]) {
      const error = await failure(new TortureHttp({ url }).search({ shop }));
      equal(error instanceof BadRequest, true, shop);
    }
  },

  "a value that is missing in the path is named": async (url) => {
    const error = await failure(new TortureHttp({ url }).search({} as { shop: string }));
    if (!(error instanceof BadRequest)) throw error;
    equal(error.message, "shop is missing: it is a part of the path");
  },

  "an address that is none is a mistake": async () => {
    for (const options of [undefined, {}, ...["", "localhost", "localhost:8000", "ftp://a"].map((url) => ({ url }))]) {
      for (const kind of [TortureHttp, TortureSocket]) {
        const error = await failure((async () => new kind(options as { url: string }))());
        equal([error instanceof TypeError, String(error).startsWith("TypeError: url: ")], [true, true], String(error));
      }
    }
  },

  "headers that cannot be sent are a mistake": async (url) => {
    const wrong = "secret\nline";
    const calls: Record<string, () => Promise<unknown>> = {
      token: () => new TortureHttp({ url, token: wrong }).nothing(),
      headers: () => new TortureHttp({ url, headers: { "x-a": wrong } }).nothing(),
      'headers: "x-b"': () => new TortureHttp({ url }).nothing({ headers: { "x-b": wrong } }),
      lastEventId: () => new TortureHttp({ url }).steps({}, { lastEventId: wrong }).next(),
    };
    for (const [option, call] of Object.entries(calls)) {
      const error = await failure(call());
      equal([error instanceof TypeError, String(error).includes("secret")], [true, false], option);
      equal(String(error).startsWith(`TypeError: ${option}: `), true, String(error));
    }
  },

  "a body may be a stream": async (url) => {
    let sent = "";
    const fetch: typeof globalThis.fetch = async (address, init) => {
      sent = await new Request(address, init).text();
      return new Response("null");
    };
    const body = new Blob(["some text"]).stream();
    await new Http({ url, fetch }).call({ method: "POST", path: "/text" }, undefined, { body });
    equal(sent, "some text");
  },

  "errors have their classes, codes and details": async (url) => {
    const http = new TortureHttp({ url });
    const error = await failure(http.thing({ thing_id: ID, level: 10, tags: ["a"] }));
    equal([error instanceof SoldOut, error instanceof Conflict, error instanceof ServiceError], [true, false, true]);
    if (!isError(error, "sold_out")) throw error;
    equal([error.code, error.details, error.status, error.message], ["sold_out", { level: 10, tags: ["a"] }, 409, "There is none"]);
    equal(typeof error.requestId, "string");
    const wrong = await failure(http.search({ shop: "a", limit: 1000 }));
    if (!(wrong instanceof BadRequest)) throw wrong;
    equal((wrong.details["errors"] as unknown[]).length, 1);
    equal((await failure(new TortureHttp({ url: `${url}/elsewhere` }).nothing())) instanceof NotFound, true);
  },

  "errors of the WebSocket, too": async (url) => {
    await withSocket(url, async (socket) => {
      const wrong = await failure(socket.search({ shop: "a", limit: 1000 }));
      if (!(wrong instanceof BadRequest)) throw wrong;
      equal((wrong.details["errors"] as unknown[]).length, 1);
      const unknown = await failure(socket.request("no_such_message", null));
      equal([isError(unknown), isError(unknown, "no_such_type")], [true, true]);
    });
  },

  "a service that is not there is unavailable": async () => {
    const url = "http://127.0.0.1:9";
    const error = await failure(new TortureHttp({ url }).nothing());
    equal([error instanceof Unavailable, isError(error, "unavailable")], [true, true]);
    const socket = new TortureSocket({ url });
    equal((await failure(socket.ready({ timeout: 300 }))) instanceof Timeout, true);
    socket.close();
    const once = new TortureSocket({ url, reconnect: false });
    equal((await failure(once.ready())) instanceof Unavailable, true);
    equal(once.state, "closed");
  },

  "calls end at their deadline": async (url) => {
    const error = await failure(new TortureHttp({ url }).slow(30, { timeout: 50 }));
    equal([error instanceof Timeout, isError(error, "timeout")], [true, true]);
    equal((await failure(new TortureHttp({ url, timeout: 50 }).slow(30))) instanceof Timeout, true);
    await withSocket(url, async (socket) => {
      await socket.ready();
      // Else the second one would wait for the end of the first.
      equal((await failure(socket.slow(3_600, { timeout: 50 }))) instanceof Timeout, true);
      equal(await socket.slow(0), 0);
    });
  },

  "the service is told how long a call may take": async (url) => {
    const told: Array<string | null> = [];
    const spy: typeof fetch = (address, init) => {
      told.push(new Headers(init?.headers).get("x-request-timeout-ms"));
      return fetch(address, init);
    };
    const http = new TortureHttp({ url, fetch: spy, timeout: 60_000 });
    await http.nothing();
    await http.nothing({ timeout: 0.5 }).catch(() => undefined);
    await http.nothing({ timeout: Infinity });
    await http.nothing({ headers: { "x-request-timeout-ms": "7000" } });
    for await (const item of http.count(1)) equal(item.first, 0);
    const first = Number(told.shift());
    equal([first > 30_000 && first <= 60_000, told], [true, ["1", null, "7000", null]]);
  },

  "a signal aborts a call, with its reason": async (url) => {
    const http = new TortureHttp({ url });
    const reason = new Error("changed my mind");
    const controller = new AbortController();
    const call = failure(http.slow(30, { signal: controller.signal }));
    await http.nothing();
    controller.abort(reason);
    equal((await call) === reason, true);
    equal((await failure(http.nothing({ signal: controller.signal }))) === reason, true);
    await withSocket(url, async (socket) => {
      const other = new AbortController();
      await socket.ready();
      const asked = failure(socket.slow(0.3, { signal: other.signal }));
      setTimeout(() => other.abort(reason), 50);
      equal((await asked) === reason, true);
      equal((await failure(socket.nothing({ signal: other.signal }))) === reason, true);
    });
  },

  "large inputs are taken up to the limit": async (url) => {
    const http = new TortureHttp({ url });
    const large = "ü".repeat(500_000);
    equal(await http.post({ shop: "large", text: large, times: 0 }), 0);
    equal((await failure(http.post({ shop: "large", text: large + large, times: 0 }))) instanceof TooLarge, true);
    await withSocket(url, async (socket) => {
      equal((await socket.search({ shop: large })).shop.length, large.length);
      const error = await failure(socket.search({ shop: large + "ü".repeat(50_000) }));
      equal([error instanceof TooLarge, await socket.nothing()], [true, null]);
    });
  },

  "many calls at once are not mixed up": async (url) => {
    const http = new TortureHttp({ url });
    const numbers = Array.from({ length: 200 }, (_, number) => number);
    const found = await Promise.all(numbers.map((n) => http.search({ shop: `s${n}` })));
    equal(found.map((one) => one.shop), numbers.map((n) => `s${n}`));
    await withSocket(url, async (socket) => {
      const answers = await Promise.all(numbers.map((n) => socket.search({ shop: `s${n}`, limit: (n % 100) + 1 })));
      equal(answers.map((one) => one.limit), numbers.map((n) => (n % 100) + 1));
    });
  },

  "a stream has all its items": async (url) => {
    const items: number[] = [];
    for await (const item of new TortureHttp({ url }).count(50)) items.push(item.first);
    equal(items, Array.from({ length: 50 }, (_, n) => n));
    for await (const item of new TortureHttp({ url }).count(0)) throw new Error(String(item));
  },

  "a stream over the socket has all its items, beside other messages": async (url) => {
    await withSocket(url, async (socket) => {
      const read = async (n: number): Promise<number[]> => {
        const items: number[] = [];
        for await (const item of socket.count(n)) items.push(item.first);
        return items;
      };
      const [many, few, none, other] = await Promise.all([read(1_000), read(50), read(0), socket.nothing()]);
      equal([many, few], [1_000, 50].map((n) => Array.from({ length: n }, (_, number) => number)));
      equal([none, other], [[], null]);
      equal((await failure(read(-1))) instanceof Forbidden, true);
      equal((await failure(read(1.5))) instanceof BadRequest, true);
      equal(isError(await failure(read(-2)), "sold_out"), true);
    });
  },

  "a stream over the socket ends with its loop, its signal and its socket": async (url) => {
    await withSocket(url, async (socket) => {
      const first = async (): Promise<number> => {
        for await (const item of socket.count(1_000_000_000)) if (item.first === 200) return item.first;
        return 0;
      };
      // More than a client may have at once: each was cancelled in the service.
      for (let times = 0; times < 150; times++) equal(await first(), 200);
      const controller = new AbortController();
      const reason = new Error("enough");
      const read = async (options: Waiting = {}): Promise<void> => {
        for await (const item of socket.count(1_000_000_000, options)) if (item.first === 20) controller.abort(reason);
      };
      equal((await failure(read({ signal: controller.signal }))) === reason, true);
      const cut = failure(read());
      await socket.nothing();
      socket.close();
      equal(isError(await cut, "unavailable"), true);
    });
  },

  "a loop that is slow slows the service down": async (url) => {
    let came = 0;
    class Counting extends WebSocket {
      constructor(address: string | URL, protocols?: string | string[]) {
        super(address, protocols);
        this.addEventListener("message", () => came++);
      }
    }
    const socket = new TortureSocket({ url, WebSocket: Counting });
    const stream = socket.count(1_000_000_000);
    for (let n = 0; n < 40; n++) await stream.next();
    const before = came;
    for (let n = 0; n < 20; n++) await socket.nothing();
    equal(before <= 200 && came - before <= 20 + 64, true, `${before} ${came}`);
    await stream.return();
    socket.close();
  },

  "a request that is aborted is cancelled in the service": async (url) => {
    await withSocket(url, async (socket) => {
      await socket.ready();
      const controller = new AbortController();
      const asked = failure(socket.slow(3_600, { signal: controller.signal, timeout: Infinity }));
      setTimeout(() => controller.abort(new Error("no more")), 50);
      await asked;
      // Else it would wait for the end of the first one.
      equal(await socket.slow(0), 0);
    });
  },

  "a stream ends with its loop, and with its signal": async (url) => {
    const http = new TortureHttp({ url });
    let seen = 0;
    for await (const item of http.count(1_000_000)) if ((seen = item.first) === 20) break;
    equal(seen, 20);
    const controller = new AbortController();
    const reason = new Error("enough");
    const read = async (): Promise<void> => {
      for await (const item of http.count(1_000_000, { signal: controller.signal })) if (item.first === 20) controller.abort(reason);
    };
    equal((await failure(read())) === reason, true);
  },

  "a stream can begin with an error, and end with one": async (url) => {
    const http = new TortureHttp({ url });
    const read = async (n: number): Promise<number> => {
      let seen = 0;
      for await (const item of http.count(n)) seen = item.first;
      return seen;
    };
    equal((await failure(read(-1))) instanceof Forbidden, true);
    equal((await failure(read(1.5))) instanceof BadRequest, true);
    equal(isError(await failure(read(-2)), "sold_out"), true);
  },

  "a stream goes on after an event, and says what is lost": async (url) => {
    const http = new TortureHttp({ url });
    const ids: string[] = [];
    for await (const step of http.steps({}, { lastEventId: "41", onEventId: (id) => ids.push(id) })) {
      if (step.number === 44) break;
    }
    equal(ids, ["42", "43"]);
    const first = async (options: StreamOptions): Promise<number> => {
      for await (const step of http.steps({}, options)) return step.number;
      return 0;
    };
    equal((await failure(first({ lastEventId: "1000000" }))) instanceof Gone, true);
    equal((await failure(http.steps({ after: 1_000_000 }).next())) instanceof Gone, true);
    let reason: unknown;
    equal(await first({ lastEventId: "1000000", onLost: (lost) => (reason = lost), reconnect: { first: 1 } }), 1);
    equal(reason instanceof Gone, true);
  },

  "what the connect handler returns is the welcome": async (url) => {
    const socket = new TortureSocket({ url, params: { name: "Ada & Bob", number: 3 } });
    await socket.ready();
    await until(() => socket.welcome !== undefined);
    equal(socket.welcome, { name: "Ada & Bob" });
    socket.close();
  },

  "a token is sent with requests, and in the first message of a socket": async (url) => {
    let asked = 0;
    const token = async (): Promise<string> => `ada${++asked}`;
    const http = new TortureHttp({ url, token });
    equal([await http.whoami(), await http.whoami()], ["ada1", "ada2"]);
    const socket = new TortureSocket({ url, token: "bob", params: { name: "x" } });
    equal([await socket.whoami(), socket.welcome], ["bob", { name: "x" }]);
    await socket.authenticate("bob");
    equal(await socket.whoami(), "bob");
    socket.close();
    equal((await failure(new TortureHttp({ url }).whoami())) instanceof Unauthorized, true);
  },

  "a token that is not valid closes the socket": async (url) => {
    const socket = new TortureSocket({ url, token: "nobody" });
    const error = await failure(socket.ready());
    equal([error instanceof Unauthorized, socket.state], [true, "closed"]);
    equal((await failure(socket.whoami())) === error, true);
  },

  "listeners get messages until they are removed": async (url) => {
    await withSocket(url, async (socket) => {
      let first = 0;
      let second = 0;
      const off = socket.on("tick", () => first++);
      socket.on("tick", () => second++);
      await socket.tick();
      await until(() => first === 1 && second === 1);
      off();
      await socket.tick();
      await until(() => second === 2);
      equal(first, 1);
    });
  },

  "a listener that fails does not keep the others from their message": async (url) => {
    await withSocket(url, async (socket) => {
      let seen = 0;
      const fail = (): never => {
        throw new Error("expected: a listener of the test fails");
      };
      socket.on("tick", fail);
      socket.on("tick", () => seen++);
      await socket.tick();
      await until(() => seen === 1);
    });
  },

  "messages are read in a loop, until it is left": async (url) => {
    await withSocket(url, async (socket) => {
      const room = socket.boardRoom({ shop: "loop", number: 1 });
      const notices = room.messages("notice");
      await room.join();
      await socket.post({ shop: "loop", text: "hello", times: 20 });
      const seen: number[] = [];
      for await (const notice of notices) {
        seen.push(notice.number);
        if (notice.number === 19) break;
      }
      equal(seen, Array.from({ length: 20 }, (_, n) => n));
      equal(await notices.next(), { done: true });
    });
  },

  "a loop that is too slow is told so": async (url) => {
    const socket = new TortureSocket({ url, queue: 5 });
    const room = socket.boardRoom({ shop: "slow", number: 1 });
    const notices = room.messages("notice");
    let last = -1;
    room.on("notice", (notice) => (last = notice.number));
    await room.join();
    await socket.post({ shop: "slow", text: "x", times: 20 });
    await until(() => last === 19);
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      for await (const notice of notices) seen.push(notice.number);
    };
    equal(isError(await failure(read()), "too_slow"), true);
    equal(seen, [0, 1, 2, 3, 4]);
    socket.close();
  },

  "members of a room see who comes and goes": async (url) => {
    const ada = new TortureSocket({ url });
    const bob = new TortureSocket({ url });
    const here = ada.boardRoom({ shop: "people", number: 7 });
    const there = bob.boardRoom({ shop: "people", number: 7 });
    const changes: string[] = [];
    here.onPresence(({ joined, left }) => changes.push(`+${joined.length}-${left.length}`));
    equal(await here.join(), null);
    await there.join();
    await until(() => here.members.size === 2);
    equal([...there.members.values()].map((member) => member.data), [
      { name: "people7", colour: "red" },
      { name: "people7", colour: "red" },
    ]);
    await there.leave();
    await until(() => here.members.size === 1);
    equal(changes, ["+1-0", "+1-0", "+0-1"]);
    equal(there.isJoined, false);
    ada.close();
    bob.close();
  },

  "a room that does not exist is refused": async (url) => {
    await withSocket(url, async (socket) => {
      equal(isError(await failure(socket.room("no-such-room").join()), "no_such_room"), true);
      equal(isError(await failure(socket.quietRoom().leave()), "not_in_room"), true);
    });
  },

  "messages of a room go to its members alone, with their places": async (url) => {
    await withSocket(url, async (socket) => {
      const mine = socket.boardRoom({ shop: "mine", number: 1 });
      const other = socket.boardRoom({ shop: "other", number: 1 });
      const seen: string[] = [];
      mine.on("notice", (notice, { room, offset }) => seen.push(`${room} ${offset} ${notice.text}`));
      other.on("notice", () => seen.push("other"));
      socket.on("notice", (_, { room }) => seen.push(`socket ${room}`));
      await Promise.all([mine.join(), other.join()]);
      const before = mine.position?.offset ?? 0;
      await socket.post({ shop: "mine", text: "a" });
      await until(() => seen.length === 2);
      equal(seen, [`board:mine:1 ${before + 1} a`, "socket board:mine:1"]);
      equal(mine.position?.offset, before + 1);
    });
  },

  "a closed socket ends what waits for it": async (url) => {
    const socket = new TortureSocket({ url });
    await socket.ready();
    const states: string[] = [];
    socket.onState((state) => states.push(state));
    const asked = failure(socket.slow(0.3));
    const loop = failure((async () => {
      for await (const tick of socket.messages("tick")) equal(tick, null);
    })());
    socket.close();
    equal([isError(await asked, "unavailable"), isError(await loop, "unavailable")], [true, true]);
    equal([isError(await failure(socket.nothing()), "unavailable"), states], [true, ["closed"]]);
  },
};
