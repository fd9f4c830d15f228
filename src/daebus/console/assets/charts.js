// Charts of the last hours of a service, with marks where its version has changed; and the same numbers as a table.

import { read } from "./api.js";
import { h } from "./dom.js";
import { section } from "./parts.js";
import { clock, count, duration, rate, span } from "./units.js";

const RANGES = [[15, "15 m"], [60, "1 h"], [360, "6 h"]];
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [520, 150, 46, 18, 8];
const EVERY_MS = 10_000;
const MOST_ROWS = 60;
const LEAST_MS = 300_000;

const CHARTS = [
  { title: "Messages a second", lines: [["messages", "messages"], ["errors", "errors"]], unit: rate, least: 1 },
  { title: "Duration", lines: [["p50", "p50"], ["p95", "p95"], ["p99", "p99"]], unit: duration, least: 1e-3 },
  { title: "Waiting", lines: [["queued", "waiting"]], unit: rate, least: 2 },
  { title: "Age of the oldest that waits", lines: [["age", "age"]], unit: duration, least: 1 },
];

export function charts(service, redraw) {
  let samples = null;
  let minutes = 60;
  let timer = 0;
  let isStopped = false;

  async function load() {
    clearTimeout(timer);
    try {
      samples = await read("history", { service, minutes });
    } catch { /* the page says that the console is not reached */ }
    if (isStopped) return;
    redraw();
    timer = setTimeout(load, EVERY_MS);
  }

  load();
  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
    view() {
      const choose = value => () => {
        minutes = value;
        load();
        redraw();
      };
      const ranges = h("div", { class: "switch", role: "group", "aria-label": "Range of the charts" }, RANGES.map(([value, word]) =>
        h("button", { key: value, type: "button", "aria-pressed": String(minutes === value), onclick: choose(value) }, word)));
      if (!samples?.length)
        return section("History", ranges, h("p", { class: "empty" }, samples ? "There are no samples yet: one is taken each 10 s while a console runs." : "Reading…"));
      return section("History", ranges,
        h("div", { class: "charts" }, CHARTS.map(one => chart(one, samples, minutes))),
        h("details", {}, h("summary", {}, "The same as a table"), asTable(samples)));
    },
  };
}

function nice(most) {
  const power = 10 ** Math.floor(Math.log10(most || 1));
  return [1, 2, 2.5, 5, 10].map(one => one * power).find(one => one >= most) ?? power * 10;
}

function chart({ title, lines, unit, least }, samples, minutes) {
  const end = samples.at(-1).at;
  const begin = Math.max(end - minutes * 60_000, Math.min(samples[0].at, end - LEAST_MS));
  const shown = samples.filter(one => one.at >= begin);
  const values = shown.flatMap(one => lines.map(([name]) => one[name] ?? 0));
  const top = nice(Math.max(...values, least));
  const x = at => LEFT + ((at - begin) / (end - begin)) * (WIDTH - LEFT - 6);
  const y = value => HEIGHT - BOTTOM - (Math.min(value, top) / top) * (HEIGHT - BOTTOM - TOP);
  const last = shown.at(-1) ?? {};
  const said = `${title}, last ${span((end - begin) / 1000)}: ${lines.map(([name, word]) => `${word} now ${unit(last[name])}, at most ${unit(Math.max(...shown.map(one => one[name] ?? 0)))}`).join("; ")}`;
  return h("figure", { key: title },
    h("figcaption", {}, h("span", {}, title), lines.length > 1 && h("span", { class: "legend" }, lines.map(([name, word], index) =>
      h("span", { key: name }, h("i", { class: `key c${index}`, "aria-hidden": "true" }), word))), h("b", {}, unit(last[lines.at(lines.length > 2 ? 1 : 0)[0]]))),
    h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said, class: "chart" },
      [0, 0.5, 1].map(part => h("g", { key: part },
        h("line", { class: "rule", x1: LEFT, x2: WIDTH - 6, y1: y(part * top), y2: y(part * top) }),
        h("text", { x: LEFT - 6, y: y(part * top) + 3.5, "text-anchor": "end" }, part ? unit(part * top) : "0"))),
      [0, 1 / 3, 2 / 3, 1].map(part => {
        const at = begin + part * (end - begin);
        return h("text", { key: `t${part}`, x: x(at), y: HEIGHT - 3, "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle" }, clock(at).slice(0, 5));
      }),
      marks(shown).map(([at, words]) => h("g", { key: at, class: "mark" },
        h("line", { x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM }),
        h("text", { x: x(at) + (x(at) > WIDTH - 90 ? -4 : 4), y: TOP + 9, "text-anchor": x(at) > WIDTH - 90 ? "end" : "start" }, words))),
      lines.map(([name], index) => h("path", { key: name, class: `line c${index}`, d: drawn(shown, name, x, y) }))));
}

/** The path of a line; where nothing was measured for longer, it is interrupted. */
function drawn(samples, name, x, y) {
  let before = null;
  let path = "";
  for (const one of samples) {
    if (one[name] == null) {
      before = null;
      continue;
    }
    const starts = before === null || one.at - before > 35_000;
    path += `${starts ? "M" : "L"}${x(one.at).toFixed(1)} ${y(one[name]).toFixed(1)}`;
    if (starts) path += "h0.01";
    before = one.at;
  }
  return path;
}

function marks(samples) {
  const found = [];
  let before = null;
  for (const one of samples) {
    const words = one.versions.join(", ");
    if (before !== null && words && words !== before) found.push([one.at, words]);
    if (words) before = words;
  }
  return found;
}

function asTable(samples) {
  const step = Math.max(1, Math.ceil(samples.length / MOST_ROWS));
  const rows = samples.filter((_, index) => (samples.length - 1 - index) % step === 0).reverse();
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "History as a table" },
    h("table", {},
      h("thead", {}, h("tr", {}, ["Time", "Messages/s", "Errors/s", "p50", "p95", "p99", "Waiting", "Oldest", "Versions"].map(name => h("th", { key: name, scope: "col" }, name)))),
      h("tbody", {}, rows.map(one => h("tr", { key: one.at },
        h("th", { scope: "row" }, clock(one.at)),
        [rate(one.messages), rate(one.errors), duration(one.p50), duration(one.p95), duration(one.p99), count(one.queued), duration(one.age), one.versions.join(", ")].map((cell, index) =>
          h("td", { key: index }, cell)))))));
}
