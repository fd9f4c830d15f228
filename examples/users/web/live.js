// The WebSocket of the page: it tells who is there and what changes, and connects again whenever it is cut.

import { SignedOut, expiresIn, token } from "./session.js";

const FIRST_PAUSE = 250, LONGEST_PAUSE = 8000, ROOM = "people";

// Calls `on.status`, `on.members` (who is there by connection), `on.saved` (a user), and `on.signedOut`.
export class Live {
  #on;
  #socket = null;
  #timers = {};
  #pause = FIRST_PAUSE;
  #members = new Map();
  #isOpen = true;

  constructor(on) {
    this.#on = on;
    addEventListener("online", this.#now);
    document.addEventListener("visibilitychange", this.#now);
    this.#connect();
  }

  close() {
    this.#isOpen = false;
    removeEventListener("online", this.#now);
    document.removeEventListener("visibilitychange", this.#now);
    Object.values(this.#timers).forEach(clearTimeout);
    this.#socket?.close();
  }

  #now = () => {
    if (this.#socket === null && this.#timers.connect && document.visibilityState === "visible") this.#connect();
  };

  async #connect() {
    clearTimeout(this.#timers.connect);
    this.#timers.connect = null;
    try {
      const access = await token();
      if (!this.#isOpen) return;
      const url = new URL("/ws", location.href);
      url.protocol = url.protocol.replace("http", "ws");
      // Browsers set no headers here, and proxies log queries: the token is a subprotocol.
      const socket = this.#socket = new WebSocket(url, ["daebus", `daebus.bearer.${access}`]);
      socket.onopen = () => {
        this.#tell("join", { room: ROOM });
        this.#renewInTime();
      };
      socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
      socket.onclose = () => this.#retry();
    } catch (error) {
      if (error instanceof SignedOut) this.#on.signedOut(error.message);
      else this.#retry();
    }
  }

  #retry() {
    this.#socket = null;
    clearTimeout(this.#timers.renew);
    if (!this.#isOpen) return;
    this.#on.status("offline");
    // At random, so that not all pages come back at once when a replica ends.
    this.#timers.connect = setTimeout(() => this.#connect(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  // The service disconnects a client whose access token has expired, so it gets the next one before.
  #renewInTime() {
    clearTimeout(this.#timers.renew);
    this.#timers.renew = setTimeout(async () => {
      try {
        this.#tell("authenticate", { token: await token() });
        this.#renewInTime();
      } catch {
        this.#socket?.close();  // whoever connects again finds out why
      }
    }, Math.max(expiresIn(), 500));
  }

  #take({ type, data }) {
    if (type === "response" && data?.room === ROOM) {
      this.#pause = FIRST_PAUSE;
      this.#members.clear();
      this.#on.status("online");
      this.#enter(data.members);
    } else if (type === "presence") {
      if (data.members) this.#members.clear();
      data.left?.forEach((id) => this.#members.delete(id));
      this.#enter([...(data.members ?? []), ...(data.joined ?? [])]);
    } else if (type === "user_saved") {
      this.#on.saved(data);
    }
  }

  #enter(members) {
    for (const { id, data } of members) this.#members.set(id, data);
    this.#on.members(this.#members);
  }

  #tell(type, data) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ type, data }));
  }
}
