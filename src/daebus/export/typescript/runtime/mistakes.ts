/**
 * Mistakes in the use of the client, which are found before anything is sent.
 */

/** A `TypeError` that is not one of `fetch`: the service was not asked, and trying again does not help. */
export class Mistake extends TypeError {}

/** The address of a service without a slash at its end. A path is one of the server that the page is from. */
export function baseOf(given: unknown, protocols: readonly string[]): string {
  const text = String(given ?? "");
  const page = text.startsWith("/") ? globalThis.location?.origin : undefined;
  const url = URL.canParse(text, page) ? new URL(text, page) : undefined;
  if (url === undefined || !protocols.includes(url.protocol)) {
    const found = given === undefined || given === null ? "is missing" : `${JSON.stringify(text)} is not one of a service`;
    throw new Mistake(`url: the address ${found}; give one such as "https://shop.example.com"`);
  }
  return (page === undefined ? text : url.href).replace(/\/+$/, "");
}

/** Makes or changes headers. Its error names the option, and not the value as that of `Headers` does: it may be secret. */
export function headersWith<T>(option: string, make: () => T): T {
  try {
    return make();
  } catch {
    throw new Mistake(`${option}: a header cannot have this name or value, for example because of a line break`);
  }
}
