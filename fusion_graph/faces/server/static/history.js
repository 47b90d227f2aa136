// The questions asked on this server, newest first; each opens its run again.

import { call } from "./api.js";
import { byId, el } from "./elements.js";
import { ago, counted, short, status } from "./words.js";

/** How often to look whether a run that nobody follows here has ended. */
const AGAIN_SECONDS = 5;

let timer = 0;

/**
 * Show the list.
 * @param {string|null} current the run that is open
 */
export async function showHistory(current) {
  clearTimeout(timer);
  let runs, others;
  try {
    ({ runs, others } = await call("GET", "api/runs"));
  } catch {
    return; // what is shown stays; the run itself says that the server is gone
  }
  clearTimeout(timer);
  if ([...runs, ...others].some((run) => run.status === "running" && run.id !== current)) {
    timer = setTimeout(() => showHistory(current), AGAIN_SECONDS * 1000);
  }
  byId("history").hidden = !runs.length && !others.length;
  byId("runs").replaceChildren(...runs.map((run) => item(run, current)));
  // What programs ask would push out what people asked here: it is folded.
  byId("programs").hidden = !others.length;
  byId("programs-title").textContent = `${counted(others.length, "run")} of programs`;
  byId("others").replaceChildren(...others.map((run) => item(run, current)));
}

function item(run, current) {
  const about = `${status(run.status)} · ${run.model.replace(/^fusion\//, "")} · ${ago(run.started)}`;
  return el(
    "li",
    {},
    el(
      "a",
      { href: `?run=${encodeURIComponent(run.id)}`, "aria-current": run.id === current ? "page" : null, "data-run": run.id },
      el("span", { class: `dot ${run.status}`, "aria-hidden": "true" }),
      el("span", { class: "asked" }, short(run.question, 140)),
      el("span", { class: "about" }, about),
    ),
  );
}
