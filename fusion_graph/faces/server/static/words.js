// What the page itself says in words; what it shows of a run comes in the server's.

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

/** One line, cut at so many characters. */
export function short(text, limit = 160) {
  const line = String(text).replace(/\s+/g, " ").trim();
  return line.length <= limit ? line : `${line.slice(0, limit - 1)}…`;
}

/** A run's status, as a word or two. */
export function status(code) {
  const words = {
    running: "at work",
    ok: "answered",
    degraded: "answered, with losses",
    error: "failed",
    cancelled: "cancelled",
    interrupted: "interrupted",
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
