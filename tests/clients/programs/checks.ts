/** What the cases need: comparisons that fail with a text, and what waits for something. */

import { stringify } from "./daebus/json.ts";

/** Fails if two values differ. */
export function equal(given: unknown, wanted: unknown, what = ""): void {
  if (stringify(given) !== stringify(wanted)) throw new Error(`${what} ${stringify(given)} is not ${stringify(wanted)}`);
}

/** The error with which something fails. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** Waits until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 3000) throw new Error(`in vain: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
