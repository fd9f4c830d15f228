// A service: its handlers, its instances, its last errors.

import { follow } from "./api.js";
import { charts } from "./charts.js";
import { h } from "./dom.js";
import { handlerPath, lettersPath, link, problem, section, serviceState, state, table, tile, tiles } from "./parts.js";
import { age, count, duration, moment, rate, share, size, span } from "./units.js";

const HANDLERS = [
  { name: "Handler", key: "title" },
  { name: "Messages/s", key: "messages", number: true },
  { name: "Errors/s", key: "errors", number: true },
  { name: "In flight", key: "in_flight", number: true },
  { name: "p50", number: true },
  { name: "p95", key: "p95", number: true },
  { name: "p99", number: true },
  { name: "Waiting", key: "queue", number: true },
  { name: "Oldest", key: "oldest", number: true },
  { name: "Total", key: "total", number: true },
];
const INSTANCES = [
  { name: "Instance" },
  { name: "State" },
  { name: "Version" },
  { name: "Host" },
  { name: "Up", number: true },
  { name: "Messages/s", number: true },
  { name: "CPU", number: true },
  { name: "Memory", number: true },
  { name: "Loop delay", number: true },
  { name: "Sockets", number: true },
];
const ERRORS = [{ name: "Time" }, { name: "Handler" }, { name: "Error" }, { name: "Request" }];

export const waiting = one => (one.waiting ?? 0) + (one.pending ?? 0) + (one.retrying ?? 0);
export const failed = one => Object.values(one.failed).reduce((sum, number) => sum + number, 0);

export function service({ redraw, status }, name) {
  let known;
  const sort = { key: "", down: true, by };
  const drawn = charts(name, redraw);

  function by(key) {
    sort.down = sort.key === key ? !sort.down : key !== "title";
    sort.key = key;
    redraw();
  }

  const stopFeed = follow("service", { service: name }, found => {
    known = found;
    redraw();
  }, status);

  function handlers() {
    const value = one => ({ p95: one.recent[1] ?? -1, queue: waiting(one), oldest: -(one.oldest ?? Infinity) })[sort.key] ?? one[sort.key];
    const rows = [...known.handlers];
    if (sort.key) rows.sort((one, other) => (value(one) < value(other) ? -1 : value(one) > value(other) ? 1 : 0) * (sort.down ? -1 : 1));
    return rows.map(one => ({
      key: one.title,
      cells: [
        handlerName(name, one.title),
        rate(one.messages),
        h("span", { class: one.errors ? "bad" : null }, rate(one.errors)),
        count(one.in_flight),
        ...one.recent.map(duration),
        one.waiting == null && one.pending == null ? "–" : count(waiting(one)),
        one.oldest == null ? "–" : h("span", { class: known.at - one.oldest > 10_000 ? "warn" : null }, age(one.oldest, known.at)),
        [count(one.total), failed(one) > 0 && h("small", { class: "bad" }, `${count(failed(one))} failed`)],
      ],
    }));
  }

  function instances() {
    return known.instances.map(one => ({
      key: one.instance,
      tone: one.state === "silent" ? "faint" : null,
      cells: [
        h("code", {}, one.instance),
        state(one.state),
        one.version ?? "–",
        one.host ? [one.host, h("small", {}, `pid ${one.pid}`)] : "–",
        one.started ? age(one.started, known.at) : "–",
        rate(one.messages),
        share(one.cpu),
        one.memory == null ? "–" : size(one.memory),
        h("span", { class: one.lag > 0.1 ? "bad" : null }, duration(one.lag)),
        one.sockets ?? "–",
      ],
    }));
  }

  function errors() {
    return known.failures.map(one => ({
      key: `${one.instance} ${one.title}`,
      cells: [
        [moment(one.at), h("small", {}, `${span((known.at - one.at) / 1000)} ago`)],
        handlerName(name, one.title),
        [h("span", { class: "pill bad" }, one.code), " ", one.message],
        h("code", {}, one.request_id || "–"),
      ],
    }));
  }

  function view() {
    if (known === undefined) return h("p", { class: "empty" }, "Reading the service…");
    if (known === null) return h("p", { class: "empty" }, `No service ${name} has run here within a week.`);
    const sum = key => known.handlers.reduce((total, one) => total + one[key], 0);
    const queued = known.handlers.reduce((total, one) => total + waiting(one), 0);
    const oldest = Math.min(...known.handlers.map(one => one.oldest ?? Infinity));
    const slowest = known.handlers.reduce((worst, one) => ((one.recent[1] ?? -1) > (worst?.recent[1] ?? -1) ? one : worst), null);
    return [
      problem(known.problem),
      tiles(
        tile("Messages/s", rate(sum("messages")), "of the last 2 s"),
        tile("Errors/s", rate(sum("errors")), "", { tone: sum("errors") ? "bad" : "" }),
        tile("p95", duration(slowest?.recent[1]), slowest?.recent[1] != null ? slowest.title : "nothing has ended"),
        tile("In flight", count(sum("in_flight")), ""),
        tile("Waiting", count(queued), oldest === Infinity ? "nothing waits" : `oldest ${age(oldest, known.at)}`, { tone: known.at - oldest > 10_000 ? "warn" : "" }),
        tile("Dead letters", count(known.dead), known.dead ? "to look at" : "none", { tone: known.dead ? "bad" : "", to: lettersPath(name) }),
      ),
      drawn.view(),
      section("Handlers", table("Handlers", HANDLERS, handlers(), { sort, empty: "It has no handlers." })),
      section("Instances", table("Instances", INSTANCES, instances(), { empty: `No instance runs, since ${age(known.seen, known.at)}.` })),
      known.failures.length > 0 && section("Last errors", table("Last errors", ERRORS, errors())),
    ];
  }

  return {
    title: name,
    crumbs: [link("/", "Services"), " / "],
    badges: () => known && [
      serviceState(known.instances.reduce((all, one) => ({ ...all, [one.state]: (all[one.state] ?? 0) + 1 }), {}), known.seen, known.at),
      known.versions.map(version => h("span", { class: "pill", key: version }, version)),
    ],
    stop() {
      stopFeed();
      drawn.stop();
    },
    view,
  };
}

function handlerName(service, title) {
  const [kind, ...name] = title.split(" ");
  return link(handlerPath(service, title), h("span", { class: `kind ${kind}` }, kind), h("span", { class: "handler" }, name.join(" ")));
}
