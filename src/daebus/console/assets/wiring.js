// The wiring of the app with which the console was started: handlers, the providers that they get, and what those need.

import { read } from "./api.js";
import { h } from "./dom.js";
import { problem, section, table } from "./parts.js";

const [NODE_WIDTH, NODE_HEIGHT, GAP, COLUMN] = [216, 26, 8, 286];
const HANDLERS = [{ name: "Handler" }, { name: "Takes" }, { name: "Gets" }, { name: "Place" }];
const PROVIDERS = [{ name: "Provider" }, { name: "Kind" }, { name: "Gives" }, { name: "Needs" }];

export function wiring({ redraw }) {
  let found = null;
  let graph = null;
  let chosen = "";
  let trouble = "";
  read("wiring").then(answer => {
    found = answer;
    graph = answer && laid(answer);
    if (!answer) trouble = "The console was started without an app: daebus console module:app";
    redraw();
  }, error => {
    trouble = error.message;
    redraw();
  });

  const choose = id => {
    chosen = chosen === id ? "" : id;
    redraw();
  };

  function handlers() {
    return found.handlers.map(one => ({
      key: one.title,
      cells: [one.title, h("code", {}, one.takes.join(", ") || "–"),
        one.services.length ? one.services.map(each => h("div", { key: each.name }, h("code", {}, `${each.name}: ${each.type}`))) : "–", h("code", {}, one.where)],
    }));
  }

  function providers() {
    return found.providers.map(one => ({
      key: one.name,
      cells: [one.name, [one.kind, one.built_in && h("small", {}, "of daebus")], one.gives ?? "–", one.needs.join(", ") || "–"],
    }));
  }

  return {
    title: "Wiring",
    badges: () => found && h("span", { class: "pill" }, found.service),
    view() {
      if (!found) return [problem(trouble), !trouble && h("p", { class: "empty" }, "Reading the wiring…")];
      return [
        h("p", { class: "lead" }, `The handlers of ${found.service}, and what they get from ${found.container}. Choose one to see only what belongs to it.`),
        section("Graph", picture(graph, chosen, choose)),
        section("Handlers", table("Handlers", HANDLERS, handlers())),
        section("Providers", table("Providers", PROVIDERS, providers(), { empty: "No handler gets anything." })),
        found.components.length > 0 && section("Components", h("ul", {}, found.components.map(one => h("li", { key: one.where }, one.name, " ", h("code", {}, one.where))))),
      ];
    },
  };
}

/** Nodes with places: handlers in the first column, then each provider behind all that need it. */
function laid({ handlers, providers }) {
  const nodes = new Map();
  for (const one of handlers) nodes.set(`h ${one.title}`, { id: `h ${one.title}`, name: one.title, kind: "handler", depth: 0, needs: [...new Set(one.services.map(each => each.provider).filter(Boolean).map(name => `p ${name}`))] });
  for (const one of providers) nodes.set(`p ${one.name}`, { id: `p ${one.name}`, name: one.name, kind: one.built_in ? "own" : one.kind, depth: 1, needs: one.needs.map(name => `p ${name}`) });
  const edges = [...nodes.values()].flatMap(one => one.needs.filter(id => nodes.has(id)).map(id => [one.id, id]));
  for (let round = 0; round < nodes.size; round += 1) {
    let isChanged = false;
    for (const [from, to] of edges) {
      const depth = nodes.get(from).depth + 1;
      if (nodes.get(to).depth < depth && depth <= nodes.size) {
        nodes.get(to).depth = depth;
        isChanged = true;
      }
    }
    if (!isChanged) break;
  }
  const columns = [];
  for (const one of nodes.values()) (columns[one.depth] ??= []).push(one);
  const height = Math.max(...columns.map(column => column.length)) * (NODE_HEIGHT + GAP);
  columns.forEach((column, index) => {
    if (index) for (const one of column) {
      const users = edges.filter(([, to]) => to === one.id).map(([from]) => nodes.get(from).y ?? 0);
      one.wanted = users.length ? users.reduce((sum, y) => sum + y, 0) / users.length : 0;
    }
    if (index) column.sort((one, other) => one.wanted - other.wanted);
    const space = Math.max(NODE_HEIGHT + GAP, Math.min(2.2 * (NODE_HEIGHT + GAP), height / column.length));
    const top = (height - space * column.length) / 2;
    column.forEach((one, row) => {
      one.x = index * COLUMN;
      one.y = top + row * space + (space - NODE_HEIGHT) / 2;
    });
  });
  return { nodes, edges, width: (columns.length - 1) * COLUMN + NODE_WIDTH, height };
}

/** What a node reaches, and what reaches it. */
function related(edges, id) {
  const found = new Set([id]);
  for (const [from, to] of [[0, 1], [1, 0]]) {
    const todo = [id];
    while (todo.length) {
      const one = todo.pop();
      for (const edge of edges) if (edge[from] === one && !found.has(edge[to])) {
        found.add(edge[to]);
        todo.push(edge[to]);
      }
    }
  }
  return found;
}

const cut = name => (name.length > 27 ? `${name.slice(0, 26)}…` : name);

function picture({ nodes, edges, width, height }, chosen, choose) {
  const shown = chosen ? related(edges, chosen) : null;
  const faint = ids => (shown && !ids.every(id => shown.has(id)) ? "faint" : "");
  return h("div", { class: "scroll graph", tabindex: "0", role: "region", "aria-label": "Graph of the wiring" },
    h("svg", { viewBox: `-8 -8 ${width + 16} ${height + 16}`, width: width + 16, height: height + 16, role: "group", "aria-label": "Handlers and providers" },
      edges.map(([from, to]) => {
        const [one, other] = [nodes.get(from), nodes.get(to)];
        const [x1, y1, x2, y2] = [one.x + NODE_WIDTH, one.y + NODE_HEIGHT / 2, other.x, other.y + NODE_HEIGHT / 2];
        const bend = (x2 - x1) / 2;
        return h("path", { key: `${from} ${to}`, class: `edge ${faint([from, to])}`, d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` });
      }),
      [...nodes.values()].map(one => h("g", {
        key: one.id, class: `node ${one.kind} ${faint([one.id])}`, transform: `translate(${one.x} ${one.y})`, tabindex: "0", role: "button",
        "aria-pressed": String(chosen === one.id), "aria-label": one.name,
        onclick: () => choose(one.id),
        onkeydown: event => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          choose(one.id);
        },
      },
        h("title", {}, `${one.name} (${one.kind === "own" ? "of daebus" : one.kind})`),
        h("rect", { width: NODE_WIDTH, height: NODE_HEIGHT, rx: 6 }),
        h("text", { x: 10, y: 17 }, cut(one.name))))));
}
