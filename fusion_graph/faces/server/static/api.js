// The server's JSON interface: one place that knows addresses, the key, and what an error looks like.

const KEY = "fusion-graph-key";
const AGAIN_SECONDS = [0.5, 1, 2, 4, 8];

/** The server says something every 5 seconds: a stream silent for longer than this is lost. */
const SILENT_SECONDS = 20;

/** What the server refused or could not do; `message` is its own words. */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status; 0 where no reply came
   * @param {string} code
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

let askKey = async () => null;
let asking = null;

/** Say how the server's key is asked for: a function that gives it, or null if nobody has one. */
export function onKeyWanted(ask) {
  askKey = ask;
}

/** The reply to a request as data. Raises `ApiError`. */
export async function call(method, path, body) {
  const response = await request(method, path, body);
  return response.status === 204 ? null : response.json();
}

/** The reply to a request for a text. Raises `ApiError`. */
export async function text(path) {
  return (await request("GET", path)).text();
}

/**
 * The pieces of a run's view, live until the run has ended: all of it, then what changes. After a
 * lost connection all of it comes again.
 * @param {string} id the run
 * @param {AbortSignal} signal ends it
 * @param {(lost: boolean) => void} onConnection told when the connection is lost and back
 */
export async function* pieces(id, signal, onConnection) {
  let failures = 0;
  let ended = false;
  while (!ended && !signal.aborted) {
    try {
      const response = await request("GET", `api/runs/${encodeURIComponent(id)}/cards`, undefined, signal);
      onConnection(false);
      for await (const message of messages(response.body)) {
        failures = 0;
        ended ||= "ended" in message;
        yield message;
      }
      if (ended) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status && error.status < 500) throw error;
    }
    onConnection(true);
    const seconds = AGAIN_SECONDS[Math.min(failures, AGAIN_SECONDS.length - 1)];
    failures += 1;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

async function request(method, path, body, signal) {
  const options = { method, headers: {}, signal, cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    if (key) options.headers.Authorization = `Bearer ${key}`;
    let response;
    try {
      response = await fetch(path, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "unreachable", "The server does not answer. Is it still running?");
    }
    if (response.ok) return response;
    if (response.status !== 401 || !(await newKey(key))) throw await refusal(response);
  }
}

/** Ask for the key, once for all requests that want it. Whether there is a new one. */
async function newKey(refused) {
  if (sessionStorage.getItem(KEY) !== refused) return true;
  asking ??= askKey(refused !== null).finally(() => {
    asking = null;
  });
  const key = await asking;
  if (key) sessionStorage.setItem(KEY, key);
  return Boolean(key);
}

async function refusal(response) {
  try {
    const { error } = await response.json();
    return new ApiError(response.status, error.code ?? error.type ?? "error", String(error.message));
  } catch {
    return new ApiError(response.status, "error", `The server answered ${response.status}.`);
  }
}

/** The messages of a server-sent event stream. Comments, which only keep it open, are dropped. */
async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { value, done } = await soonOr(reader.read(), SILENT_SECONDS);
      if (done) return;
      text = (text + value).replaceAll("\r\n", "\n");
      const parts = text.split("\n\n");
      text = parts.pop();
      for (const part of parts) {
        const message = parsed(part);
        if (message) yield message;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** What a promise gives, or an error after so many seconds. */
async function soonOr(promise, seconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("silent for too long")), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function parsed(part) {
  const lines = part.split("\n").filter((line) => line.startsWith("data:"));
  return lines.length ? JSON.parse(lines.map((line) => line.slice(5)).join("\n")) : null;
}
