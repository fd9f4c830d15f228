/**
 * The types of values that are text in JSON, and conversions from and to the types of JavaScript.
 *
 * The types are texts of a certain form, so that a date is not taken where a UUID is wanted. A literal such as
 * `"2026-01-31"` has the right type as it is.
 */

/** An integer of 64 bits: a `number` where that is exact, else a `bigint`. `BigInt(value)` makes it one type. */
export type Int64 = number | bigint;

/** A day, such as `2026-01-31`. */
export type DateText = `${number}-${number}-${number}`;

/** A time of day without a zone, such as `08:30:00`. */
export type LocalTime = `${number}:${number}:${number}`;

/** A time of day with a zone, such as `08:30:00+02:00`. */
export type ZonedTime = `${LocalTime}Z` | `${LocalTime}${"+" | "-"}${number}:${number}`;

/** A time of day, with a zone or without. */
export type Time = LocalTime | ZonedTime;

/** A point in time without a zone, such as `2026-01-31T08:30:00`. */
export type LocalDateTime = `${DateText}T${LocalTime}`;

/** A point in time with a zone (RFC 3339), such as `2026-01-31T08:30:00Z`. */
export type ZonedDateTime = `${DateText}T${ZonedTime}`;

/** A point in time, with a zone or without. */
export type DateTime = LocalDateTime | ZonedDateTime;

/** A duration (ISO 8601), such as `P1DT2.5S`. */
export type Duration = `P${string}` | `-P${string}`;

/** A decimal number with all its digits, such as `9.50`. */
export type Decimal = `${number}` | "NaN" | "Infinity" | "-Infinity";

/** A UUID. `crypto.randomUUID()` makes one. */
export type UUID = `${string}-${string}-${string}-${string}-${string}`;

/** Bytes in base64. */
export type Base64 = string;

/** The text of a point in time, in UTC. The other way is `new Date(text)`, which has no microseconds. */
export function toDateTime(date: Date): ZonedDateTime {
  return date.toISOString() as ZonedDateTime;
}

/** The text of a UTC day. */
export function toDate(date: Date): DateText {
  return date.toISOString().slice(0, 10) as DateText;
}

/** The text of a duration in milliseconds. */
export function toDuration(milliseconds: number): Duration {
  const seconds = Math.abs(milliseconds) / 1000;
  return `${milliseconds < 0 ? "-" : ""}PT${seconds.toFixed(6).replace(/\.?0+$/, "")}S` as Duration;
}

/** The milliseconds of a duration of days, hours, minutes and seconds. Throws a `RangeError` for other texts. */
export function fromDuration(text: Duration): number {
  const found = /^(-?)P(?:([\d.]+)W)?(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/.exec(text);
  if (found === null) throw new RangeError(`not a duration of days, hours, minutes and seconds: ${text}`);
  const [weeks, days, hours, minutes, seconds] = found.slice(2).map((part) => Number(part ?? 0)) as Numbers5;
  const total = (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds;
  return Math.round((found[1] === "-" ? -total : total) * 1e6) / 1000;
}

type Numbers5 = [number, number, number, number, number];

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): Base64 {
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

/** The bytes of base64. */
export function fromBase64(text: Base64): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
