// A form from a JSON Schema. A field is an object that keeps what the user has entered; `text` makes JSON of it, as
// text, so that integers of any size stay exact.

import { h } from "./dom.js";

/** What is wrong with what was entered, and where. */
export class Mistake extends Error {
  constructor(path, problem) {
    super(`${path || "The payload"}: ${problem}`);
    this.path = path;
  }
}

let numbers = 0;

/** The field of a schema. `schemas`: what `$ref` names. */
export function field(schema, schemas) {
  const found = resolved(schema, schemas);
  const made = { id: `f${++numbers}`, schema: found, schemas, kind: kind(found), about: schema.description ?? found.description ?? "" };
  return { ...made, ...STARTS[made.kind](found, schemas) };
}

function resolved(schema, schemas) {
  let found = schema;
  while (found?.$ref) found = schemas[found.$ref.split("/").pop()] ?? {};
  return found ?? {};
}

function choices(schema) {
  return schema.anyOf ?? schema.oneOf;
}

function kind(schema) {
  if (schema.const !== undefined || schema.enum?.length === 1) return "fixed";
  if (schema.enum) return "choice";
  if (choices(schema)) return "union";
  const type = Array.isArray(schema.type) ? schema.type.find(one => one !== "null") : schema.type;
  if (type === "object") return schema.properties ? "object" : "map";
  if (type === "array") return schema.prefixItems ? "tuple" : "list";
  return { boolean: "flag", integer: "number", number: "number", string: "text", null: "nothing" }[type] ?? "any";
}

const STARTS = {
  fixed: () => ({}),
  choice: schema => ({ value: String(Math.max(0, schema.enum.indexOf(schema.default ?? schema.enum[0]))) }),
  union: (schema, schemas) => ({ at: 0, options: choices(schema), inner: field(choices(schema)[0], schemas) }),
  object: (schema, schemas) => ({
    parts: Object.entries(schema.properties).map(([name, one]) => {
      const required = schema.required?.includes(name) ?? false;
      return { name, one, required, field: required ? field(one, schemas) : null };
    }),
  }),
  map: () => ({ rows: [] }),
  list: (schema, schemas) => ({ rows: Array.from({ length: schema.minItems ?? 0 }, () => field(schema.items ?? {}, schemas)) }),
  tuple: (schema, schemas) => ({ rows: schema.prefixItems.map(one => field(one, schemas)) }),
  flag: schema => ({ value: schema.default ?? false }),
  number: schema => ({ value: schema.default == null ? "" : String(schema.default) }),
  text: schema => ({ value: schema.default ?? "" }),
  nothing: () => ({}),
  any: () => ({ value: "" }),
};

/** The JSON of a field. Raises `Mistake`. */
export function text(one, path = "") {
  const { schema } = one;
  switch (one.kind) {
    case "fixed": return JSON.stringify(schema.const ?? schema.enum[0]);
    case "choice": return JSON.stringify(schema.enum[Number(one.value)]);
    case "union": return text(one.inner, path);
    case "flag": return String(Boolean(one.value));
    case "nothing": return "null";
    case "text": return JSON.stringify(one.value);
    case "number": return digits(one, path);
    case "list":
    case "tuple": return `[${one.rows.map((row, index) => text(row, `${path}[${index}]`)).join(",")}]`;
    case "map": return `{${one.rows.map(row => `${JSON.stringify(row.name)}:${text(row.field, `${path}.${row.name}`)}`).join(",")}}`;
    case "object": {
      const given = one.parts.filter(part => part.field);
      return `{${given.map(part => `${JSON.stringify(part.name)}:${text(part.field, path ? `${path}.${part.name}` : part.name)}`).join(",")}}`;
    }
    default: return anything(one.value, path);
  }
}

function digits(one, path) {
  const given = one.value.trim();
  const whole = one.schema.type === "integer" || one.schema.type?.includes?.("integer");
  if (!given) throw new Mistake(path, "a number is missing");
  if (!(whole ? /^-?(0|[1-9]\d*)$/ : /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/).test(given))
    throw new Mistake(path, `${given} is not ${whole ? "a whole number" : "a number"}`);
  return given;
}

function anything(value, path) {
  if (!value.trim()) return "null";
  try {
    JSON.parse(value);
  } catch (error) {
    throw new Mistake(path, `not JSON: ${error.message}`);
  }
  return value;
}

const ofType = value => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);

function fits(schema, value, schemas) {
  const found = resolved(schema, schemas);
  if (found.const !== undefined) return found.const === value;
  if (found.enum) return found.enum.includes(value);
  if (choices(found)) return choices(found).some(one => fits(one, value, schemas));
  const type = { integer: "number" }[found.type] ?? found.type;
  if (type === undefined) return true;
  if (ofType(value) !== type) return false;
  if (type !== "object" || !found.properties) return true;
  return (found.required ?? []).every(name => name in value && fits(found.properties[name], value[name], schemas));
}

/** Fill a field with a value, as far as it fits; what is too much is left out. */
export function fill(one, value) {
  const { schema, schemas } = one;
  switch (one.kind) {
    case "choice": one.value = String(Math.max(0, schema.enum.indexOf(value))); break;
    case "union": {
      const at = one.options.findIndex(option => fits(option, value, schemas));
      if (at < 0) return;
      one.at = at;
      one.inner = field(one.options[at], schemas);
      fill(one.inner, value);
      break;
    }
    case "flag": one.value = value === true; break;
    case "text": one.value = typeof value === "string" ? value : ""; break;
    case "number": one.value = typeof value === "number" ? String(value) : ""; break;
    case "any": one.value = JSON.stringify(value); break;
    case "list": one.rows = (Array.isArray(value) ? value : []).map(each => filled(schema.items ?? {}, schemas, each)); break;
    case "tuple": one.rows.forEach((row, index) => fill(row, value?.[index])); break;
    case "map": one.rows = Object.entries(value ?? {}).map(([name, each]) => ({ name, field: filled(inside(schema), schemas, each) })); break;
    case "object":
      for (const part of one.parts) {
        if (value?.[part.name] !== undefined) part.field = filled(part.one, schemas, value[part.name]);
        else if (!part.required) part.field = null;
      }
      break;
    default:
  }
}

const inside = schema => (typeof schema.additionalProperties === "object" ? schema.additionalProperties : {});

function filled(schema, schemas, value) {
  const made = field(schema, schemas);
  fill(made, value);
  return made;
}

function hint(schema) {
  const limits = [
    [schema.format], [schema.pattern, "pattern"], [schema.minimum, "≥"], [schema.exclusiveMinimum, ">"], [schema.maximum, "≤"],
    [schema.exclusiveMaximum, "<"], [schema.minLength, "min. length"], [schema.maxLength, "max. length"],
    [schema.minItems, "min. items"], [schema.maxItems, "max. items"], [schema.contentEncoding],
  ];
  return limits.filter(([value]) => value !== undefined).map(([value, name]) => (name ? `${name} ${value}` : value)).join(", ");
}

export function typeName(schema, schemas) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const found = resolved(schema, schemas);
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.map(one => JSON.stringify(one)).join(" or ");
  if (choices(found)) return choices(found).map(one => typeName(one, schemas)).join(" or ");
  if (found.type === "array") return found.prefixItems ? "tuple" : `list of ${typeName(found.items ?? {}, schemas)}`;
  if (found.type === "object") return found.title ?? (found.properties ? "object" : `map of ${typeName(inside(found), schemas)}`);
  return [found.type].flat().filter(Boolean).join(" or ") || "anything";
}

const OPTION_NAMES = { null: "nothing" };

/** The view of a field. `changed` is called when the user has changed it. */
export function inputs(one, changed, label = "Payload") {
  const set = event => {
    one.value = event.target.value;
    changed();
  };
  const notes = [hint(one.schema), one.about].filter(Boolean).join(" · ");
  const note = notes && h("small", { id: `${one.id}-note`, class: "soft" }, notes);
  const common = { id: one.id, "aria-describedby": notes ? `${one.id}-note` : null };
  const labelled = (input, ...more) => [h("label", { for: one.id }, label), input, ...more, note];
  switch (one.kind) {
    case "fixed":
      return [h("span", { class: "label" }, label), h("code", {}, JSON.stringify(one.schema.const ?? one.schema.enum[0]))];
    case "choice":
      return labelled(h("select", { ...common, selected: one.value, onchange: set }, one.schema.enum.map((value, index) =>
        h("option", { key: index, value: String(index) }, String(value)))));
    case "flag":
      return [h("label", { class: "check" }, h("input", { ...common, type: "checkbox", checked: one.value, onchange: event => { one.value = event.target.checked; changed(); } }), label), note];
    case "number":
      return labelled(h("input", { ...common, inputmode: "decimal", autocomplete: "off", value: one.value, oninput: set }));
    case "text": {
      const long = !one.schema.format && !one.schema.pattern && (one.schema.maxLength ?? 0) > 200;
      return labelled(h(long ? "textarea" : "input", { ...common, autocomplete: "off", spellcheck: "false", value: one.value, oninput: set }));
    }
    case "nothing": return [h("span", { class: "label" }, label), h("code", {}, "null")];
    case "union": return union(one, changed, label);
    case "object": return group(label, note, one.parts.filter(part => part.field?.kind !== "fixed").map(part => property(part, one.schemas, changed)));
    case "map": return group(label, note, rows(one, changed, () => ({ name: "", field: field(inside(one.schema), one.schemas) }), "entry", named));
    case "list": return group(label, note, rows(one, changed, () => field(one.schema.items ?? {}, one.schemas), "item", (row, index) => inputs(row, changed, `${label} ${index + 1}`)));
    case "tuple": return group(label, note, one.rows.map((row, index) => h("div", { key: row.id, class: "part" }, inputs(row, changed, `${label} ${index + 1}`))));
    default:
      return labelled(h("textarea", { ...common, class: "code", spellcheck: "false", placeholder: "JSON", value: one.value, oninput: set }));
  }

  function named(row) {
    const id = `${row.field.id}-name`;
    const name = event => {
      row.name = event.target.value;
      changed();
    };
    return [h("label", { for: id }, "Key"), h("input", { id, autocomplete: "off", value: row.name, oninput: name }), inputs(row.field, changed, "Value")];
  }
}

function group(label, note, content) {
  return h("fieldset", {}, h("legend", {}, label), note, content);
}

function union(one, changed, label) {
  const names = one.options.map(option => OPTION_NAMES[option.type] ?? typeName(option, one.schemas));
  const choose = event => {
    one.at = Number(event.target.value);
    one.inner = field(one.options[one.at], one.schemas);
    changed();
  };
  return [
    h("label", { for: one.id }, `${label} is`),
    h("select", { id: one.id, selected: String(one.at), onchange: choose }, names.map((name, index) => h("option", { key: index, value: String(index) }, name))),
    one.inner.kind !== "nothing" && h("div", { key: one.inner.id, class: "inner" }, inputs(one.inner, changed, label)),
  ];
}

/** Move the focus to what was made, or to what takes its place, once it is drawn. */
function focus(selector) {
  requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector(selector)?.focus()));
}

const firstInput = one => `#${one.id}, #${one.id}-part :is(input, select, textarea, button)`;

function property(part, schemas, changed) {
  const shown = part.one.default === undefined ? "" : ` (default ${JSON.stringify(part.one.default)})`;
  const toggle = () => {
    part.field = part.field ? null : field(part.one, schemas);
    changed();
    focus(part.field ? firstInput(part.field) : `[aria-label=${JSON.stringify(`Set ${part.name}`)}]`);
  };
  if (!part.field)
    return h("div", { key: part.name, class: "part absent" }, h("span", { class: "label" }, part.name), h("small", { class: "soft" }, `not set${shown}`),
      h("button", { type: "button", class: "small", "aria-label": `Set ${part.name}`, onclick: toggle }, "Set"));
  return h("div", { key: part.name, class: "part", id: `${part.field.id}-part` }, inputs(part.field, changed, part.name),
    !part.required && h("button", { type: "button", class: "small", "aria-label": `Leave out ${part.name}`, onclick: toggle }, "Leave out"));
}

function rows(one, changed, fresh, word, view) {
  const add = () => {
    const row = fresh();
    one.rows.push(row);
    changed();
    focus(row.field ? `#${row.field.id}-name` : firstInput(row));
  };
  const remove = index => () => {
    one.rows.splice(index, 1);
    changed();
  };
  return [
    one.rows.map((row, index) => h("div", { key: (row.field ?? row).id, class: "part", id: `${(row.field ?? row).id}-part` }, view(row, index),
      h("button", { type: "button", class: "small", "aria-label": `Remove ${word} ${index + 1}`, onclick: remove(index) }, "Remove"))),
    h("button", { key: "add", type: "button", class: "small", onclick: add }, `Add ${word}`),
  ];
}
