// What the page says about a run, in words: the same facts as the command line's, for readers.

const PLACE_CHARACTERS = 60;

/** `1 call`, `3 calls`, `2 searches`. */
export function counted(number, noun) {
  if (number === 1) return `1 ${noun}`;
  const plural = noun.endsWith("h") ? "es" : "s";
  return `${number.toLocaleString("en")} ${noun}${plural}`;
}

/** A duration as people read it: `0.4 s`, `12 s`, `2 min 5 s`. */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Dollars; unknown money is never told as none. */
export function money(dollars) {
  if (dollars === null || dollars === undefined) return "cost unknown";
  return dollars === 0 ? "no cost" : `$${dollars.toFixed(dollars < 0.1 ? 4 : 2)}`;
}

/** One line, cut at so many characters. */
export function short(text, limit = 160) {
  const line = String(text).replace(/\s+/g, " ").trim();
  return line.length <= limit ? line : `${line.slice(0, limit - 1)}…`;
}

/** Where a page is, shortly: host and path, or a document's name. */
export function place(url) {
  try {
    const parts = new URL(url);
    const web = parts.protocol === "http:" || parts.protocol === "https:";
    const path = decodeURI(parts.pathname).replace(/\/$/, "");
    return short(web ? parts.host.replace(/^www\./, "") + path : path.replace(/^\/+/, ""), PLACE_CHARACTERS);
  } catch {
    return short(url, PLACE_CHARACTERS);
  }
}

/** A tool call as somebody's doing: the verb while it goes on, the verb when it is done, its object. */
export function doing(tool, args) {
  if (tool === "web_search") {
    return { now: "Searching", then: "Searched", what: `“${short(args?.query ?? "")}”` };
  }
  if (tool === "web_fetch") {
    return { now: "Reading", then: "Read", what: place(String(args?.url ?? "")) };
  }
  return { now: "Using", then: "Used", what: short(tool, PLACE_CHARACTERS) };
}

/** What became of a tool call, from its `panel.tool.completed`. */
export function outcome(event) {
  if (event.status !== "ok") return short(event.status.replaceAll("_", " "), 40);
  return event.tool === "web_search" ? `${event.found} found` : "";
}

/** What a panelist did besides writing: `2 searches, 3 pages`. */
export function effort(tools) {
  const searches = tools.filter((tool) => tool === "web_search").length;
  const pages = tools.filter((tool) => tool === "web_fetch").length;
  const others = tools.length - searches - pages;
  const parts = [];
  if (searches) parts.push(counted(searches, "search"));
  if (pages) parts.push(counted(pages, "page"));
  if (others) parts.push(counted(others, "tool call"));
  return parts.join(", ");
}

const REASONS = {
  auth: ["The key was refused", "Check the API key in the server’s environment, and that it may use this model."],
  insufficient_credits: ["No credit left", "Top up the account at the provider, or choose another model."],
  rate_limited: ["Too many requests", "Wait a little and ask again, or choose another model."],
  invalid_model: ["No such model", "Check the model’s name; the provider may have renamed or retired it."],
  timed_out: ["No answer in time", "Ask again, or choose a faster model."],
  empty_answer: ["An empty answer", "Ask again; a reasoning model may need more tokens per call."],
  context_length: ["The question is too long for it", "Shorten the question, or choose a model with a longer context."],
  content_filter: ["Withheld by the provider’s filter", "Put the question differently, or choose another model."],
  unsupported_input: ["It cannot take this input", "Choose a model that can."],
  bad_request: ["The provider refused the request", "Its words say why; another model may take it."],
  upstream_error: ["The provider could not be reached, or failed", "Check the address and the provider’s status, then ask again."],
  over_budget: ["No money left for it", "Raise max_cost_usd, or choose cheaper models."],
  internal_error: ["Something broke here", "The server’s log has the details. Please report it."],
};

/** Why a panelist failed, and what to do: `{ what, todo }`. */
export function failure(reason) {
  const [what, todo] = REASONS[reason] ?? [short(String(reason).replaceAll("_", " "), 60), ""];
  return { what, todo };
}

/** A run's status, as a word or two. */
export function status(code) {
  const words = {
    running: "at work",
    ok: "answered",
    degraded: "answered, with losses",
    error: "failed",
    cancelled: "cancelled",
  };
  return words[code] ?? code;
}

/** How long ago, roughly: `just now`, `5 min ago`, `3 h ago`, a date. */
export function ago(unixSeconds) {
  const seconds = Date.now() / 1000 - unixSeconds;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(unixSeconds * 1000).toLocaleDateString("en", { day: "numeric", month: "short" });
}
