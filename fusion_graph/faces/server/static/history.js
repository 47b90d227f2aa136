// The questions asked on this server, newest first: each opens its run again; searched and deleted.

import { ApiError, call } from "./api.js";
import { byId, el, say } from "./elements.js";
import { ago, counted, short, status } from "./words.js";

/** How often to look whether a run that nobody follows here has ended. */
const AGAIN_SECONDS = 5;

let timer = 0;
let looks = 0;

/**
 * Show the list: all of it, or what the search finds.
 * @param {string|null} current the run that is open
 */
export async function showHistory(current) {
  clearTimeout(timer);
  const look = ++looks;
  const words = byId("search").value.trim();
  let runs, others;
  try {
    ({ runs, others } = await call("GET", words ? `api/runs?q=${encodeURIComponent(words)}` : "api/runs"));
  } catch {
    return; // what is shown stays; the run itself says that the server is gone
  }
  if (look !== looks) return; // a later look has begun: its list is the newer
  if ([...runs, ...others].some((run) => run.status === "running" && run.id !== current)) {
    timer = setTimeout(() => showHistory(current), AGAIN_SECONDS * 1000);
  }
  byId("history").hidden = !words && !runs.length && !others.length;
  const found = runs.length + others.length;
  say(byId("found"), words ? (found ? `${found} found` : "Nothing found: no question or answer has these words.") : "");
  byId("runs").replaceChildren(...runs.map((run) => item(run, current, true)));
  // What programs ask would push out what people asked here: it is folded, unless looked for.
  byId("programs").hidden = !others.length;
  if (words) byId("programs").open = true;
  byId("programs-title").textContent = `${counted(others.length, "run")} of programs`;
  byId("others").replaceChildren(...others.map((run) => item(run, current, false)));
}

/**
 * Delete a run, if its reader says so once more.
 * @param {HTMLElement} button of the run, in the list
 * @returns {Promise<string|null>} the id of what was deleted
 */
export async function deleteRun(button) {
  const id = button.dataset.delete;
  if (!(await confirmed(button))) return null;
  try {
    await call("DELETE", `api/runs/${encodeURIComponent(id)}?forget=true`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status !== 404) {
      say(byId("found"), `It could not be deleted: ${error.message}`);
      return null;
    }
  }
  return id;
}

function confirmed(button) {
  const dialog = byId("delete-dialog");
  const { running, followed } = button.dataset;
  say(byId("delete-what"), button.previousElementSibling.querySelector(".asked").textContent);
  const notes = [
    running === undefined ? "" : "It is still at work and will be stopped.",
    followed === undefined ? "" : "The follow-ups to it still hold it in their threads: delete those too.",
    "This cannot be undone.",
  ];
  say(byId("delete-note"), notes.filter(Boolean).join(" "));
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
    dialog.showModal();
  });
}

function item(run, current, deletable) {
  const place = run.thread.length ? "follow-up · " : "";
  const about = `${place}${status(run.status)} · ${run.model.replace(/^fusion\//, "")} · ${ago(run.started)}`;
  const asked = short(run.question, 140);
  return el(
    "li",
    {},
    el(
      "a",
      { href: `?run=${encodeURIComponent(run.id)}`, "aria-current": run.id === current ? "page" : null, "data-run": run.id },
      el("span", { class: `dot ${run.status}`, "aria-hidden": "true" }),
      el("span", { class: "asked" }, asked),
      el("span", { class: "about" }, about),
    ),
    deletable ? remove(run, asked) : null,
  );
}

function remove(run, asked) {
  const attributes = {
    type: "button",
    class: "plain remove",
    "aria-label": `Delete “${asked}”`,
    "data-delete": run.id,
    "data-running": run.status === "running",
    "data-followed": run.followed,
  };
  return el("button", attributes, "✕");
}
