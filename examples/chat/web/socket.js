// The WebSocket of the page: it connects again whenever it is cut, and comes back to its rooms without missing a message.

const FIRST_PAUSE = 250, LONGEST_PAUSE = 8000, PATIENCE = 10000;

export class RoomSocket extends EventTarget {
  #socket = null;
  #seen = new Map();     // the position of the last message of each room; null: none yet
  #waiting = new Map();  // who waits for the answer to a message
  #numbers = 0;
  #pause = FIRST_PAUSE;
  #timer = null;
  #closed = true;

  open() {
    this.#closed = false;
    this.#connect();
    addEventListener("online", this.#now);
    document.addEventListener("visibilitychange", this.#now);
  }

  close() {
    this.#closed = true;
    removeEventListener("online", this.#now);
    document.removeEventListener("visibilitychange", this.#now);
    clearTimeout(this.#timer);
    this.#seen.clear();
    this.#socket?.close();
  }

  get ready() { return this.#socket?.readyState === WebSocket.OPEN; }

  // Sends a message, and returns what the service answers. Fails if the connection breaks before.
  ask(type, data) {
    if (!this.ready) return Promise.reject(new Error("not connected"));
    const id = ++this.#numbers;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#socket?.close(), PATIENCE);  // a connection that is only half there
      this.#waiting.set(id, { resolve, reject, late });
      this.#socket.send(JSON.stringify({ type, data, id }));
    });
  }

  tell(type, data) {
    if (this.ready) this.#socket.send(JSON.stringify({ type, data }));
  }

  async join(room) {
    if (this.#seen.has(room)) return;
    this.#seen.set(room, null);
    if (this.ready) await this.#enter(room);  // else with the others, as soon as it is connected
  }

  async leave(room) {
    this.#seen.delete(room);
    if (this.ready) await this.ask("leave", { room });
  }

  #now = () => {
    if (this.#closed || this.#socket || document.visibilityState !== "visible") return;
    clearTimeout(this.#timer);
    this.#connect();
  };

  #connect() {
    this.#tellStatus("connecting");
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = this.#socket = new WebSocket(url);
    socket.onopen = () => this.#resume();
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = () => this.#lost();
  }

  #lost() {
    this.#socket = null;
    for (const { reject, late } of this.#waiting.values()) {
      clearTimeout(late);
      reject(new Error("the connection was cut"));
    }
    this.#waiting.clear();
    if (this.#closed) return;
    this.#tellStatus("offline");
    // At random, so that not all pages come back at once when a replica ends.
    this.#timer = setTimeout(() => this.#connect(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  async #resume() {
    try {
      const known = [...this.#seen].filter(([, at]) => at);
      if (known.length) {
        const { rooms } = await this.ask("resume", { rooms: Object.fromEntries(known) });
        for (const [room, told] of Object.entries(rooms)) {
          if (told.error) this.#removed(room);
        }
      }
      await Promise.all([...this.#seen].filter(([, at]) => !at).map(([room]) => this.#enter(room)));
      this.#pause = FIRST_PAUSE;
      this.#tellStatus("online");
    } catch (error) {
      if (this.ready) this.#socket.close();
    }
  }

  async #enter(room) {
    try {
      await this.ask("join", { room });
    } catch (error) {
      if (error.code) this.#removed(room);
      else throw error;
    }
  }

  #take(message) {
    const { type, data, id, room } = message;
    if (type === "removed") this.#removed(room);
    else if (room) this.#record(room, message.offset ? message : data);
    else if (data?.room && data.epoch) this.#joined(data);
    else for (const told of Object.values(data?.rooms ?? {})) if (!told.error) this.#joined(told);
    if (room && type !== "removed") this.#dispatch(type, { room, data });
    const asked = this.#waiting.get(id);
    if (asked) {
      this.#waiting.delete(id);
      clearTimeout(asked.late);
      if (type === "error") asked.reject(Object.assign(new Error(data.error), data));
      else asked.resolve(data);
    } else if (!room && type !== "response") {
      this.#dispatch(type, { data });
    }
  }

  #joined(told) {
    this.#record(told.room, told);
    this.#dispatch("joined", { room: told.room, data: told });
  }

  #record(room, at) {
    if (at?.epoch && this.#seen.has(room)) this.#seen.set(room, { epoch: at.epoch, offset: at.offset });
  }

  #removed(room) {
    this.#seen.delete(room);
    this.#dispatch("removed", { room });
  }

  #tellStatus(status) { this.#dispatch("status", { status }); }

  #dispatch(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}
