// Numbers as people read them. Durations come in seconds, times in ms.

const SPANS = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];

export function span(seconds) {
  let rest = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [unit, name] of SPANS) {
    if (rest >= unit || (unit === 1 && !parts.length)) {
      parts.push(`${Math.floor(rest / unit)} ${name}`);
      rest %= unit;
    }
  }
  return parts.slice(0, 2).join(" ");
}

export const age = (at, now) => span((now - at) / 1000);

export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds >= 1e8) return "> 2 m";
  if (seconds >= 100) return span(seconds);
  const [factor, name] = seconds >= 1 ? [1, "s"] : seconds >= 1e-3 ? [1e-3, "ms"] : [1e-6, "µs"];
  const value = seconds / factor;
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} ${name}`;
}

export function rate(value) {
  if (!value) return "0";
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10000 ? 0 : 1)}k`;
  return value >= 10 ? value.toFixed(0) : value.toFixed(1);
}

export const count = value => (value == null ? "–" : value.toLocaleString("en").replaceAll(",", " "));

export const size = bytes => (bytes >= 1048576 ? `${(bytes / 1048576).toFixed(0)} MiB` : `${(bytes / 1024).toFixed(1)} KiB`);

export const share = value => `${(value * 100).toFixed(0)} %`;

const pad = (number, digits = 2) => String(number).padStart(digits, "0");

export function clock(ms) {
  const time = new Date(ms);
  return `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
}

export function moment(ms) {
  const time = new Date(ms);
  return `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())} ${clock(ms)}`;
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}
