/** Runs all cases in node, and writes what has failed. */

import { cases } from "./cases.ts";
import { url, write } from "./lines.ts";

declare const process: { on(event: "uncaughtException", listener: (error: Error) => void): void };

process.on("uncaughtException", (error) => {
  if (!error.message.startsWith("expected: ")) write(JSON.stringify(["uncaught", String(error.stack)]));
});
for (const [name, run] of Object.entries(cases)) {
  try {
    await run(url);
    write(JSON.stringify([name, ""]));
  } catch (error) {
    write(JSON.stringify([name, String((error as Error).stack ?? error)]));
  }
}
write(JSON.stringify(null));
