// Views are trees of plain objects. Drawing a new tree changes only what differs in the page: focus, selection and
// what the user has typed stay, however often it is drawn.

const SVG = "http://www.w3.org/2000/svg";

/** A node of a view. `props.key` names it among its siblings; functions `on…` are its listeners. */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, children: children.flat(Infinity).filter(one => one != null && one !== false) };
}

/** Make the children of an element those of a view. */
export function draw(parent, children) {
  const views = [children].flat(Infinity).filter(one => one != null && one !== false);
  const keyed = new Map();
  for (const node of parent.childNodes) if (node.key != null) keyed.set(node.key, node);
  let next = parent.firstChild;
  for (const view of views) {
    const key = view.tag ? view.props.key : undefined;
    let node = key != null ? keyed.get(key) : next;
    if (!node || !fits(node, view)) node = make(view, parent);
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
    update(node, view);
  }
  while (next) {
    const rest = next.nextSibling;
    next.remove();
    next = rest;
  }
}

function fits(node, view) {
  if (!view.tag) return node.nodeType === Node.TEXT_NODE;
  return node.localName === view.tag && (node.key ?? null) === (view.props.key ?? null);
}

function make(view, parent) {
  if (!view.tag) return document.createTextNode("");
  const isSvg = view.tag === "svg" || (parent.namespaceURI === SVG && parent.localName !== "foreignObject");
  const node = isSvg ? document.createElementNS(SVG, view.tag) : document.createElement(view.tag);
  if (view.props.key != null) node.key = view.props.key;
  return node;
}

function update(node, view) {
  if (!view.tag) {
    const text = String(view);
    if (node.data !== text) node.data = text;
    return;
  }
  const before = node.shown ?? {};
  const now = view.props;
  for (const name of Object.keys(before)) if (!(name in now)) set(node, name, null);
  for (const [name, value] of Object.entries(now)) if (before[name] !== value) set(node, name, value);
  node.shown = now;
  draw(node, view.children);
  if (now.selected !== undefined && node.localName === "select" && node.value !== now.selected) node.value = now.selected;
  if (now.mounted && !before.mounted) now.mounted(node);
}

function set(node, name, value) {
  if (name === "key" || name === "mounted" || (name === "selected" && node.localName === "select")) return;
  if (name.startsWith("on")) node[name] = value;
  else if (name === "value" || name === "checked" || name === "indeterminate") node[name] = value ?? "";
  else if (name === "style") for (const [rule, one] of Object.entries(value ?? {})) node.style.setProperty(rule, one);
  else if (value == null || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : value);
}
