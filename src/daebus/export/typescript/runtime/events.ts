/**
 * Server-sent events.
 */

/** One event. */
export interface ServerSentEvent {
  /** Its name; `message` if it has none. */
  readonly name: string;
  /** Its data. */
  readonly data: string;
  /** Its id, if it has one. */
  readonly id: string | undefined;
}

/**
 * The events of a body.
 *
 * @param body - The body.
 * @param heard - Called when anything has come, also a comment.
 * @param signal - Ends the reading.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
  signal: AbortSignal,
): AsyncGenerator<ServerSentEvent, void, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const lines = new Lines();
  const parser = new Parser();
  heard();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      heard();
      for (const line of lines.of(decoder.decode(value, { stream: true }))) {
        const event = parser.take(line);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it is cancelled already where the signal was aborted
  }
}

/** Splits text into lines, which end with CR, LF or both. */
class Lines {
  #rest = "";

  *of(text: string): Generator<string, void, void> {
    const all = this.#rest + text;
    let start = 0;
    for (const found of all.matchAll(/\r\n|\n|\r(?=[^])/g)) {
      yield all.slice(start, found.index); // a CR at the end may be half of CR LF: it waits
      start = found.index + found[0].length;
    }
    this.#rest = all.slice(start);
  }
}

/** Makes events of lines. */
class Parser {
  #name = "";
  #data: string[] = [];
  #id: string | undefined;

  take(line: string): ServerSentEvent | undefined {
    if (line === "") return this.#event();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  #event(): ServerSentEvent | undefined {
    const data = this.#data;
    const event = { name: this.#name || "message", data: data.join("\n"), id: this.#id };
    this.#name = "";
    this.#data = [];
    this.#id = undefined;
    return data.length === 0 ? undefined : event;
  }
}
