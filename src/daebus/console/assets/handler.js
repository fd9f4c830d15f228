// A handler: how it is doing, its schema, and a form to call it.

import { act, follow, lines, read } from "./api.js";
import { h } from "./dom.js";
import { field, fill, inputs, text, typeName } from "./form.js";
import { json, link, problem, section, servicePath, tile, tiles } from "./parts.js";
import { failed, waiting } from "./service.js";
import { age, count, duration, plural, rate } from "./units.js";

const MOST_SHOWN = 200;

export function handler({ about, redraw, status }, service, title) {
  const [kind, ...rest] = title.split(" ");
  const name = rest.join(" ");
  let known;
  let info = null;
  let trouble = "";
  const call = kind === "action" ? caller(service, name, about, redraw) : null;

  const stop = follow("service", { service }, found => {
    known = found?.handlers.find(one => one.title === title) ?? null;
    if (known) known.at = found.at;
    redraw();
  }, status);

  read("info", { service }).then(found => {
    info = found.handlers.find(one => `${one.kind} ${one.name}` === title) ?? { summary: "", requires: [] };
    info.schemas = found.schemas;
    call?.takes(info);
    redraw();
  }, error => {
    trouble = error.message;
    redraw();
  });

  function numbers() {
    const codes = Object.entries(known.failed);
    const [p50, p95, p99] = known.recent[0] == null ? known.lasting : known.recent;
    const since = known.recent[0] == null ? "since the start" : "of the last 2 s";
    return tiles(
      tile("Messages/s", rate(known.messages), `${count(known.total)} in all`),
      tile("Errors/s", rate(known.errors), codes.length ? codes.map(([code, number]) => `${count(number)} ${code}`).join(", ") : "none ever", { tone: failed(known) ? "bad" : "" }),
      tile("p50", duration(p50), since),
      tile("p95", duration(p95), since),
      tile("p99", duration(p99), since),
      known.pending == null
        ? tile("In flight", count(known.in_flight), "")
        : tile("Waiting", count(waiting(known)), known.oldest == null ? `${count(known.in_flight)} in flight` : `oldest ${age(known.oldest, known.at)}`),
    );
  }

  return {
    title: name,
    crumbs: [link("/", "Services"), " / ", link(servicePath(service), service), " / "],
    badges: () => [
      h("span", { key: "kind", class: `kind ${kind}` }, kind),
      info?.streams && h("span", { key: "streams", class: "pill" }, "streams"),
      info?.requires.map(one => h("span", { key: one, class: "pill" }, `requires ${one}`)),
    ],
    stop() {
      stop();
      call?.stop();
    },
    view() {
      return [
        info?.summary && h("p", { class: "lead", key: "lead" }, info.summary),
        problem(trouble),
        known === null && h("p", { class: "empty", key: "none" }, "No instance that answers has this handler."),
        known && numbers(),
        h("div", { class: "halves", key: "halves" },
          call && info && call.view(),
          info && h("div", { key: "schemas" },
            info.takes && section("Takes", schema(info.takes, info.schemas)),
            info.gives && section(info.streams ? "Gives, one after another" : "Gives", schema(info.gives, info.schemas)))),
      ];
    },
  };
}

function caller(service, action, about, redraw) {
  let form = null;
  let hasPayload = true;
  let raw = "";
  let mode = "form";
  let timeout = "15";
  let trouble = "";
  let running = null;
  let result = null;

  const changed = () => {
    trouble = "";
    redraw();
  };

  function to(next) {
    trouble = "";
    try {
      if (next === "json" && mode === "form") raw = JSON.stringify(JSON.parse(text(form)), null, 2);
      if (next === "form" && mode === "json" && raw.trim()) fill(form, JSON.parse(raw));
    } catch (error) {
      if (next === "form") {
        trouble = `It is not JSON: ${error.message}`;
        redraw();
        return;
      }
      raw ||= "{}";
    }
    mode = next;
    redraw();
  }

  async function send(event) {
    event.preventDefault();
    if (running) return;
    let body;
    try {
      body = hasPayload ? (mode === "form" ? text(form) : raw.trim() || "null") : "null";
      JSON.parse(body);
    } catch (error) {
      trouble = mode === "form" ? error.message : `It is not JSON: ${error.message}`;
      redraw();
      return;
    }
    trouble = "";
    running = new AbortController();
    result = { items: [], number: 0, begun: performance.now(), end: null, error: null };
    redraw();
    try {
      const seconds = Number(timeout) > 0 ? Number(timeout) : null;
      const asked = `{"service":${JSON.stringify(service)},"action":${JSON.stringify(action)},"payload":${body},"timeout":${seconds}}`;
      for await (const line of lines(await act("call", asked, running.signal))) take(line);
    } catch (error) {
      if (error.name === "AbortError") result.end = "cancelled";
      else result.error = { code: "console", message: error.message };
    }
    running = null;
    redraw();
  }

  function take(line) {
    result.seconds = line.seconds;
    if (line.error) result.error = line.error;
    else if ("end" in line) result.end = "done";
    else {
      result.number += 1;
      result.items.push(line);
      if (result.items.length > MOST_SHOWN) result.items.shift();
    }
    redraw();
  }

  function answer() {
    if (!result) return h("p", { class: "empty", key: "none" }, "The answer is shown here.");
    const { items, number, end, error, seconds } = result;
    const word = error ? "failed" : end ?? "waiting";
    const first = number - items.length;
    return [
      h("p", { class: "outcome", role: "status", key: "outcome" },
        h("span", { class: `state ${error ? "bad" : end === "done" ? "good" : "warn"}` }, h("i", { "aria-hidden": "true" }), word),
        number > 1 && h("span", {}, plural(number, "item")),
        seconds != null && h("span", { class: "soft" }, duration(seconds))),
      error && h("div", { class: "problem", key: "error" }, h("strong", {}, error.code), ` ${error.message}`,
        error.details && Object.keys(error.details).length > 0 && json(JSON.stringify(error.details, null, 2), "Details of the error")),
      h("ol", { class: "items", key: "items", start: first + 1 }, items.map((one, index) =>
        h("li", { key: first + index }, number > 1 && h("small", { class: "soft" }, `${first + index + 1} · ${duration(one.seconds)}`), json(one.item, `Answer ${first + index + 1}`)))),
    ];
  }

  return {
    takes(info) {
      hasPayload = Boolean(info.takes);
      form = hasPayload ? field(info.takes, info.schemas) : null;
    },
    stop: () => running?.abort(),
    view() {
      const tab = (id, word) => h("button", { key: id, type: "button", "aria-pressed": String(mode === id), onclick: () => to(id) }, word);
      return h("div", { key: "call" },
        section("Call",
          h("form", { class: "call", onsubmit: send },
            hasPayload && h("div", { class: "switch", role: "group", "aria-label": "How the payload is written" }, tab("form", "Form"), tab("json", "JSON")),
            hasPayload && (mode === "form"
              ? h("div", { key: "form" }, inputs(form, changed))
              : h("div", { key: "json" }, h("label", { for: "raw" }, "Payload"), h("textarea", { id: "raw", class: "code tall", spellcheck: "false", value: raw, oninput: event => { raw = event.target.value; changed(); } }))),
            !hasPayload && h("p", { class: "soft" }, "It takes no payload."),
            h("div", { class: "row", key: "row" },
              h("label", { for: "timeout" }, "Timeout, s"),
              h("input", { id: "timeout", class: "short", inputmode: "decimal", value: timeout, oninput: event => { timeout = event.target.value; } }),
              h("button", { class: "primary", disabled: about.read_only || Boolean(running) }, running ? "Calling…" : "Call"),
              running && h("button", { type: "button", onclick: () => running?.abort() }, "Cancel")),
            about.read_only && h("p", { class: "soft", key: "read-only" }, "The console is read-only: it calls nothing."),
            problem(trouble))),
        section("Answer", answer()));
    },
  };
}

function schema(one, schemas, depth = 0) {
  const found = one.$ref ? schemas[one.$ref.split("/").pop()] ?? {} : one;
  const about = found.description && h("p", { class: "soft" }, found.description);
  if (!found.properties) return h("div", { class: "schema" }, about, h("code", {}, typeName(one, schemas)), choicesOf(found, schemas, depth));
  return h("div", { class: "schema" }, about, h("dl", {}, Object.entries(found.properties).map(([name, part]) => {
    const inner = part.$ref ?? part.items?.$ref;
    const of = inner && schemas[inner.split("/").pop()];
    return h("div", { key: name },
      h("dt", {}, h("code", {}, name), found.required?.includes(name) && h("span", { class: "pill" }, "required")),
      h("dd", {}, h("span", { class: "type" }, typeName(part, schemas)),
        part.default !== undefined && h("small", { class: "soft" }, ` default ${JSON.stringify(part.default)}`),
        part.description && h("small", { class: "soft" }, ` ${part.description}`),
        depth < 3 && (of?.properties ? h("details", {}, h("summary", {}, "Fields"), schema({ $ref: inner }, schemas, depth + 1)) : choicesOf(part, schemas, depth))));
  })));
}

function choicesOf(one, schemas, depth) {
  const options = (one.anyOf ?? one.oneOf ?? []).filter(option => option.$ref && schemas[option.$ref.split("/").pop()]?.properties);
  return depth < 3 && options.map(option => h("details", { key: option.$ref }, h("summary", {}, typeName(option, schemas)), schema(option, schemas, depth + 1)));
}
