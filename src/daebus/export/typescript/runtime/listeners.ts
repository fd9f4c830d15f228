/**
 * Functions that are called with messages and other events.
 */

/** A function that ends what the call has begun. */
export type Off = () => void;

/** A function that is called with what has come, and where it is from. */
export type Listener = (data: never, origin: never) => void;

/** Functions by the events with which they are called. */
export class Listeners {
  readonly #known = new Map<string, Set<Listener>>();

  /** Adds a function. */
  on(event: string, listener: Listener): Off {
    const listeners = this.#known.get(event) ?? new Set();
    this.#known.set(event, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Calls the functions of an event. Their errors are nobody's answer, and are reported as uncaught. */
  tell(event: string, data: unknown, origin: unknown): void {
    for (const listener of [...(this.#known.get(event) ?? [])]) {
      try {
        listener(data as never, origin as never);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
