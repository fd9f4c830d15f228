// The frame of the console: navigation, theme, and the page that is shown.

import { read } from "./api.js";
import { channels } from "./channels.js";
import { draw, h } from "./dom.js";
import { handler } from "./handler.js";
import { letters } from "./letters.js";
import { overview } from "./overview.js";
import { service } from "./service.js";
import { wiring } from "./wiring.js";

const PAGES = [
  [/^\/?$/, overview, "/"],
  [/^\/services\/([^/]+)$/, service, "/"],
  [/^\/services\/([^/]+)\/([^/]+)$/, handler, "/"],
  [/^\/letters(?:\/([^/]+)(?:\/([^/]+))?)?$/, letters, "/letters"],
  [/^\/channels(?:\/([^/]+)\/(plain|durable))?$/, channels, "/channels"],
  [/^\/wiring$/, wiring, "/wiring"],
];
const ICONS = {
  "/": "M3 4h6v6H3zM11 4h6v6h-6zM3 12h6v4H3zM11 12h6v4h-6z",
  "/letters": "M2.5 5h15v10.5h-15zM2.5 5.5l7.5 6 7.5-6",
  "/channels": "M2 10h3l2-6 3 12 3-9 1.5 3H18",
  "/wiring": "M4 4h4v4H4zM12 12h4v4h-4zM6 8v4q0 2 2 2h4",
};
const THEMES = { auto: "◐", light: "○", dark: "●" };

const frame = document.getElementById("frame");
const about = { read_only: false, server: "", has_wiring: false };
let page = null;
let place = "/";
let isLive = true;
let problem = "";
let isDue = false;

function theme(name) {
  if (name !== undefined) localStorage.setItem("theme", name);
  const chosen = name ?? localStorage.getItem("theme") ?? "auto";
  document.documentElement.dataset.theme = chosen;
  return chosen;
}

function redraw() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    show();
  });
}

function nav() {
  const entries = [["/", "Services"], ["/letters", "Dead letters"], ["/channels", "Channels"]];
  if (about.has_wiring) entries.push(["/wiring", "Wiring"]);
  return h("nav", { "aria-label": "Pages" }, entries.map(([path, name]) =>
    h("a", { key: path, href: `#${path}`, "aria-current": place === path ? "page" : null },
      h("svg", { viewBox: "0 0 20 20", width: 18, height: 18, "aria-hidden": "true" }, h("path", { d: ICONS[path] })),
      h("span", {}, name))));
}

function show() {
  const chosen = theme();
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(chosen) + 1) % names.length];
  draw(frame, [
    h("header", { class: "side" },
      h("a", { class: "brand", href: "#/" }, h("img", { src: new URL("icon.svg", import.meta.url).href, alt: "", width: 24, height: 24 }), "daebus"),
      nav(),
      h("div", { class: "foot" },
        h("span", { class: `live ${isLive ? "on" : "off"}`, role: "status" }, h("i", { "aria-hidden": "true" }), isLive ? "live" : "reconnecting"),
        about.read_only && h("span", { class: "pill" }, "read-only"),
        h("span", { class: "server", title: "The server" }, about.server),
        h("button", { type: "button", class: "theme", title: `Theme: ${chosen}`, "aria-label": `Theme: ${chosen}. Change to ${next}`, onclick: () => { theme(next); redraw(); } },
          THEMES[chosen]))),
    h("main", { id: "main", tabindex: "-1" },
      h("div", { class: "head" }, page.crumbs && h("p", { class: "crumbs" }, page.crumbs), h("h1", {}, page.title), page.badges?.()),
      problem && h("p", { class: "problem", role: "alert" }, problem),
      page.view()),
  ]);
}

function go() {
  page?.stop?.();
  const path = decodeURI(location.hash.slice(1) || "/");
  const context = {
    about,
    redraw,
    status: now => { if (now !== isLive) { isLive = now; redraw(); } },
    fail: text => { problem = text; redraw(); },
  };
  isLive = true;
  problem = "";
  const raw = location.hash.slice(1) || "/";
  const [pattern, start, entry] = PAGES.find(([one]) => one.test(raw)) ?? [null, missing, ""];
  place = entry;
  page = start(context, ...(pattern ? pattern.exec(raw).slice(1).map(one => one && decodeURIComponent(one)) : [path]));
  document.title = `${page.title} · daebus console`;
  draw(frame, []);
  show();
  scrollTo(0, 0);
}

function missing(_, path) {
  return { title: "No such page", view: () => h("p", { class: "empty" }, `The console has no page ${path}.`) };
}

addEventListener("hashchange", event => {
  if (location.hash === "#main") {
    document.getElementById("main").focus();
    history.replaceState(null, "", new URL(event.oldURL).hash || "#/");
    return;
  }
  go();
  document.getElementById("main").focus({ preventScroll: true });
});
read("about").then(found => { Object.assign(about, found); redraw(); }, error => { problem = error.message; redraw(); });
go();
