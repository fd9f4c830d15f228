// What several pages are made of.

import { h } from "./dom.js";
import { age, plural } from "./units.js";

export const link = (path, ...content) => h("a", { href: `#${path}` }, ...content);

export const servicePath = name => `/services/${encodeURIComponent(name)}`;
export const handlerPath = (service, title) => `${servicePath(service)}/${encodeURIComponent(title)}`;
export const lettersPath = service => `/letters/${encodeURIComponent(service)}`;

/** A number with its name; `tone`: `bad`, `warn` or `good`. */
export function tile(name, value, note, { tone, picture, to } = {}) {
  const inside = [
    h("span", { class: "name" }, name),
    h("span", { class: `value ${tone ?? ""}` }, value),
    h("span", { class: "note" }, note ?? ""),
    picture,
  ];
  const shown = to ? h("a", { href: `#${to}`, class: "tile" }, inside) : h("div", { class: "tile" }, inside);
  return h("li", { key: name, class: picture ? "wide" : null }, shown);
}

export const tiles = (...list) => h("ul", { class: "tiles" }, list);

const WORDS = { running: "good", starting: "warn", stopping: "warn", silent: "bad", down: "bad" };

export const state = (word, text = word) =>
  h("span", { class: `state ${WORDS[word] ?? ""}` }, h("i", { "aria-hidden": "true" }), text);

/** The state of a service: the worst of its instances, in words. */
export function serviceState(states, seen, now) {
  const all = Object.values(states).reduce((sum, one) => sum + one, 0);
  if (!all) return state("down", `down since ${age(seen, now)}`);
  const worst = ["silent", "stopping", "starting"].find(one => states[one]);
  if (!worst) return state("running", plural(all, "instance"));
  return state(worst, `${states[worst]} of ${all} ${worst}`);
}

/** A line without axes; `label` says it to those who do not see it. */
export function spark(values, label, { width = 96, height = 24 } = {}) {
  const most = Math.max(...values, 1e-9);
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((value, index) => [index * step, height - 2 - (value / most) * (height - 4)]);
  const line = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  return h(
    "svg",
    { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    values.length > 1 && h("polygon", { class: "area", points: `0,${height} ${line} ${width},${height}` }),
    values.length > 1 && h("polyline", { class: "line", points: line }),
  );
}

/** A table whose cells have the names of their columns for narrow screens, where each row is a card. */
export function table(caption, columns, rows, { sort, empty } = {}) {
  const heads = columns.map(({ name, key, number }) => {
    const direction = sort && key && sort.key === key ? (sort.down ? "descending" : "ascending") : null;
    const content = sort && key
      ? h("button", { type: "button", class: "sort", onclick: () => sort.by(key) }, name,
          h("span", { "aria-hidden": "true" }, direction ? (sort.down ? " ↓" : " ↑") : ""))
      : name;
    return h("th", { scope: "col", class: number ? "number" : null, "aria-sort": direction }, content);
  });
  const body = rows.map(({ key, cells, tone }) =>
    h("tr", { key, class: tone ?? null },
      cells.map((cell, index) => {
        const { name, number } = columns[index];
        const inside = index ? h("div", { class: "cell" }, cell) : cell;
        const props = { class: number ? "number" : null, "data-name": name };
        return index ? h("td", props, inside) : h("th", { ...props, scope: "row" }, inside);
      })));
  if (!rows.length) return h("p", { class: "empty" }, empty ?? "There is nothing.");
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption", { class: "unseen" }, caption), h("thead", {}, h("tr", {}, heads)), h("tbody", {}, body)));
}

export const section = (title, ...content) => h("section", { key: title }, h("h2", {}, title), ...content);

export const problem = text => text && h("p", { class: "problem", role: "alert", key: "problem" }, text);

/** JSON with colours. */
export function json(text, label) {
  return h("pre", { class: "json", tabindex: "0", role: "region", "aria-label": label }, h("code", {}, coloured(text)));
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\btrue\b|\bfalse\b|\bnull\b/g;
const MOST_COLOURED = 20_000;

function coloured(text) {
  if (text.length > MOST_COLOURED) return [text];
  const parts = [];
  let last = 0;
  for (const found of text.matchAll(TOKEN)) {
    if (found.index > last) parts.push(text.slice(last, found.index));
    const kind = found[2] ? "name" : found[1] ? "text" : /[tfn]/.test(found[0][0]) ? "word" : "digits";
    parts.push(h("span", { class: kind }, found[1] ?? found[0]));
    if (found[2]) parts.push(found[2]);
    last = found.index + found[0].length;
  }
  parts.push(text.slice(last));
  return parts;
}
