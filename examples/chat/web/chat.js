// The chat: what it knows of rooms and posts, and what the person does. view.js shows it, socket.js talks to the service.

import { RoomSocket } from "./socket.js";
import * as view from "./view.js";

const TYPES_EVERY = 2500, TYPES_FOR = 4000, PAGE = 40;
const wire = (room) => `chat:${room}`;

class Room {
  posts = [];            // the oldest one first
  members = new Map();   // by the ids of their connections
  typing = new Map();    // until when each user types, by name
  more = true;           // whether the service has older posts
  loading = null;
  unread = 0;
  joined = false;

  constructor({ id, title }) { Object.assign(this, { id, title }); }

  // The users who are here: one of them may have several connections.
  get users() {
    const found = new Map([...this.members.values()].map((user) => [user.id, user]));
    return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
  }

  add(posts) {
    const known = new Set(this.posts.map((post) => post.id));
    const keys = new Set(posts.map((post) => post.key));
    const added = posts.filter((post) => !known.has(post.id));
    this.posts = [...this.posts.filter((post) => post.id || !keys.has(post.key)), ...added].sort(byId);
    return added;
  }
}

const rooms = new Map();
const socket = new RoomSocket();
let me = null, current = null, lastTold = 0;

function byId(a, b) {
  if (!a.id || !b.id) return Boolean(b.id) - Boolean(a.id);  // what is not sent yet stands at the end
  return a.id - b.id;
}

async function api(path, options = {}) {
  const { json, ...rest } = options;
  if (json) Object.assign(rest, { method: "POST", body: JSON.stringify(json), headers: { "Content-Type": "application/json" } });
  const response = await fetch(`/api${path}`, rest);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(body.detail ?? "The service does not answer."), { status: response.status });
  return body;
}

// Logging in

async function start() {
  try {
    me = await api("/me");
  } catch (error) {
    if (error.status === 401) return view.showLogin();
    return setTimeout(start, 1500);
  }
  view.showApp(me);
  for (const room of await api("/rooms")) rooms.set(room.id, new Room(room));
  const wanted = decodeURIComponent(location.hash.slice(1));
  const visited = JSON.parse(localStorage.getItem("rooms") ?? "[]").filter((id) => rooms.has(id));
  for (const id of visited) join(rooms.get(id));
  socket.open();
  await open(rooms.get(wanted) ?? rooms.get(visited[0]) ?? rooms.get("lobby") ?? [...rooms.values()][0]);
}

view.on("login", async (name, password) => {
  try {
    await api("/login", { json: { name, password } });
    await start();
  } catch (error) {
    view.showLoginError(error.message);
  }
});

view.on("logout", async () => {
  socket.close();
  await api("/logout", { method: "POST" });
  localStorage.removeItem("rooms");
  location.reload();
});

// Rooms

function join(room) {
  if (room.joined) return;
  room.joined = true;
  localStorage.setItem("rooms", JSON.stringify([...rooms.values()].filter((one) => one.joined).map((one) => one.id)));
  socket.join(wire(room.id)).catch(() => {});  // it is joined when the connection is back
}

async function open(room) {
  current = room;
  room.unread = 0;
  location.hash = room.id;
  join(room);
  show();
  view.showPosts(room, me, { jump: true });
  if (!room.posts.some((post) => post.id)) await loadOlder(room);
}

view.on("open", (id) => open(rooms.get(id)));
addEventListener("hashchange", () => {
  const room = rooms.get(decodeURIComponent(location.hash.slice(1)));
  if (room && room !== current) open(room);
});

view.on("new-room", async (title) => {
  try {
    const room = await api("/rooms", { json: { title } });
    if (!rooms.has(room.id)) rooms.set(room.id, new Room(room));
    await open(rooms.get(room.id));
  } catch (error) {
    view.toast(error.message);
  }
});

socket.addEventListener("room_opened", ({ detail: { data } }) => {
  if (!rooms.has(data.id)) rooms.set(data.id, new Room(data));
  show();
});

// Posts

function loadOlder(room) {
  if (!room.more || room.loading) return room.loading;
  const oldest = room.posts.find((post) => post.id);
  return room.loading = load(room, oldest ? `&before=${oldest.id}` : "").finally(() => { room.loading = null; });
}

async function load(room, before = "") {
  try {
    const { posts, more } = await api(`/rooms/${encodeURIComponent(room.id)}/posts?count=${PAGE}${before}`);
    room.add(posts);
    room.more = more;
  } catch {
    return;  // it is loaded when the reader scrolls up again
  }
  if (room === current) view.showPosts(room, me, { jump: !before, keep: Boolean(before) });
}

view.on("older", () => loadOlder(current));

view.on("post", (text, uploads) => {
  const parts = uploads.length ? uploads.map((file, index) => ({ file, text: index ? "" : text })) : [{ text }];
  for (const { text, file } of parts) {
    const post = { room: current.id, text, key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, at: new Date(), user: me };
    if (file) post.file = file;
    current.posts.push(post);
    send(post);
  }
  lastTold = 0;
  view.showPosts(current, me, { jump: true });
});

// With the same key as often as necessary: the service does it once.
async function send(post) {
  const { room, text, key, file } = post;
  try {
    const sent = await socket.ask("post", { room, text, key, file });
    take(rooms.get(room), sent);
  } catch (error) {
    const returns = error.code === "not_in_room" && rooms.get(room).joined;  // after a cut
    if (error.code && !returns && !["unavailable", "timeout"].includes(error.code)) {
      post.failed = error.message;
      if (current.id === room) view.showPosts(current, me, {});
    } else if (error.code) {
      setTimeout(() => send(post), 1000);
    }
  }
}

function take(room, post) {
  if (!room.add([post]).length) return;
  room.typing.delete(post.user.name);
  const seen = room === current && document.visibilityState === "visible";
  if (!seen && post.user.id !== me.id) room.unread += 1;
  if (room === current) view.showPosts(room, me, { jump: post.user.id === me.id });
  show();
}

const roomOf = (name) => rooms.get(name.replace("chat:", ""));
socket.addEventListener("posted", ({ detail: { room, data } }) => roomOf(room)?.joined && take(roomOf(room), data));

// Who is there, who types, and what happens when the connection is cut

socket.addEventListener("joined", ({ detail }) => {
  const room = roomOf(detail.room), { members, recovered } = detail.data;
  room.members = new Map(members.map(({ id, data }) => [id, data]));
  if (recovered && recovered !== "full") load(room);  // some was lost on the way: the archive has it
  show();
});

socket.addEventListener("presence", ({ detail: { room, data } }) => {
  const { members } = roomOf(room);
  if (data.members) members.clear();
  for (const { id, data: user } of [...(data.members ?? []), ...(data.joined ?? [])]) members.set(id, user);
  for (const id of data.left ?? []) members.delete(id);
  show();
});

socket.addEventListener("recovered", ({ detail: { room } }) => load(roomOf(room)));

socket.addEventListener("removed", ({ detail: { room } }) => {
  roomOf(room).joined = false;
  roomOf(room).members.clear();
  show();
});

socket.addEventListener("types", ({ detail: { room, data } }) => {
  roomOf(room).typing.set(data.name, Date.now() + TYPES_FOR);
  setTimeout(show, TYPES_FOR + 50);
  show();
});

socket.addEventListener("status", async ({ detail: { status } }) => {
  view.showStatus(status);
  if (status === "online") {
    for (const room of rooms.values()) for (const post of room.posts) if (!post.id && !post.failed) send(post);
  } else if (status === "offline") {
    // A browser does not say why it was refused: perhaps the session is over.
    await api("/me").catch((error) => error.status === 401 && location.reload());
  }
});

view.on("types", () => {
  if (Date.now() - lastTold < TYPES_EVERY) return;
  lastTold = Date.now();
  socket.tell("types", current.id);
});

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible" || !current) return;
  current.unread = 0;
  show();
});

// Files

view.on("files", (files) => {
  for (const file of files) upload(current.id, file);
});

function upload(room, file) {
  const chip = view.addChip(file);
  const request = new XMLHttpRequest();  // fetch does not tell how far an upload is
  request.open("POST", `/api/rooms/${encodeURIComponent(room)}/files?name=${encodeURIComponent(file.name)}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.onprogress = ({ loaded, total }) => chip.progress(loaded / total);
  request.onload = () => {
    const told = JSON.parse(request.responseText || "{}");
    if (request.status === 201) chip.done(told);
    else chip.fail(told.detail ?? "The file was refused.");
  };
  request.onerror = () => chip.fail("The file could not be sent.");
  chip.onremove = () => request.abort();
  request.send(file);
}

function show() {
  const now = Date.now();
  for (const [name, until] of current?.typing ?? []) if (until < now) current.typing.delete(name);
  view.showRooms([...rooms.values()].sort((a, b) => a.title.localeCompare(b.title)), current);
  if (current) view.showRoom(current, me);
}

start();
