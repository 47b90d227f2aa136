// The page: either the question's form or one run, as the address says (`?run=ID`).

import { alarm } from "./alarm.js";
import { call, onKeyWanted } from "./api.js";
import { AskForm } from "./ask.js";
import { byId, say } from "./elements.js";
import { deleteRun, showHistory } from "./history.js";
import { RunView } from "./run.js";

const TITLE = document.title;
let view = null;
let shown;

/** The run that the address names, or null. */
function named() {
  return new URLSearchParams(location.search).get("run");
}

function go(id) {
  const address = new URL(location.href);
  address.hash = "";
  address.search = id ? `?run=${encodeURIComponent(id)}` : "";
  history.pushState(null, "", address);
  return show();
}

/** Show what the address says. */
async function show() {
  const id = named();
  if (id === shown) return; // only the place in the page has changed
  shown = id;
  view?.close();
  view = null;
  form.hide();
  byId("new").hidden = id === null;
  byId("run").hidden = id === null;
  byId("run").replaceChildren();
  showHistory(id);
  if (id === null) {
    document.title = TITLE;
    form.begin();
    byId("question").focus();
    return;
  }
  try {
    const run = await call("GET", `api/runs/${encodeURIComponent(id)}`);
    if (named() !== id) return;
    view = new RunView(run, byId("run"), { ended, again, resumed });
  } catch (error) {
    if (named() === id) byId("run").replaceChildren(missing(error));
  }
}

function missing(error) {
  if (error.status !== 404) return alarm("This run cannot be shown", error.message);
  const todo = "The newest runs are kept, for a month. Ask again with “New question”.";
  return alarm("This run is not on this server any more", error.message, todo);
}

/** A run stands on the page as it has ended: what was answered can be followed. */
function ended(run, news) {
  if (news) showHistory(run.id);
  if (run.origin === "page" && ["ok", "degraded"].includes(run.status)) form.follow(run);
}

/** Follow the run that is shown anew: it is at work again. */
function resumed() {
  shown = undefined;
  return show();
}

async function again(run) {
  if (!run.thread.length) await go(null);
  form.again(run);
}

/** Ask for the server's key. It gives the key, or null if there is none to give. */
function askKey(refused) {
  const dialog = byId("key-dialog");
  const input = byId("key");
  say(byId("key-refused"), refused ? "The server refused that key." : "");
  input.value = "";
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "use" ? input.value.trim() : null), {
      once: true,
    });
    dialog.showModal();
  });
}

onKeyWanted(askKey);
const form = new AskForm((run) => go(run.id));

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const past = event.target.closest("a[data-run]");
  const home = event.target.closest("#home, #new");
  if (!past && !home) return;
  event.preventDefault();
  go(past ? past.dataset.run : null);
});
byId("history").addEventListener("click", async (event) => {
  const button = event.target.closest("[data-delete]");
  const id = button && (await deleteRun(button));
  if (!id) return;
  if (id === named()) return go(null);
  await showHistory(named());
  (byId("history").hidden ? byId("main") : byId("search")).focus(); // its button has gone
});
byId("search").addEventListener("input", () => showHistory(named()));
addEventListener("popstate", show);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") showHistory(named());
});

form.load();
show();
