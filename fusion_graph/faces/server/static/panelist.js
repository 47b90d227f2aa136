// One panelist's card: what it searches, reads and writes while it works, then its answer.

import { el, hued, say, soon } from "./elements.js";
import { Markdown } from "./markdown.js";
import { counted, doing, duration, effort, failure, outcome, short } from "./words.js";

const FAILED = { web_search: "Search failed:", web_fetch: "Not read:" };

export class PanelistCard {
  /**
   * @param {string} name
   * @param {number} index its place in the panel, from 0
   * @param {(at: number) => number} since seconds since a moment of the run
   */
  constructor(name, index, since) {
    this.name = name;
    this.since = since;
    this.state = "waiting";
    this.began = 0;
    this.turn = 0;
    this.text = "";
    this.now = "waits for its turn";
    this.tools = [];
    this.mark = el("span", { class: "mark", "aria-hidden": "true" });
    this.model = el("span", { class: "model" });
    this.line = el("span", { class: "line" }, this.now);
    this.steps = el("ol", { class: "steps" });
    this.written = el("div", { class: "prose" });
    this.more = el("details", { class: "more", hidden: true }, el("summary"), el("div"));
    this.problem = el("div", { class: "problem", hidden: true });
    this.body = el(
      "div",
      { class: "body", tabindex: "0", role: "group", "aria-label": `What ${name} does and writes` },
      this.steps,
      this.more,
      this.problem,
      this.written,
    );
    this.summary = el(
      "summary",
      {},
      this.mark,
      el("h3", { class: "name" }, hued(el("span", { class: "hue" }), index), name),
      this.model,
      this.line,
    );
    this.element = el("details", { class: "card panelist", open: true }, this.summary, this.body);
    this.markdown = new Markdown(this.written);
    this.write = soon(() => this._write());
    this.summary.addEventListener("click", () => {
      this.touched = true;
    });
    this._set("waiting");
  }

  /** Take an event that is about this panelist. */
  take(event) {
    switch (event.type) {
      case "panel.added":
        this.began = event.at;
        say(this.model, event.model);
        this.now = "thinking";
        this._set("working");
        break;
      case "panel.tool":
        this._begin(event);
        break;
      case "panel.tool.completed":
        this._end(event);
        break;
      case "panel.delta":
        this._delta(event);
        break;
      case "call.retried":
        this.now = `${failure(event.reason).what.toLowerCase()}; tries again in ${duration(event.seconds)}`;
        break;
      case "panel.replaced":
        this._replaced(event);
        break;
      case "fusion.waiting":
        this.now = "no word yet";
        break;
      case "panel.completed":
        this._completed(event);
        break;
      case "panel.failed":
        this._failed(event);
        break;
      default:
    }
    this.tick();
  }

  /** Show the time that runs. */
  tick() {
    if (this.state !== "working") return;
    say(this.line, `${this.now} · ${duration(this.since(this.began))}`);
  }

  /** The run has ended before this panelist did. */
  stop(word) {
    if (this.state !== "working" && this.state !== "waiting") return;
    say(this.line, word);
    this._set("stopped");
  }

  /** The panel's work is done: leave the space to the answer, unless somebody is reading here. */
  fold() {
    if (!this.touched) this.element.open = false;
  }

  /** Show the answer as the report has it: its citations are those of the list of sources. */
  report(answer, cite, marks) {
    if (answer.status !== "ok") return;
    this.text = answer.content;
    this.markdown.show(this.text, cite, marks);
  }

  _begin(event) {
    const { now, then, what } = doing(event.tool, event.args);
    const verb = el("span", { class: "verb" }, now);
    const note = el("span", { class: "note" });
    const item = el("li", { class: "doing" }, verb, " ", el("span", { class: "what" }, what), " ", note);
    this.steps.append(item);
    this.tools.push({ tool: event.tool, item, verb, note, then });
    this.now = `${now.toLowerCase()} ${short(what, 60)}`;
    this._follow();
  }

  _end(event) {
    // Events do not say which of several calls of a tool it was: the one that began first.
    const step = this.tools.find((one) => one.tool === event.tool && !one.ended);
    if (!step) return;
    step.ended = true;
    step.item.className = event.status === "ok" ? "done" : "failed";
    say(step.verb, event.status === "ok" ? step.then : (FAILED[event.tool] ?? "Failed:"));
    const took = event.seconds < 1 ? "" : duration(event.seconds);
    say(step.note, [outcome(event), took].filter(Boolean).join(", "));
    if (this.tools.every((one) => one.ended)) this.now = "thinking";
  }

  _delta(event) {
    if (event.turn !== this.turn) {
      this.turn = event.turn;
      this.text = "";
    }
    this.text += event.text;
    this.now = "writing";
    this.write();
  }

  _write() {
    this.markdown.show(this.text);
    this._follow();
  }

  /** Keep what is new in sight, unless the reader has scrolled up. */
  _follow() {
    const { body } = this;
    if (this.state === "working" && body.scrollHeight - body.scrollTop - body.clientHeight < 120) {
      body.scrollTop = body.scrollHeight;
    }
  }

  /** The model failed, and another is asked in its place. */
  _replaced(event) {
    const why = `${failure(event.failure.reason).what}: ${short(event.failure.detail, 200)}`;
    this.steps.append(
      el("li", { class: "failed" }, el("span", { class: "what" }, event.model), ` ${why}`),
    );
    say(this.model, event.by);
    this.now = "thinking";
    this.tools.forEach((step) => {
      step.ended = true;
    });
    this.text = "";
    this.write();
  }

  _completed(event) {
    this.text = event.content ?? this.text;
    this._write();
    const did = effort(this.tools.map((step) => step.tool));
    this._tuckSteps();
    say(this.line, `answered in ${duration(event.seconds)}${did ? ` · ${did}` : ""}`);
    const asked = [event.model, event.model.replace(/^[^:]*:/, "")].map((name) => name.toLowerCase());
    const others = (event.served ?? []).filter((name) => !asked.includes(name.toLowerCase()));
    if (others.length) say(this.model, `${event.model} · answered by ${short(others.join(", "))}`);
    this._set("done");
    this.body.scrollTop = 0;
  }

  _failed(event) {
    const { what, todo } = failure(event.reason);
    const kept = this.text ? "What it had written so far:" : "";
    this.problem.replaceChildren(
      el("p", { class: "words" }, short(event.detail, 400)),
      ...(todo ? [el("p", { class: "todo" }, todo)] : []),
      ...(kept ? [el("p", { class: "kept" }, kept)] : []),
    );
    this.problem.hidden = false;
    this._tuckSteps();
    say(this.line, `${what.toLowerCase()}, after ${duration(event.seconds)}`);
    this._set("failed");
    this.body.scrollTop = 0;
  }

  /** The answer comes first now: what led to it is folded away above it. */
  _tuckSteps() {
    if (!this.steps.children.length) return;
    const [summary, place] = this.more.children;
    say(summary, counted(this.steps.children.length, "step"));
    place.append(this.steps);
    this.more.hidden = false;
  }

  _set(state) {
    this.state = state;
    this.element.dataset.state = state;
  }
}
