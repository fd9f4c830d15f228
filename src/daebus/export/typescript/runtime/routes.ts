/**
 * Where the parts of an input are in a request: in the path, in the query string, or in the body.
 */

import { BadRequest } from "./errors.ts";
import { stringify } from "./json.ts";

/** A route of a service. */
export interface Route {
  /** The HTTP method. */
  readonly method: string;
  /** The path, with names in braces; `{+name}` takes the rest of the path. */
  readonly path: string;
  /** The names in the query string. */
  readonly query?: readonly string[];
  /** The body: the whole input, the rest of it, its field `data`, or what the caller gives. Default: none. */
  readonly body?: "whole" | "rest" | "data";
  /** The name of the input in the path or in the query string, if it is one value. */
  readonly single?: string;
  /** Whether a stream goes on after its last event. Default: no. */
  readonly resumes?: boolean;
  /** What the answer is. Default: JSON. */
  readonly answer?: "text" | "response";
}

const NAME = /\{(\+?)(\w+)\}/g;

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(route: Route, input: unknown): Fields {
  return route.single === undefined ? ((input ?? {}) as Fields) : { [route.single]: input };
}

/** The path of a request, with its query string. */
export function addressOf(route: Route, input: unknown): string {
  const fields = fieldsOf(route, input);
  const path = route.path.replace(NAME, (_, rest: string, name: string) => segment(name, fields[name], rest === ""));
  const query = new URLSearchParams();
  for (const name of route.query ?? []) {
    const value = fields[name];
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one !== undefined && one !== null) query.append(name, String(one));
    }
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

function segment(name: string, value: unknown, isOne: boolean): string {
  if (value === undefined || value === null) {
    throw new BadRequest("bad_request", `${name} is missing: it is a part of the path`);
  }
  const text = String(value);
  const parts = isOne ? [text] : text.split("/");
  // Servers and URLs would take such values for another path.
  if (parts.some((part) => ["", ".", ".."].includes(part) || part.includes("/"))) {
    throw new BadRequest("bad_request", `${name}: ${JSON.stringify(text)} cannot be a part of a path`);
  }
  return parts.map(encodeURIComponent).join("/");
}

/** The body of a request; `undefined`: none. */
export function bodyOf(route: Route, input: unknown): BodyInit | undefined {
  if (route.body === undefined) return undefined;
  if (route.body === "whole") return stringify(input);
  const fields = fieldsOf(route, input);
  if (route.body === "data") {
    const data = fields["data"];
    return data === undefined || isRaw(data) ? data : stringify(data);
  }
  const elsewhere = new Set([...(route.query ?? []), ...Array.from(route.path.matchAll(NAME), (found) => found[2])]);
  return stringify(Object.fromEntries(Object.entries(fields).filter(([name]) => !elsewhere.has(name))));
}

function isRaw(value: unknown): value is BodyInit {
  return [FormData, URLSearchParams, Blob, ReadableStream].some((kind) => value instanceof kind);
}
