/** Runs all cases in a thread of node. */

import { url } from "./lines.ts";

interface Threads {
  readonly Worker: new (file: URL, options: { readonly argv: readonly string[] }) => unknown;
}

const { Worker } = (await import("node:worker_threads" as string)) as Threads;
new Worker(new URL("./run.ts", import.meta.url), { argv: [url] });
