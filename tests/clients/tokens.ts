/** Clients whose tokens expire: writes what has gone wrong, by case. */

import { equal, failure, until } from "./checks.ts";
import { isError, TokensHttp, TokensSocket, Unauthorized } from "./client.ts";
import { url, write } from "./lines.ts";

/** A source of tokens, which keeps a token until the service has refused it. */
class Source {
  readonly asked: Array<string | undefined> = [];
  kept: string | undefined;
  readonly #lifetime: number;

  constructor(lifetime: number) {
    this.#lifetime = lifetime;
  }

  readonly token = async (refused?: string): Promise<string> => {
    this.asked.push(refused);
    if (this.kept === undefined || this.kept === refused) this.kept = `ada.${Date.now() + this.#lifetime}`;
    return this.kept;
  };
}

const reconnect = { first: 10, most: 50 };

const cases: Readonly<Record<string, () => Promise<void>>> = {
  "a call whose token has expired gets a new one": async () => {
    const source = new Source(300);
    const http = new TokensHttp({ url, token: source.token });
    equal(await http.whoami(), "ada");
    const first = source.kept;
    await until(() => Date.now() > Number(first?.split(".")[1]) + 10);
    equal(await http.whoami(), "ada");
    equal([source.asked.filter((refused) => refused !== undefined), source.kept === first], [[first], false]);
  },

  "a call is sent only once more, and not with the same token": async () => {
    let sent = 0;
    const spy: typeof fetch = (address, init) => {
      sent++;
      return fetch(address, init);
    };
    const asked: Array<string | undefined> = [];
    const count = (refused?: string) => `ada.${asked.push(refused)}`;
    equal((await failure(new TokensHttp({ url, fetch: spy, token: count }).whoami())) instanceof Unauthorized, true);
    equal([asked, sent], [[undefined, "ada.1"], 2]);
    const same = new TokensHttp({ url, fetch: spy, token: () => "ada.1" });
    equal((await failure(same.whoami())) instanceof Unauthorized, true);
    equal((await failure(new TokensHttp({ url, fetch: spy, token: "ada.1" }).whoami())) instanceof Unauthorized, true);
    equal(sent, 4);
  },

  "a socket whose user expires comes back with a new token, and misses nothing": async () => {
    const source = new Source(2_000);
    const socket = new TokensSocket({ url, token: source.token, reconnect });
    const states: string[] = [];
    socket.onState((state, reason) => states.push(reason === undefined ? state : `${state} ${reason.code}`));
    const room = socket.lobbyRoom();
    const notes: string[] = [];
    room.on("note", (note) => notes.push(note));
    await room.join();
    const http = new TokensHttp({ url, token: () => `bob.${Date.now() + 60_000}` });
    const wanted: string[] = [];
    for (let number = 0; states.filter((state) => state === "open").length < 3; number++) {
      if (socket.state === "closed") throw new Error(`closed: ${states.join()}`);
      wanted.push(String(number));
      await http.say(String(number));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await until(() => notes.length >= wanted.length);
    equal(notes, wanted);
    equal(states.slice(0, 5), ["open", "waiting unauthorized", "connecting", "open", "waiting unauthorized"]);
    equal([source.asked.length >= 3, source.asked[1] === undefined, await socket.whoami()], [true, false, "ada"]);
    socket.close();
  },

  "a new token before the end keeps the connection": async () => {
    const source = new Source(1_000);
    const socket = new TokensSocket({ url, token: source.token, reconnect });
    let isCut = false;
    socket.onState((state) => (isCut ||= state === "waiting"));
    await socket.ready();
    const end = Date.now() + 2_500;
    while (Date.now() < end) {
      await socket.authenticate(`ada.${Date.now() + 1_000}`);
      equal(await socket.whoami(), "ada");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    equal([isCut, source.asked.length], [false, 1]);
    socket.close();
  },

  "a socket whose new token is refused, too, is closed": async () => {
    let asked = 0;
    const socket = new TokensSocket({ url, token: () => `ada.${Date.now() + (asked++ ? -1 : 500)}`, reconnect });
    equal(await socket.whoami(), "ada");
    await until(() => socket.state === "closed");
    const error = await failure(socket.whoami());
    equal([error instanceof Unauthorized, isError(error, "unauthorized"), asked], [true, true, 2]);
  },
};

for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
    write(JSON.stringify([name, ""]));
  } catch (error) {
    write(JSON.stringify([name, String((error as Error).stack ?? error)]));
  }
}
write(JSON.stringify(null));
