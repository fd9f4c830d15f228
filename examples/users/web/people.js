// The page: signing in, the profile, and the list of users, which changes while one looks at it.

import { Live } from "./live.js";
import { SignedOut, api, forget, isKnown, onSignedOut, send, signIn, signOut } from "./session.js";

const $ = (id) => document.getElementById(id);
const users = new Map();
let me = null, live = null, online = new Set();

// Signing in and out

function showLogin(message = "") {
  live?.close();
  live = null;
  $("app").hidden = true;
  $("login").hidden = false;
  $("login-form").reset();
  showMode();
  $("login-error").textContent = message;
}

const isNew = () => $("login-form").elements.mode.value === "create";

function showMode() {
  $("name-field").hidden = !isNew();
  $("login-form").elements.password.autocomplete = isNew() ? "new-password" : "current-password";
  $("login-form").querySelector(".primary").textContent = isNew() ? "Create account" : "Sign in";
  $("login-error").textContent = "";
}

$("login-form").addEventListener("change", ({ target }) => { if (target.name === "mode") showMode(); });

$("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, email, password } = Object.fromEntries(new FormData(event.target));
  busy(event.target, async () => {
    try {
      if (isNew()) await send("/api/users", { method: "POST", json: { name: name.trim(), email, password } });
      await signIn(email, password);
    } catch (error) {
      $("login-error").textContent = error.message;
      return;
    }
    await start();
  });
});

$("logout").addEventListener("click", async () => {
  try {
    await signOut();
    showLogin();
  } catch (error) {
    toast(error.message);
  }
});

onSignedOut(() => { forget(); showLogin("You have signed out in another tab."); });

async function start() {
  try {
    me = await api("/api/me");
  } catch (error) {
    if (error instanceof SignedOut) return showLogin();
    if (error.status === 404) { forget(); return showLogin("This account no longer exists."); }
    return setTimeout(start, 1500);
  }
  $("login").hidden = true;
  $("app").hidden = false;
  $("rename").elements.name.value = me.name;
  showProfile();
  live = new Live({ status: showStatus, members: showMembers, saved: take, signedOut: showLogin });
}

// The profile

function showProfile() {
  $("me").textContent = me.name || me.email;
  $("my-email").textContent = me.email;
  $("my-avatar").replaceChildren(avatar(me));
}

$("rename").addEventListener("submit", (event) => {
  event.preventDefault();
  busy(event.target, async () => {
    try {
      take(await api("/api/me", { method: "PATCH", json: { name: event.target.elements.name.value.trim() } }));
      toast("Your name is saved");
    } catch (error) {
      toast(error.message);
    }
  });
});

// The list

async function showStatus(status) {
  $("status").className = `status ${status}`;
  $("status").textContent = status === "online" ? "" : "Reconnecting…";
  if (status === "online") await load();
}

// All users: what has changed while the page was cut off, is in it.
async function load() {
  try {
    const found = (await send("/api/users")).users;
    users.clear();
    for (const user of found) users.set(user.id, user);
    me = users.get(me.id) ?? me;
    showProfile();
    showList();
  } catch {
    setTimeout(load, 1500);
  }
}

function take(user) {
  users.set(user.id, user);
  if (user.id === me.id) {
    me = user;
    showProfile();
  }
  showList(user.id);
}

function showMembers(members) {
  online = new Set([...members.values()].map((user) => user.id));
  showList();
}

$("search").addEventListener("input", () => showList());

function showList(changed) {
  const words = $("search").value.trim().toLowerCase();
  const found = [...users.values()]
    .filter((user) => `${user.name} ${user.email}`.toLowerCase().includes(words))
    .sort((a, b) => online.has(b.id) - online.has(a.id) || shown(a).localeCompare(shown(b)));
  const old = new Map([...$("people").children].map((row) => [row.dataset.id, row]));
  const rows = found.map((user) => fill(old.get(user.id) ?? newRow(), user));
  $("people").replaceChildren(...rows);
  $("nobody").hidden = found.length > 0 || users.size === 0;
  $("count").textContent = `${users.size} ${users.size === 1 ? "person" : "people"}, ${online.size} online`;
  const row = rows.find((one) => one.dataset.id === changed);
  if (row) {
    row.classList.remove("changed");
    requestAnimationFrame(() => row.classList.add("changed"));
  }
}

const newRow = () => $("person").content.firstElementChild.cloneNode(true);
const shown = (user) => user.name || user.email;
const months = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });

function fill(row, user) {
  row.dataset.id = user.id;
  row.classList.toggle("online", online.has(user.id));
  row.querySelector(".avatar").replaceWith(avatar(user));
  row.querySelector(".name b").textContent = shown(user);
  row.querySelector(".name small").hidden = user.id !== me.id;
  row.querySelector(".email").textContent = user.name ? user.email : "";
  row.querySelector(".presence").textContent = online.has(user.id) ? "Online" : "Away";
  const time = row.querySelector("time");
  time.dateTime = user.created_at;
  time.textContent = `since ${months.format(new Date(user.created_at))}`;
  return row;
}

function avatar(user) {
  const words = shown(user).split(/[\s@.]+/u).filter(Boolean);
  const made = Object.assign(document.createElement("span"), { className: "avatar", ariaHidden: "true" });
  made.textContent = [words[0], words.length > 1 ? words.at(user.name ? -1 : 1) : ""].map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
  made.style.setProperty("--hue", [...user.id].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7));
  return made;
}

// Small things

async function busy(form, work) {
  const button = form.querySelector(".primary");
  button.disabled = true;
  await work().finally(() => { button.disabled = false; });
}

let hiding = null;
function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { $("toast").hidden = true; }, 3500);
}

if (isKnown()) start(); else showLogin();
