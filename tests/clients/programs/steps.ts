/** A reader of a stream that goes on after its service was killed: writes each number that is not the next one. */

import { TortureHttp } from "./client.ts";
import { url, write } from "./lines.ts";

let last = 0;
for await (const step of new TortureHttp({ url }).steps({}, { reconnect: { first: 50, most: 200 } })) {
  if (step.number !== last + 1) write(JSON.stringify(["gap", last, step.number]));
  last = step.number;
  if (last === 100) write(JSON.stringify("reading"));
  if (last === 1000) break;
}
write(JSON.stringify("done"));
