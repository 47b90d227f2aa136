// One run on the page: its events go to the panel's cards, the judge's and the answer's.

import { alarm, nobodyAnswered } from "./alarm.js";
import { AnswerCard, citing } from "./answer.js";
import { ApiError, call, events } from "./api.js";
import { el, hued, say } from "./elements.js";
import { JudgeCard } from "./judgement.js";
import { PanelistCard } from "./panelist.js";
import { reportButtons } from "./report.js";
import { ago, counted, duration, failure, short, status } from "./words.js";

/** From this width on the judge stands beside the answer, else above it. */
const WIDE = matchMedia("(min-width: 68rem)");

export class RunView {
  /**
   * @param {object} run as `GET /api/runs/{id}` tells it
   * @param {{ changed: () => void, again: (run: object) => void }} on told when the run has ended,
   *     and when its question is to be asked again
   */
  constructor(run, on) {
    this.run = run;
    this.on = on;
    this.address = `api/runs/${encodeURIComponent(run.id)}`;
    this.started = Date.now() - run.seconds * 1000;
    this.cards = new Map();
    this.closed = new AbortController();
    this._build();
    this._setStatus(run.status);
    this._follow();
    this.clock = setInterval(() => this._tick(), 1000);
  }

  /** Stop following; the run itself goes on. */
  close() {
    clearInterval(this.clock);
    this.closed.abort();
  }

  _build() {
    const { run } = this;
    this.pill = el("span", { class: "pill" });
    const about = `${run.model.replace(/^fusion\//, "preset ")} · ${ago(run.started)}`;
    this.title = el("h1", { tabindex: "-1", class: run.question.length > 200 ? "long" : null }, run.question);
    this.progress = el("p", { class: "progress", role: "status" }, "The run begins");
    this.time = el("span", { class: "time" });
    this.lost = el("p", { class: "lost", role: "status" });
    this.cancel = el("button", { type: "button", hidden: true }, "Cancel");
    this.again = el("button", { type: "button", hidden: true }, "Ask again");
    this.cancel.addEventListener("click", () => this._cancel());
    this.again.addEventListener("click", () => this.on.again(run));
    this.alarms = el("div");
    this.panelTitle = el("h2", { id: "panel-title" }, "Panel");
    this.grid = el("div", { class: "cards" });
    this.panel = el("section", { "aria-labelledby": "panel-title" }, this.panelTitle, this.grid);
    this.judge = new JudgeCard((names) => this._who(names));
    this.answer = new AnswerCard();
    this.reportPlace = el("div", { class: "report" });
    const bar = el("div", { class: "run-bar" }, this.progress, this.time, this.cancel, this.again);
    this.element = el(
      "article",
      { class: "run" },
      el("header", { class: "run-head" }, el("p", { class: "meta" }, this.pill, el("span", { class: "about" }, about)), this.title, bar, this.lost),
      this.alarms,
      this.panel,
      el("div", { class: "pair" }, this.judge.element, this.answer.element),
      this.reportPlace,
    );
  }

  async _follow() {
    try {
      for await (const event of events(this.run.id, this.closed.signal, (lost) => this._connection(lost))) {
        this._take(event);
      }
      if (!this.closed.signal.aborted) this._end(await call("GET", this.address));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.alarms.replaceChildren(alarm("This run cannot be followed any more", error.message));
      this._setStatus(this.run.status === "running" ? "error" : this.run.status);
    }
  }

  _take(event) {
    switch (event.type) {
      case "fusion.started":
        this._begin(event);
        break;
      case "panel.reused":
        say(this.progress, `The panel’s ${counted(event.answers, "answer")} are used again`);
        break;
      case "call.retried":
      case "fusion.waiting":
        this._delayed(event);
        break;
      case "analysis.in_progress":
        say(this.progress, `The judge compares ${counted(event.answers, "answer")}`);
        this.judge.take(event);
        break;
      case "analysis.completed":
      case "analysis.failed":
        this.judge.take(event);
        break;
      case "synthesis.in_progress":
        this._write(event.model);
        break;
      case "answer.delta":
        if (this.answer.state === "waiting") this._write(null);
        this.answer.take(event);
        break;
      case "verify.in_progress":
        say(this.progress, "The answer is being checked");
        this.answer.take(event);
        break;
      case "synthesis.restarted":
      case "verify.completed":
      case "verify.failed":
        this.answer.take(event);
        break;
      case "fusion.completed":
        this.seconds = event.seconds;
        break;
      default:
        if (event.type.startsWith("panel.")) this._card(event.name).take(event);
        if (event.type === "panel.completed" || event.type === "panel.failed") this._count();
    }
  }

  _begin(event) {
    event.panel.forEach((name) => this._card(name));
    if (event.invoked) {
      say(this.progress, `A panel of ${event.panel.length} is at work`);
    } else {
      this.judge.element.hidden = true;
      this.answer.alone();
      say(this.panelTitle, "One model");
      say(this.progress, `One model answers: ${event.reason}`);
    }
  }

  _card(name) {
    let card = this.cards.get(name);
    if (!card) {
      card = new PanelistCard(name, this.cards.size, (at) => this._now() - at);
      this.cards.set(name, card);
      this.grid.append(card.element);
    }
    return card;
  }

  /** Seconds since the run began, by the server's clock. */
  _now() {
    return Math.max(0, (Date.now() - this.started) / 1000);
  }

  _count() {
    const states = [...this.cards.values()].map((card) => card.state);
    const answered = states.filter((state) => state === "done").length;
    const failed = states.filter((state) => state === "failed").length;
    const tail = failed ? `, ${failed} failed` : "";
    say(this.progress, `${answered} of ${counted(states.length, "panelist")} answered${tail}`);
  }

  /** Somebody is silent, or waits before asking again. */
  _delayed(event) {
    const place = { judge: this.judge, synthesis: this.answer, verify: this.answer }[event.stage];
    if (event.stage === "panel" || event.stage === "direct") this._card(event.name).take(event);
    else if (event.type === "fusion.waiting") place?.take(event);
    else if (place) {
      const why = failure(event.reason).what.toLowerCase();
      say(place.line, `${why}; tries again in ${duration(event.seconds)}`);
    }
  }

  /** Who of the panel said something: how many, and each in its colour, in panel order. */
  _who(names) {
    const answered = [...this.cards.values()].filter((card) => card.state === "done").length;
    const panel = [...this.cards.keys()];
    const members = [...new Set(names)]
      .map((name) => ({ name, place: panel.indexOf(name) }))
      .sort((a, b) => a.place - b.place)
      .map(({ name, place }) => {
        const dot = place < 0 ? null : hued(el("span", { class: "hue" }), place);
        return el("span", { class: "member" }, dot, name);
      });
    const share = members.length ? el("span", { class: "share" }, `${members.length} of ${answered}`) : null;
    return el("p", { class: "who" }, share, ...members);
  }

  /** The answer's turn: the others leave it the space. */
  _write(model) {
    this._fold();
    if (!WIDE.matches) this.judge.fold();
    this.judge.stop("had nothing to compare");
    this.answer.begin(model);
    say(this.progress, "The answer is being written");
  }

  _fold() {
    this.cards.forEach((card) => card.fold());
    this.panel.classList.add("folded");
  }

  _end(run) {
    const wasRunning = this.run.status === "running";
    this.run = run;
    clearInterval(this.clock);
    const cancelled = run.status === "cancelled";
    this.cards.forEach((card) => card.stop(cancelled ? "cancelled" : "stopped"));
    if (run.report) this._report(run);
    this.judge.stop(cancelled ? "cancelled" : "had nothing to compare");
    this.answer.stop(cancelled ? "cancelled" : "was not written");
    if (run.status === "error") {
      const failures = run.report?.failures ?? [];
      const title = "This run did not come to an answer";
      this.alarms.replaceChildren(failures.length ? nobodyAnswered(failures) : alarm(title, run.error.message));
    }
    this._setStatus(run.status);
    if (wasRunning) this.on.changed();
  }

  _report({ report, citations, claims, report_url: address, status: code }) {
    const cite = citing(report.sources);
    report.answers.forEach((answer) => this._card(answer.name).report(answer, cite, citations.answers[answer.name]));
    if (report.analysis) this.judge.show(report.analysis, cite);
    this._fold();
    if (report.answer) this.answer.report(report, cite, citations.answer, claims);
    else if (code !== "error") this.answer.stop("none: the writer called tools of the application that asked");
    this.answer.below(...reportButtons(address, this.reportPlace));
  }

  _setStatus(code) {
    this.element.dataset.status = code;
    say(this.pill, status(code));
    this.pill.className = `pill ${code}`;
    const running = code === "running";
    const cancelling = document.activeElement === this.cancel;
    this.cancel.hidden = !running;
    this.again.hidden = running;
    if (cancelling && !running) this.again.focus();
    document.title = `${running ? "… " : ""}${short(this.run.question, 60)} – fusion-graph`;
    this._tick();
    if (running) return;
    const took = duration(this.seconds ?? this.run.seconds);
    const ends = { ok: `Answered in ${took}`, degraded: `Answered in ${took}, with losses`, cancelled: "Cancelled" };
    say(this.progress, ends[code] ?? "Failed");
    say(this.time, "");
  }

  _tick() {
    if (this.element.dataset.status !== "running") return;
    this.cards.forEach((card) => card.tick());
    say(this.time, duration(this._now()));
  }

  async _cancel() {
    this.cancel.disabled = true;
    try {
      await call("DELETE", this.address);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.alarms.replaceChildren(alarm("The run could not be cancelled", error.message));
    } finally {
      this.cancel.disabled = false;
    }
  }

  _connection(lost) {
    say(this.lost, lost ? "The connection to the server is lost; trying again. The run itself goes on." : "");
  }
}
