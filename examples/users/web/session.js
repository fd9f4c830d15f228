// The login of this browser: a short access token in the memory of the page, and a refresh token that all its tabs share.

const KEY = "people.refresh_token", EARLY = 10_000;

let access = null, until = 0;

export class SignedOut extends Error {}

export const isKnown = () => localStorage.getItem(KEY) !== null;

// Called when another tab has signed out.
export function onSignedOut(listener) {
  addEventListener("storage", ({ key, newValue }) => { if (key === KEY && newValue === null) listener(); });
}

// A valid access token. Fails with SignedOut if there is no login, or it has ended.
export function token() {
  // A refresh token can be used once, so the tabs of this browser take turns.
  return isFresh() ? Promise.resolve(access) : navigator.locks.request(KEY, async () => isFresh() ? access : refresh());
}

// Milliseconds until a new access token is needed.
export const expiresIn = () => Math.max(0, until - EARLY - Date.now());

export async function signIn(email, password) {
  keep(await send("/api/auth/login", { method: "POST", json: { email, password } }));
}

export async function signOut() {
  try {
    await api("/api/auth/logout", { method: "POST" });
  } catch (error) {
    if (!(error instanceof SignedOut)) throw error;
  }
  forget();
}

export function forget() {
  access = null;
  localStorage.removeItem(KEY);
}

// A request with the access token; a second one with a new token if the service does not know the first one.
export async function api(path, options) {
  try {
    return await send(path, options, await token());
  } catch (error) {
    if (error.status !== 401) throw error;
    access = null;
    return send(path, options, await token());
  }
}

export async function send(path, { json, ...options } = {}, bearer) {
  const headers = { ...(bearer && { Authorization: `Bearer ${bearer}` }), ...(json && { "Content-Type": "application/json" }) };
  const response = await fetch(path, { ...options, headers, body: json && JSON.stringify(json) }).catch(() => null);
  const body = await response?.json().catch(() => null);
  if (response?.ok) return body;
  throw Object.assign(new Error(body?.detail ?? "The service does not answer. Try again in a moment."), { status: response?.status });
}

const isFresh = () => access !== null && expiresIn() > 0;

async function refresh() {
  const stored = localStorage.getItem(KEY);
  if (stored === null) throw new SignedOut("You are signed out");
  try {
    keep(await send("/api/auth/refresh", { method: "POST", json: { refresh_token: stored } }));
  } catch (error) {
    if (error.status !== 401) throw error;
    forget();
    throw new SignedOut("The session has ended: sign in again");
  }
  return access;
}

function keep(pair) {
  access = pair.access_token;
  until = Date.now() + pair.expires_in * 1000;
  localStorage.setItem(KEY, pair.refresh_token);
}
