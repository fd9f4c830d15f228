// The wiring of the app with which the console was started: handlers, the providers that they get, and what those need.

import { read } from "./api.js";
import { h } from "./dom.js";
import { problem, section, table } from "./parts.js";

const HANDLERS = [{ name: "Handler" }, { name: "Gets" }, { name: "Place" }];

export function wiring({ redraw }) {
  let found = null;
  let trouble = "";
  read("wiring").then(answer => {
    found = answer;
    redraw();
  }, error => {
    trouble = error.message;
    redraw();
  });
  return {
    title: "Wiring",
    view() {
      if (!found) return [problem(trouble), !trouble && h("p", { class: "empty" }, "Reading the wiring…")];
      return [h("p", { class: "lead" }, `${found.service}, from the container ${found.container}`), section("Handlers", table("Handlers", HANDLERS, []))];
    },
  };
}
