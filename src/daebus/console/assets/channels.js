// Channels: which there are, and the events of one as they come.

import { follow, read } from "./api.js";
import { h } from "./dom.js";
import { json, link, problem, section, table } from "./parts.js";
import { clock, count, plural, size } from "./units.js";

const MOST_KEPT = 500;
const MOST_SHOWN = 100;
const COLUMNS = [{ name: "Channel" }, { name: "Kind" }];

const path = (channel, kind) => `/channels/${encodeURIComponent(channel)}/${kind}`;

export function channels(context, channel, kind) {
  return channel ? tail(context, channel, kind) : list(context);
}

function list({ redraw, fail }) {
  let known = null;
  let name = "";
  let durable = false;
  read("channels").then(found => {
    known = found;
    redraw();
  }, error => fail(error.message));

  const open = event => {
    event.preventDefault();
    if (name.trim()) location.hash = `#${path(name.trim(), durable ? "durable" : "plain")}`;
  };
  return {
    title: "Channels",
    view() {
      const rows = (known ?? []).map(one => ({
        key: `${one.channel} ${one.durable}`,
        cells: [link(path(one.channel, one.durable ? "durable" : "plain"), one.channel), h("span", { class: "pill" }, one.durable ? "durable" : "plain")],
      }));
      return [
        h("p", { class: "lead" }, "The events of a channel as they come. Listeners still get all of them."),
        h("form", { class: "tools", onsubmit: open },
          h("label", { for: "channel" }, "Channel"),
          h("input", { id: "channel", autocomplete: "off", value: name, oninput: event => { name = event.target.value; } }),
          h("label", { class: "check" }, h("input", { type: "checkbox", checked: durable, onchange: event => { durable = event.target.checked; } }), "durable"),
          h("button", { class: "primary" }, "Follow")),
        known
          ? table("Channels", COLUMNS, rows, { empty: "No channel has a listener." })
          : h("p", { class: "empty" }, "Reading the channels…"),
      ];
    },
  };
}

function tail({ redraw, status }, channel, kind) {
  let events = [];
  let number = 0;
  let missed = 0;
  let trouble = "";
  let words = "";
  let isPaused = false;
  let isFollowing = false;

  const stop = follow("tail", { channel, durable: kind === "durable" }, batch => {
    isFollowing = true;
    trouble = batch.problem ?? "";
    if (isPaused) {
      missed += batch.missed + batch.events.length;
    } else {
      missed += batch.missed;
      events.push(...batch.events.map(one => ({ ...one, number: ++number, shown: one.text.length < one.size ? `${one.text}…` : one.text })));
      events = events.slice(-MOST_KEPT);
    }
    redraw();
  }, status);

  return {
    title: channel,
    crumbs: [link("/channels", "Channels"), " / "],
    badges: () => h("span", { class: "pill" }, kind),
    stop,
    view() {
      const found = words ? events.filter(one => one.text.toLowerCase().includes(words)) : events;
      const shown = found.slice(-MOST_SHOWN).reverse();
      return [
        problem(trouble),
        h("div", { class: "tools" },
          h("label", { class: "unseen", for: "filter" }, "Filter events"),
          h("input", { id: "filter", type: "search", placeholder: "Filter events", value: words, oninput: event => { words = event.target.value.trim().toLowerCase(); redraw(); } }),
          h("button", { type: "button", "aria-pressed": String(isPaused), onclick: () => { isPaused = !isPaused; redraw(); } }, isPaused ? "Go on" : "Pause"),
          h("button", { type: "button", onclick: () => { events = []; missed = 0; redraw(); } }, "Clear"),
          h("span", { class: "soft", role: "status" }, `${plural(number, "event")}${missed ? `, ${count(missed)} not shown` : ""}`)),
        section("Events", shown.length
          ? h("ol", { class: "events" }, shown.map(one => h("li", { key: one.number },
              h("div", { class: "when" }, h("time", {}, clock(one.at)), h("small", { class: "soft" }, size(one.size))), json(one.shown, `Event ${one.number}`))))
          : h("p", { class: "empty" }, isFollowing ? (words ? "No event contains this." : "Waiting for events…") : "Connecting…")),
      ];
    },
  };
}
