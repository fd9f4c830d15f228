/** A member of a room whose service is killed: writes all that it learns. */

import { isError, TortureSocket } from "./client.ts";
import { lines, url, write } from "./lines.ts";

const tell = (...what: unknown[]): void => write(JSON.stringify(what));
const socket = new TortureSocket({ url, reconnect: { first: 50, most: 200 } });
socket.onState((state) => tell("state", state));
const room = socket.boardRoom({ shop: "main", number: 1 });
room.on("notice", (notice) => tell("notice", notice.text, notice.number));
room.onRecovered((recovered) => tell("recovered", recovered));
room.onRemoved((reason) => tell("removed", reason?.code ?? null));
await room.join();
tell("joined");
for await (const line of lines()) {
  if (line === "ask") {
    socket.slow(30).then(
      () => tell("answered"),
      (error: unknown) => tell("failed", isError(error, "unavailable")),
    );
    setTimeout(() => tell("asked"), 0); // the message has been sent by then
  } else if (line === "call") {
    await socket.nothing();
    tell("called");
  }
}
socket.close();
