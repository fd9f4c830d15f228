/** A reader of a stream over a WebSocket whose service is killed, and which then opens another one. */

import { isError, TortureSocket } from "./client.ts";
import { lines, url, write } from "./lines.ts";

const socket = new TortureSocket({ url, reconnect: { first: 50, most: 200 } });
try {
  for await (const item of socket.count(1_000_000_000)) if (item.first === 100) write(JSON.stringify("reading"));
} catch (error) {
  write(JSON.stringify(isError(error) ? error.code : String(error)));
}
for await (const line of lines()) {
  const items: number[] = [];
  for await (const item of socket.count(Number(line), { timeout: 60_000 })) items.push(item.first);
  write(JSON.stringify(items));
}
socket.close();
