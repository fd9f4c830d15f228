// What the page shows. It keeps nothing but what is typed: chat.js calls it with what there is.

const $ = (id) => document.getElementById(id);
const handlers = {};
const GROUP = 5 * 60_000;
const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

export const on = (name, handler) => { handlers[name] = handler; };

// An element with properties, data, and children.
function make(tag, properties = {}, ...children) {
  const { data = {}, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, data);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function avatar(user, title = "") {
  const letters = user.name.split(/[ .-]+/).slice(0, 2).map((part) => part[0]).join("").toUpperCase();
  const element = make("span", { className: "avatar", title }, letters);
  let hash = 0;
  for (const letter of user.id) hash = (hash * 33 + letter.codePointAt(0)) % 1_000_003;
  element.style.setProperty("--hue", (hash * 77) % 360);
  return element;
}

// The login

export function showLogin() {
  $("app").hidden = true;
  $("login").hidden = false;
}

export function showLoginError(text) {
  $("login-error").textContent = text;
  $("login-form").querySelector("button").disabled = false;
}

$("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  form.querySelector("button").disabled = true;
  $("login-error").textContent = "";
  handlers.login(form.elements.name.value.trim(), form.elements.password.value);
});

export function showApp(me) {
  $("login").hidden = true;
  $("app").hidden = false;
  $("me").replaceChildren(avatar(me), make("strong", {}, me.name));
}

$("logout").addEventListener("click", () => handlers.logout());

// Rooms and members

function drawer(open) {
  $("app").classList.toggle("open", open);
  $("menu").setAttribute("aria-expanded", open);
}

$("menu").addEventListener("click", () => drawer(true));
$("shade").addEventListener("click", () => drawer(false));
addEventListener("keydown", ({ key }) => key === "Escape" && drawer(false));

$("rooms").addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  drawer(false);
  handlers.open(button.dataset.room);
});

$("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { title } = event.target.elements;
  handlers["new-room"](title.value.trim());
  title.value = "";
  drawer(false);
});

export function showRooms(rooms, current) {
  $("rooms").replaceChildren(...rooms.map((room) => {
    const badge = room.unread ? make("span", { className: "badge", title: `${room.unread} unread` }, String(room.unread)) : null;
    const button = make("button", { data: { room: room.id } }, make("span", { className: "hash" }, "#"),
      make("span", { className: "name" }, room.title), badge);
    if (room === current) button.setAttribute("aria-current", "page");
    button.classList.toggle("unread", Boolean(room.unread));
    return make("li", {}, button);
  }));
  const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
  $("menu-badge").hidden = !unread;
  $("menu-badge").textContent = unread;
  document.title = `${unread ? `(${unread}) ` : ""}${current ? `${current.title} · ` : ""}Chat`;
}

export function showRoom(room, me) {
  const { users } = room;
  $("title").textContent = room.title;
  $("subtitle").textContent = users.length === 1 ? "1 person here" : `${users.length} people here`;
  $("faces").replaceChildren(...users.slice(0, 4).map((user) => avatar(user, user.name)));
  $("members").replaceChildren(...users.map((user) =>
    make("li", {}, avatar(user), make("span", {}, user.name), user.id === me.id ? make("em", {}, "you") : null)));
  const names = [...room.typing.keys()];
  const who = names.length > 2 ? "Several people type" : `${names.join(" and ")} ${names.length > 1 ? "type" : "types"}`;
  $("typing").replaceChildren(...(names.length ? [make("span", { className: "dots" }, make("i"), make("i"), make("i")), who] : []));
  $("text").placeholder = `Message #${room.title}`;
}

let cutAt = null;

export function showStatus(status) {
  const element = $("status");
  element.className = `status ${status}`;
  if (status === "online") {
    element.textContent = cutAt ? "Back online" : "";
    if (cutAt) setTimeout(() => { if (element.classList.contains("online")) element.textContent = ""; }, 3000);
    cutAt = null;
  } else if (status === "offline") {
    cutAt ??= Date.now();
    element.textContent = "Reconnecting…";
  }
}

// Posts

function words(text) {
  const parts = text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)'])/);
  return parts.map((part, index) => index % 2
    ? make("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part) : part);
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB"], power = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power && bytes / 1000 ** power < 10 ? 1 : 0)} ${units[power]}`;
}

function attachment(file) {
  const href = `/api/files/${encodeURIComponent(file.id)}/${encodeURIComponent(file.name)}`;
  if (file.type.startsWith("image/")) {
    const image = make("img", { src: href, alt: file.name, loading: "lazy" });
    image.addEventListener("load", () => stick && jump(), { once: true });
    return make("a", { className: "picture", href, target: "_blank", rel: "noopener" }, image);
  }
  const ending = file.name.includes(".") ? file.name.split(".").pop().slice(0, 4) : "file";
  return make("a", { className: "file", href, download: file.name }, make("span", { className: "kind" }, ending),
    make("span", {}, make("strong", {}, file.name), make("small", {}, size(file.size))));
}

function bubble(post, me, begins) {
  const mine = post.user.id === me.id;
  const at = new Date(post.at);
  const item = make("li", { className: `post${mine ? " mine" : ""}${begins ? " begins" : ""}`, data: { key: post.key } });
  if (!post.id) item.classList.add(post.failed ? "failed" : "pending");
  const state = post.failed ? `Not sent: ${post.failed}` : post.id ? time.format(at) : "sending…";
  const stamp = make("time", { dateTime: at.toISOString(), title: at.toLocaleString() }, state);
  const heads = begins && !mine;
  if (heads) item.append(avatar(post.user), make("div", { className: "author" }, make("strong", {}, post.user.name), stamp));
  const body = make("div", { className: "bubble" });
  if (post.file) body.append(attachment(post.file));
  if (post.text) body.append(make("p", {}, ...words(post.text)));
  body.classList.toggle("bare", Boolean(post.file?.type.startsWith("image/") && !post.text));
  item.append(body);
  if (!heads) item.append(stamp);
  return item;
}

function dayOf(at) {
  const today = new Date(), yesterday = new Date(today.getTime() - 86_400_000);
  if (at.toDateString() === today.toDateString()) return "Today";
  return at.toDateString() === yesterday.toDateString() ? "Yesterday" : day.format(at);
}

const log = $("log");
let stick = true, shown = null, quiet = false;

function jump() {
  quiet = true;
  log.scrollTop = log.scrollHeight;
  $("down").hidden = true;
}

export function showPosts(room, me, { jump: toEnd = false, keep = false }) {
  const bottom = log.scrollHeight - log.scrollTop;
  const items = [];
  let before = null;
  for (const post of room.posts) {
    const at = new Date(post.at);
    const newDay = !before || new Date(before.at).toDateString() !== at.toDateString();
    if (newDay) items.push(make("li", { className: "day" }, make("span", {}, dayOf(at))));
    const begins = newDay || before.user.id !== post.user.id || at - new Date(before.at) > GROUP;
    items.push(bubble(post, me, begins));
    before = post;
  }
  if (!items.length) {
    const text = room.more ? "Loading…" : `This is the beginning of #${room.title}. Say hello!`;
    items.push(make("li", { className: "empty" }, text));
  }
  const changed = shown !== room;
  shown = room;
  $("posts").replaceChildren(...items);
  if (keep) {
    log.scrollTop = log.scrollHeight - bottom;
  } else if (toEnd || changed || stick) {
    jump();
  } else {
    $("down").hidden = false;
  }
}

log.addEventListener("scroll", () => {
  stick = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  if (stick) $("down").hidden = true;
  if (!quiet && log.scrollTop < 200) handlers.older();
  quiet = false;
});
new ResizeObserver(() => stick && jump()).observe(log);
$("down").addEventListener("click", jump);

export function toast(text) {
  const element = make("div", { className: "toast", role: "alert" }, text);
  document.body.append(element);
  setTimeout(() => element.remove(), 4000);
}

// Writing

const text = $("text");
const chips = new Set();

function grow() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight, 160)}px`;
  $("composer").classList.toggle("full", Boolean(text.value.trim() || chips.size));
}

function submit() {
  const files = [...chips];
  if (files.some((chip) => !chip.upload)) return;  // an upload is on its way
  const said = text.value.trim();
  if (!said && !files.length) return;
  for (const chip of files) chip.remove();
  text.value = "";
  grow();
  handlers.post(said, files.map((chip) => chip.upload));
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
  text.focus();
});
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
text.addEventListener("input", () => {
  grow();
  if (text.value.trim()) handlers.types();
});

export function addChip(file) {
  const bar = make("i"), name = make("span", {}, file.name);
  const close = make("button", { type: "button", title: "Remove" }, "×");
  const element = make("div", { className: "chip" }, name, close, bar);
  const chip = {
    upload: null,
    onremove: () => {},
    remove() {
      chips.delete(chip);
      element.remove();
      grow();
    },
    progress(part) { bar.style.width = `${100 * part}%`; },
    done(upload) {
      chip.upload = upload;
      element.classList.add("done");
    },
    fail(reason) {
      chip.remove();
      toast(`${file.name}: ${reason}`);
    },
  };
  close.addEventListener("click", () => {
    chip.onremove();
    chip.remove();
  });
  chips.add(chip);
  $("chips").append(element);
  grow();
  return chip;
}

$("file").addEventListener("change", ({ target }) => {
  handlers.files([...target.files]);
  target.value = "";
});
text.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (!files.length) return;
  event.preventDefault();
  handlers.files(files);
});

let drags = 0;
const over = (count) => {
  drags = count;
  $("app").classList.toggle("dragging", drags > 0);
};
addEventListener("dragenter", () => over(drags + 1));
addEventListener("dragleave", () => over(drags - 1));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  over(0);
  if (event.dataTransfer.files.length) handlers.files([...event.dataTransfer.files]);
});
