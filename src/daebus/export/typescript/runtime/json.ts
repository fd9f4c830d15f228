/**
 * JSON without loss: integers that a `number` cannot hold are `bigint`, in both directions.
 */

const LONG = /\d{16}/;
const INTEGER = /^-?\d+$/;

/** Reads JSON. An integer beyond ±(2^53 - 1) becomes a `bigint`. Throws a `SyntaxError`. */
export function parse(text: string): unknown {
  return LONG.test(text) ? JSON.parse(text, exactly as Reviver) : JSON.parse(text);
}

type Reviver = (key: string, value: unknown) => unknown;

function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || context?.source === undefined) return value;
  return INTEGER.test(context.source) ? BigInt(context.source) : value;
}

/** Writes JSON. A `bigint` becomes an integer; fields that are `undefined` are left out, as by `JSON.stringify`. */
export function stringify(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return value.toString();
    case "number":
      return Object.is(value, -0) ? "-0.0" : JSON.stringify(value);
    case "object":
      if (value !== null) return ofObject(value);
  }
  return JSON.stringify(value) ?? "null";
}

function ofObject(value: object): string {
  if (Array.isArray(value)) return `[${value.map(stringify).join(",")}]`;
  if ("toJSON" in value && typeof value.toJSON === "function") return stringify(value.toJSON());
  const fields: string[] = [];
  for (const [name, one] of Object.entries(value)) {
    if (one !== undefined && typeof one !== "function") fields.push(`${JSON.stringify(name)}:${stringify(one)}`);
  }
  return `{${fields.join(",")}}`;
}
