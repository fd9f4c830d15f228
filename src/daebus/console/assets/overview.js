// The first page: all services.

import { follow } from "./api.js";
import { h } from "./dom.js";
import { lettersPath, link, problem, servicePath, serviceState, spark, table, tile, tiles } from "./parts.js";
import { age, count, duration, plural, rate } from "./units.js";

const KEPT = 90;
const COLUMNS = [
  { name: "Service", key: "service" },
  { name: "State" },
  { name: "Messages/s", key: "messages", number: true },
  { name: "Last minute" },
  { name: "Errors/s", key: "errors", number: true },
  { name: "p95", key: "p95", number: true },
  { name: "Waiting", key: "queued", number: true },
  { name: "Oldest", key: "oldest", number: true },
  { name: "Dead", key: "dead", number: true },
];

export function overview({ redraw, status }) {
  let fleet = null;
  let words = "";
  const past = new Map();
  const sort = { key: "service", down: false, by };

  function by(key) {
    sort.down = sort.key === key ? !sort.down : key !== "service";
    sort.key = key;
    redraw();
  }

  const stop = follow("fleet", {}, state => {
    fleet = state;
    for (const one of state.services) {
      const kept = past.get(one.service) ?? [];
      kept.push(one.messages);
      past.set(one.service, kept.slice(-KEPT));
    }
    redraw();
  }, status);

  function row(one) {
    return {
      key: one.service,
      cells: [
        [link(servicePath(one.service), one.service), one.versions.length > 0 && h("small", {}, one.versions.join(", "))],
        serviceState(one.states, one.seen, fleet.at),
        rate(one.messages),
        spark(past.get(one.service) ?? [], `${rate(one.messages)} messages a second`),
        h("span", { class: one.errors ? "bad" : null }, rate(one.errors)),
        duration(one.p95),
        count(one.queued),
        one.oldest == null ? "–" : h("span", { class: fleet.at - one.oldest > 10_000 ? "warn" : null }, age(one.oldest, fleet.at)),
        one.dead ? link(lettersPath(one.service), h("span", { class: "pill bad" }, count(one.dead))) : "0",
      ],
    };
  }

  function order(one, other) {
    const [a, b] = [one[sort.key] ?? -1, other[sort.key] ?? -1];
    const sign = a < b ? -1 : a > b ? 1 : one.service < other.service ? -1 : 1;
    return sort.down ? -sign : sign;
  }

  function summary(services) {
    const sum = name => services.reduce((total, one) => total + one[name], 0);
    const instances = services.flatMap(one => Object.entries(one.states));
    const all = instances.reduce((total, [, number]) => total + number, 0);
    const silent = instances.reduce((total, [word, number]) => total + (word === "silent" ? number : 0), 0);
    const down = services.filter(one => !Object.keys(one.states).length);
    const oldest = Math.min(...services.map(one => one.oldest ?? Infinity));
    const [errors, messages] = [sum("errors"), sum("messages")];
    const ever = [...past.values()];
    const length = Math.max(0, ...ever.map(one => one.length));
    const totals = Array.from({ length }, (_, index) =>
      ever.reduce((total, one) => total + (one[one.length - length + index] ?? 0), 0));
    return tiles(
      tile("Services", count(services.length - down.length), down.length ? `${down.length} down` : "all up", { tone: down.length ? "bad" : "" }),
      tile("Instances", count(all), silent ? `${silent} silent` : "all answer", { tone: silent ? "bad" : "" }),
      tile("Messages/s", rate(messages), "of the last 2 s", { picture: spark(totals, `${rate(messages)} messages a second`, { width: 150, height: 44 }) }),
      tile("Errors/s", rate(errors), messages ? `${((errors / messages) * 100).toFixed(1)} % fail` : "", { tone: errors ? "bad" : "" }),
      tile("Waiting", count(sum("queued")), oldest === Infinity ? "nothing waits" : `oldest ${age(oldest, fleet.at)}`, { tone: fleet.at - oldest > 10_000 ? "warn" : "" }),
      tile("Dead letters", count(sum("dead")), sum("dead") ? "to look at" : "none", { tone: sum("dead") ? "bad" : "", to: "/letters" }),
    );
  }

  return {
    title: "Services",
    stop,
    view() {
      if (!fleet) return h("p", { class: "empty" }, "Reading the fleet…");
      const shown = fleet.services.filter(one => one.service.includes(words)).sort(order);
      return [
        problem(fleet.problem),
        summary(fleet.services),
        h("div", { class: "tools" },
          h("label", { class: "unseen", for: "words" }, "Filter services"),
          h("input", { id: "words", type: "search", placeholder: "Filter services", value: words, oninput: event => { words = event.target.value.trim(); redraw(); } }),
          h("span", { class: "soft", role: "status" }, plural(shown.length, "service"))),
        table("Services", COLUMNS, shown.map(row), {
          sort,
          empty: fleet.services.length ? "No service has this name." : "No service has run here within a week. Start one with: daebus run module:app",
        }),
      ];
    },
  };
}
