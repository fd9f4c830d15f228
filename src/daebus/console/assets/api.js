// The server of the page. Everything is asked for below the folder of this file, whatever a proxy has put before it.

const API = new URL("../api/", import.meta.url);

function address(path, query = {}) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query)) if (value !== "" && value != null) url.searchParams.set(name, value);
  return url;
}

/** An answer that is an error: its message is a sentence for people. */
export class Problem extends Error {}

async function checked(response) {
  if (response.ok) return response;
  if (response.status === 401) location.reload();
  let detail = `The console answers with ${response.status}`;
  try {
    detail = (await response.json()).detail ?? detail;
  } catch { /* not from the console */ }
  throw new Problem(detail);
}

async function asked(url, options) {
  try {
    return await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The console cannot be reached");
  }
}

export async function read(path, query) {
  return (await checked(await asked(address(path, query)))).json();
}

/** An act; `body` is JSON as text, so that large numbers stay what they are. */
export async function act(path, body, signal) {
  const options = { method: "POST", headers: { "content-type": "application/json" }, body, signal };
  return checked(await asked(address(path), options));
}

/** The lines of JSON of a response, as they come. */
export async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part) yield JSON.parse(part);
  }
}

/**
 * Follow a stream of states until the returned function is called. A page that is not visible follows nothing.
 * `tell(state)`: a state. `status(isLive)`: whether they come.
 */
export function follow(path, query, tell, status) {
  let source = null;
  let again = 0;
  const open = () => {
    source = new EventSource(address(path, query));
    source.onmessage = event => {
      status(true);
      tell(JSON.parse(event.data));
    };
    source.onerror = () => {
      status(false);
      if (source.readyState !== EventSource.CLOSED) return;
      again = setTimeout(retry, 2000);
    };
  };
  const retry = () => read("about").then(open, () => { again = setTimeout(retry, 2000); });
  const close = () => {
    clearTimeout(again);
    source?.close();
    source = null;
  };
  const look = () => {
    if (document.hidden) close();
    else if (!source) open();
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    close();
  };
}
