/** Sends each value that it reads to the service, and writes what comes back: by turns over HTTP and WebSocket. */

import { type EverythingInput, TortureHttp, TortureSocket } from "./client.ts";
import { parse, stringify } from "./daebus/json.ts";
import { lines, url, write } from "./lines.ts";

const http = new TortureHttp({ url });
const socket = new TortureSocket({ url });
let turn = 0;
for await (const line of lines()) {
  const value = parse(line) as EverythingInput;
  write(stringify(turn++ % 2 === 0 ? await http.echo(value) : await socket.echo(value)));
}
socket.close();
