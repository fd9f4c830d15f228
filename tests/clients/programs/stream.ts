/** A reader of a long stream whose service is killed. */

import { isError, TortureHttp } from "./client.ts";
import { url, write } from "./lines.ts";

const http = new TortureHttp({ url });
try {
  for await (const item of http.count(100_000_000)) if (item.first === 100) write(JSON.stringify("reading"));
} catch (error) {
  write(JSON.stringify(isError(error) ? error.code : String(error)));
}
