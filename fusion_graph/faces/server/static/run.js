// One run on the page: the server draws it, piece by piece; here the pieces are put in place.

import { alarm } from "./alarm.js";
import { ApiError, call, pieces } from "./api.js";
import { byId, el, say } from "./elements.js";
import { morph, parsed, replaceAfter } from "./morph.js";
import { copyAnswer, saveReport } from "./take.js";
import { ago, duration, short } from "./words.js";

/** From this width on the judge stands beside the answer, else above it; and a table is easily read. */
const WIDE = matchMedia("(min-width: 68rem)");

/** Pixels from its end within which somebody who reads along is taken further. */
const NEAR_END = 120;

const SANDBOX = "allow-popups allow-popups-to-escape-sandbox";
const LOST = "The connection to the server is lost; trying again. The run itself goes on.";

export class RunView {
  /**
   * @param {object} run as `GET /api/runs/{id}` tells it
   * @param {HTMLElement} place where it is shown
   * @param {{ ended: (run: object, news: boolean) => void, again: (run: object) => void,
   *     resumed: () => void }} on told when the run's end is on the page, and whether it has just
   *     ended; when its question is to be asked again; and when it is at work again
   */
  constructor(run, place, on) {
    this.run = run;
    this.place = place;
    this.on = on;
    this.address = `api/runs/${encodeURIComponent(run.id)}`;
    this.started = Date.now() - run.seconds * 1000;
    this.running = run.status === "running";
    this.touched = new WeakSet();
    this.folded = new WeakSet();
    this.closed = new AbortController();
    place.addEventListener("click", (event) => this._click(event), { signal: this.closed.signal });
    this.clock = setInterval(() => this._tick(), 1000);
    this._title();
    this._follow();
  }

  /** Stop following; the run itself goes on. */
  close() {
    clearInterval(this.clock);
    this.closed.abort();
  }

  async _follow() {
    const { signal } = this.closed;
    try {
      const onConnection = (lost) => this._say(".lost", lost ? LOST : "");
      for await (const piece of pieces(this.run.id, signal, onConnection)) {
        if (signal.aborted) return;
        if ("ended" in piece) this._end(piece.ended);
        else this._put(piece);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      clearInterval(this.clock);
      this._trouble("This run cannot be followed any more", error.message);
    }
  }

  _put({ id, html, keep }) {
    const old = byId(id);
    const state = old?.dataset.state;
    const focused = document.activeElement;
    if (keep !== undefined) replaceAfter(old, keep, html);
    else if (old) morph(old, parsed(html));
    else this._begin(parsed(html));
    if (focused.hidden) this.place.querySelector("[data-do=again]").focus(); // it was on “Cancel”
    this._fold();
    this._tick();
    this._scroll(byId(id), state);
  }

  _begin(article) {
    this.place.replaceChildren(article);
    const preset = this.run.model.replace(/^fusion\//, "preset ");
    this._say(".about", `${preset} · ${ago(this.run.started)}`);
    byId("run-title").focus();
    if (byId("thread")) article.querySelector(".run-head").scrollIntoView({ block: "start" });
  }

  _end(status) {
    clearInterval(this.clock);
    const news = this.running;
    this.running = false;
    this.run = { ...this.run, status };
    this._title();
    this.on.ended(this.run, news);
  }

  /** Close the cards that leave their space to the answer, each once, but not where somebody reads. */
  _fold() {
    for (const card of this.place.querySelectorAll("details[data-fold]")) {
      if (this.folded.has(card)) continue;
      this.folded.add(card);
      const beside = card.dataset.fold === "narrow" && WIDE.matches;
      if (!beside && !this.touched.has(card)) card.open = false;
    }
  }

  /** Keep what is new in sight, unless the reader has scrolled up; of what has ended, the beginning. */
  _scroll(changed, before) {
    const card = changed.closest(".panelist");
    if (!card) return;
    const body = card.querySelector(".body");
    const left = body.scrollHeight - body.scrollTop - body.clientHeight;
    if (card.dataset.state === "working") {
      if (left < NEAR_END) body.scrollTop = body.scrollHeight;
    } else if (before === "working") body.scrollTop = 0;
  }

  _tick() {
    const now = Math.max(0, (Date.now() - this.started) / 1000);
    for (const clock of this.place.querySelectorAll("[data-since]")) {
      const time = duration(Math.max(0, now - Number(clock.dataset.since)));
      say(clock, clock.matches(".tick") ? ` · ${time}` : time);
    }
  }

  _title() {
    document.title = `${this.running ? "… " : ""}${short(this.run.question, 60)} – fusion-graph`;
  }

  _click(event) {
    // Who opens or closes something in a card is reading there.
    if (event.target.closest("summary")) this.touched.add(event.target.closest(".card"));
    const button = event.target.closest("[data-do]");
    if (button?.dataset.do === "cancel") this._cancel(button);
    else if (button?.dataset.do === "resume") this._resume(button);
    else if (button?.dataset.do === "again") this.on.again(this.run);
    else if (button?.dataset.do === "report") this._report(button);
    else if (button?.dataset.do === "copy") this._take(button, "copied", () => this._copy());
    else if (button?.dataset.do === "save") this._take(button, "saved", () => this._save(button.dataset.kind));
  }

  async _copy() {
    const copied = await copyAnswer(this.address);
    say(byId("taken"), copied ? "Copied as Markdown." : "The browser did not let it be copied: mark it, or save it.");
  }

  async _save(kind) {
    await saveReport(this.run, this.address, kind);
    say(byId("taken"), `Saved as ${kind.toUpperCase()}.`);
  }

  async _take(button, done, take) {
    button.disabled = true;
    say(byId("taken"), "");
    try {
      await take();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      say(byId("taken"), `It could not be ${done}: ${error.message}`);
    } finally {
      button.disabled = false;
      button.focus();
    }
  }

  async _cancel(button) {
    button.disabled = true;
    try {
      await call("DELETE", this.address);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this._trouble("The run could not be cancelled", error.message);
    } finally {
      button.disabled = false;
    }
  }

  /** Have a run go on that a restart of the server has interrupted. */
  async _resume(button) {
    button.disabled = true;
    try {
      await call("POST", `${this.address}/resume`);
      this.on.resumed();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this._trouble("The run could not go on", error.message);
    } finally {
      button.disabled = false;
    }
  }

  /** Show the report, in a frame that runs nothing, or hide it again. */
  _report(button) {
    const place = byId("report-frame");
    const shown = !place.firstChild;
    if (shown) {
      const { href } = button.nextElementSibling;
      place.append(el("iframe", { src: href, title: "The full report", sandbox: SANDBOX }));
      place.firstChild.scrollIntoView({ block: "start" });
    } else {
      place.replaceChildren();
    }
    button.setAttribute("aria-expanded", String(shown));
    say(button, shown ? "Hide the full report" : "Show the full report");
  }

  _trouble(title, words) {
    const place = byId("trouble") ?? this.place;
    place.replaceChildren(alarm(title, words));
  }

  _say(selector, text) {
    const element = this.place.querySelector(selector);
    if (element) say(element, text);
  }
}
