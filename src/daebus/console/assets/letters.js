// Dead letters: found, shown, replayed as they are or corrected, and dropped.

import { act, follow, read } from "./api.js";
import { h } from "./dom.js";
import { json, lettersPath, link, problem, section, servicePath, table } from "./parts.js";
import { age, count, moment, plural } from "./units.js";

const SERVICES = [{ name: "Service" }, { name: "Dead letters", number: true }];
const EVERY_MS = 2000;

export function letters(context, service, id) {
  if (!service) return everywhere(context);
  return id ? letter(context, service, id) : list(context, service);
}

function everywhere({ redraw, status }) {
  let fleet = null;
  const stop = follow("fleet", {}, found => {
    fleet = found;
    redraw();
  }, status);
  return {
    title: "Dead letters",
    stop,
    view() {
      if (!fleet) return h("p", { class: "empty" }, "Reading the fleet…");
      const rows = fleet.services.filter(one => one.dead).map(one => ({
        key: one.service,
        cells: [link(lettersPath(one.service), one.service), h("span", { class: "pill bad" }, count(one.dead))],
      }));
      return [
        h("p", { class: "lead" }, "Messages that could not be handled. They are kept until they are replayed or dropped."),
        problem(fleet.problem),
        table("Services with dead letters", SERVICES, rows, { empty: "No service has dead letters." }),
      ];
    },
  };
}

/** Asks before an act that cannot be undone. */
function dialog(question, word, done) {
  return h("div", { class: "asking", role: "alertdialog", "aria-label": question, key: "asking", onkeydown: event => event.key === "Escape" && done(false) },
    h("p", {}, question),
    h("button", { type: "button", class: "danger", onclick: () => done(true) }, word),
    h("button", { type: "button", mounted: node => node.focus(), onclick: () => done(false) }, "Keep"));
}

async function change(path, service, ids, payload) {
  const body = `{"service":${JSON.stringify(service)},"ids":${JSON.stringify(ids)}${payload === undefined ? "" : `,"payload":${payload}`}}`;
  return (await act(path, body)).json();
}

function told(outcomes, word) {
  const wrong = outcomes.filter(one => one.problem);
  const right = `${plural(outcomes.length - wrong.length, "dead letter")} ${word}.`;
  return { right: outcomes.length > wrong.length ? right : "", wrong: wrong.map(one => `${one.id}: ${one.problem}`).join(" ") };
}

function list({ about, redraw, fail }, service) {
  let found = null;
  let words = "";
  let outcome = null;
  let asking = false;
  let isBusy = false;
  let timer = 0;
  let turn = 0;
  const chosen = new Set();

  async function load() {
    clearTimeout(timer);
    const mine = ++turn;
    try {
      const answer = await read("letters", { service, search: words });
      if (mine !== turn) return;
      found = answer;
      fail("");
      const ids = new Set(found.letters.map(one => one.id));
      for (const id of chosen) if (!ids.has(id)) chosen.delete(id);
    } catch (error) {
      if (mine === turn) fail(error.message);
    }
    if (mine !== turn) return;
    redraw();
    timer = setTimeout(load, EVERY_MS);
  }

  async function all(path, word) {
    isBusy = true;
    redraw();
    try {
      outcome = told(await change(path, service, [...chosen]), word);
      chosen.clear();
    } catch (error) {
      outcome = { right: "", wrong: error.message };
    }
    isBusy = false;
    load();
  }

  function choose(id, isChosen) {
    if (isChosen) chosen.add(id);
    else chosen.delete(id);
    redraw();
  }

  function row(one, now) {
    return {
      key: one.id,
      tone: chosen.has(one.id) ? "chosen" : null,
      cells: [
        h("label", { class: "check" },
          h("input", { type: "checkbox", checked: chosen.has(one.id), onchange: event => choose(one.id, event.target.checked) }),
          h("span", { class: "unseen" }, `Choose ${one.id}`)),
        [link(`${lettersPath(service)}/${one.id}`, moment(one.died)), h("small", {}, `${age(one.died, now)} ago`)],
        one.handler,
        [h("span", { class: "pill bad" }, one.code), " ", one.exception ? `${one.exception}: ${one.reason ?? ""}` : one.error],
        h("code", { class: "excerpt" }, one.excerpt),
        one.sender ?? "–",
      ],
    };
  }

  load();
  return {
    title: "Dead letters",
    crumbs: [link("/letters", "Dead letters"), " / ", link(servicePath(service), service), " / "],
    badges: () => found && h("span", { class: "pill" }, count(found.total)),
    stop() {
      turn += 1;
      clearTimeout(timer);
    },
    view() {
      if (!found) return h("p", { class: "empty" }, "Reading the dead letters…");
      const shown = found.letters;
      const isAll = shown.length > 0 && shown.every(one => chosen.has(one.id));
      const cannot = about.read_only || isBusy || !chosen.size;
      const every = event => {
        for (const one of shown) if (event.target.checked) chosen.add(one.id); else chosen.delete(one.id);
        redraw();
      };
      return [
        h("div", { class: "tools" },
          h("label", { class: "unseen", for: "search" }, "Search dead letters"),
          h("input", { id: "search", type: "search", placeholder: "Search in payloads, errors, ids, tracebacks", value: words, oninput: event => { words = event.target.value.trim(); load(); } }),
          shown.length > 0 && h("label", { class: "check", key: "all" }, h("input", { type: "checkbox", checked: isAll, onchange: every }), "All shown"),
          h("button", { type: "button", class: "primary", disabled: cannot, onclick: () => all("letters/replay", "replayed") }, `Replay ${chosen.size || ""}`),
          h("button", { type: "button", class: "danger", disabled: cannot, onclick: () => { asking = true; redraw(); } }, `Drop ${chosen.size || ""}`),
          h("span", { class: "soft", role: "status" }, `${count(found.matches)} of ${count(found.read)}${shown.length < found.matches ? `, the newest ${shown.length} shown` : ""}`)),
        asking && dialog(`Drop ${plural(chosen.size, "dead letter")} for good?`, "Drop", is => { asking = false; if (is) all("letters/drop", "dropped"); else redraw(); }),
        outcome?.right && h("p", { class: "done", role: "status", key: "right" }, outcome.right, !found.is_served && " No instance of the service runs: they wait until one starts."),
        problem(outcome?.wrong),
        table("Dead letters", [{ name: "Choice" }, { name: "Died" }, { name: "Handler" }, { name: "Error" }, { name: "Payload" }, { name: "Sender" }],
          shown.map(one => row(one, Date.now())), { empty: words ? "No dead letter contains this." : "There are none." }),
      ];
    },
  };
}

function letter({ about, redraw, fail }, service, id) {
  let found = null;
  let payload = "";
  let outcome = null;
  let asking = false;
  let isGone = false;

  read("letter", { service, letter: id }).then(answer => {
    found = answer;
    payload = answer.payload;
    redraw();
  }, error => fail(error.message));

  async function finish(path, word, corrected) {
    asking = false;
    try {
      if (corrected !== undefined) JSON.parse(corrected);
    } catch (error) {
      outcome = { right: "", wrong: `The payload is not JSON: ${error.message}` };
      redraw();
      return;
    }
    try {
      outcome = told(await change(path, service, [id], corrected), word);
      isGone = Boolean(outcome.right);
    } catch (error) {
      outcome = { right: "", wrong: error.message };
    }
    redraw();
  }

  return {
    title: id,
    crumbs: [link("/letters", "Dead letters"), " / ", link(lettersPath(service), service), " / "],
    badges: () => found && h("span", { class: "pill bad" }, found.facts.code),
    view() {
      if (!found) return h("p", { class: "empty" }, "Reading the dead letter…");
      const isChanged = payload !== found.payload;
      const cannot = about.read_only || isGone;
      return [
        h("p", { class: "lead" }, `${found.handler}: ${found.facts.exception ? `${found.facts.exception}: ${found.facts.reason ?? ""}` : found.facts.error}`),
        outcome?.right && h("p", { class: "done", role: "status", key: "right" }, outcome.right),
        problem(outcome?.wrong),
        h("div", { class: "halves" },
          section("Payload",
            h("label", { for: "payload", class: "unseen" }, "Payload"),
            h("textarea", { id: "payload", class: "code tall", spellcheck: "false", readonly: cannot, value: payload, oninput: event => { payload = event.target.value; outcome = null; redraw(); } }),
            h("div", { class: "row" },
              h("button", { type: "button", class: "primary", disabled: cannot, onclick: () => finish("letters/replay", "replayed", isChanged ? payload : undefined) }, isChanged ? "Replay corrected" : "Replay"),
              isChanged && h("button", { type: "button", onclick: () => { payload = found.payload; redraw(); } }, "Undo changes"),
              h("button", { type: "button", class: "danger", disabled: cannot, onclick: () => { asking = true; redraw(); } }, "Drop")),
            asking && dialog("Drop this dead letter for good?", "Drop", is => { asking = false; if (is) finish("letters/drop", "dropped"); else redraw(); })),
          h("div", {},
            section("Facts", h("dl", { class: "facts" },
              Object.entries(found.times).map(([name, at]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, `${moment(at)} (${age(at, Date.now())} ago)`))),
              Object.entries(found.facts).map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, String(value)))),
              Object.entries(found.headers).map(([name, value]) => h("div", { key: `header ${name}` }, h("dt", {}, `header ${name}`), h("dd", {}, value))))),
            found.details && section("Details", json(JSON.stringify(found.details, null, 2), "Details")))),
        found.traceback && section("Traceback", h("pre", { tabindex: "0", role: "region", "aria-label": "Traceback" }, found.traceback)),
      ];
    },
  };
}
