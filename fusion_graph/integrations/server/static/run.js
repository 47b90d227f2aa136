// One run on the page: its events become the panel's cards, the judge's findings and the answer.

import { Draft, citing, facts, losses, sourceList } from "./answer.js";
import { ApiError, call, events } from "./api.js";
import { el, hued, say } from "./elements.js";
import { counts, points } from "./judgement.js";
import { PanelistCard } from "./panelist.js";
import { ago, counted, duration, failure, short, status } from "./words.js";

const SANDBOX = "allow-popups allow-popups-to-escape-sandbox";
const WIDE = matchMedia("(min-width: 68rem)");

export class RunView {
  /**
   * @param {object} run as `GET /api/runs/{id}` tells it
   * @param {{ changed: () => void, again: (run: object) => void }} on told when the run's status
   *     has changed, and when its question is to be asked again
   */
  constructor(run, on) {
    this.run = run;
    this.on = on;
    this.started = Date.now() - run.seconds * 1000;
    this.cards = new Map();
    this.ended = new AbortController();
    this._build();
    this._setStatus(run.status);
    this._follow();
    this.clock = setInterval(() => this._tick(), 1000);
  }

  /** Stop following; the run itself goes on. */
  close() {
    clearInterval(this.clock);
    this.ended.abort();
  }

  _build() {
    const { run } = this;
    this.pill = el("span", { class: "pill" });
    this.about = el("span", { class: "about" }, `${run.model.replace(/^fusion\//, "preset ")} · ${ago(run.started)}`);
    this.title = el("h1", { tabindex: "-1", class: run.question.length > 200 ? "long" : null }, run.question);
    this.progress = el("p", { class: "progress", role: "status" }, "The run begins");
    this.time = el("span", { class: "time" });
    this.lost = el("p", { class: "lost", role: "status" });
    this.cancel = el("button", { type: "button", hidden: true }, "Cancel");
    this.again = el("button", { type: "button", hidden: true }, "Ask again");
    this.cancel.addEventListener("click", () => this._cancel());
    this.again.addEventListener("click", () => this.on.again(run));
    this.error = el("div", { class: "alarm", role: "alert", hidden: true });

    this.grid = el("div", { class: "cards" });
    this.panel = el("section", { class: "stage panel", "aria-labelledby": "panel-title" }, el("h2", { id: "panel-title" }, "Panel"), this.grid);

    this.verdict = el("p", { class: "line" }, "waits for the panel");
    this.findings = el("div", { class: "findings" });
    this.judge = el(
      "details",
      { class: "card judge", open: true },
      el("summary", {}, el("span", { class: "mark", "aria-hidden": "true" }), el("h2", {}, "Judge"), this.verdict),
      this.findings,
    );

    this.writer = el("p", { class: "line" }, "waits for the judge");
    this.prose = el("div", { class: "prose" });
    this.lossesPlace = el("div");
    this.sources = el("section", { class: "after", hidden: true }, el("h3", {}, "Sources"));
    this.reportBar = el("div", { class: "run-bar" });
    this.answer = el(
      "section",
      { class: "card answer", "aria-labelledby": "answer-title" },
      el("div", { class: "head" }, el("span", { class: "mark", "aria-hidden": "true" }), el("h2", { id: "answer-title" }, "Answer"), this.writer),
      this.lossesPlace,
      this.prose,
      this.sources,
      el("div", { class: "after", hidden: true }, this.reportBar),
    );
    this.draft = new Draft(this.prose);
    this.reportPlace = el("div", { class: "report" });
    this.element = el(
      "article",
      { class: "run" },
      el("header", { class: "run-head" }, el("p", { class: "meta" }, this.pill, this.about), this.title,
        el("div", { class: "run-bar" }, this.progress, this.time, this.cancel, this.again), this.lost),
      this.error,
      this.panel,
      el("div", { class: "pair" }, this.judge, this.answer),
      this.reportPlace,
    );
    this._stage(this.judge, "waiting");
    this._stage(this.answer, "waiting");
  }

  async _follow() {
    try {
      for await (const event of events(this.run.id, this.ended.signal, (lost) => this._connection(lost))) {
        this._take(event);
      }
      if (this.ended.signal.aborted) return;
      this._end(await call("GET", `api/runs/${encodeURIComponent(this.run.id)}`));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this._showError("This run cannot be followed any more", error);
      this._setStatus(this.run.status === "running" ? "error" : this.run.status);
    }
  }

  _take(event) {
    const [kind] = event.type.split(".");
    if (kind === "panel" && event.name !== undefined) this._card(event.name).take(event);
    switch (event.type) {
      case "fusion.started":
        this._begin(event);
        break;
      case "call.retried":
      case "fusion.waiting":
        this._aside(event);
        break;
      case "panel.reused":
        say(this.progress, `The panel’s ${counted(event.answers, "answer")} are used again`);
        break;
      case "panel.completed":
      case "panel.failed":
        this._count();
        break;
      case "analysis.in_progress":
        this._stage(this.judge, "working");
        say(this.verdict, `compares ${counted(event.answers, "answer")} · ${event.model}`);
        say(this.progress, `The judge compares ${counted(event.answers, "answer")}`);
        break;
      case "analysis.completed":
        this._analysed(event);
        break;
      case "analysis.failed":
        this._stage(this.judge, "failed");
        say(this.verdict, "could not compare the answers");
        this.findings.replaceChildren(el("p", { class: "words" }, short(event.detail, 400)));
        break;
      case "synthesis.in_progress":
        this._writing(event.model);
        break;
      case "synthesis.restarted":
        this.draft.void();
        say(this.writer, `${event.model} broke off (${short(event.reason, 120)}); it is written again`);
        break;
      case "answer.delta":
        if (this.answer.dataset.state === "waiting") this._writing(null);
        this.draft.take(event);
        break;
      case "fusion.completed":
        this.seconds = event.seconds;
        break;
      default:
    }
  }

  _begin(event) {
    event.panel.forEach((name) => this._card(name));
    if (event.preset) {
      const why = event.preset_reason ? ` (${event.preset_reason})` : "";
      say(this.about, `preset ${event.preset}${why} · ${ago(this.run.started)}`);
    }
    if (event.invoked) {
      say(this.progress, `A panel of ${event.panel.length} is at work`);
    } else {
      this.judge.hidden = true;
      say(this.panel.querySelector("h2"), "One model");
      say(this.writer, "waits for the model");
      say(this.progress, `One model answers, without the panel: ${event.reason}`);
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
    const cards = [...this.cards.values()];
    const answered = cards.filter((card) => card.state === "done").length;
    const failed = cards.filter((card) => card.state === "failed").length;
    const tail = failed ? `, ${failed} failed` : "";
    say(this.progress, `${answered} of ${cards.length} panelists have answered${tail}`);
  }

  _aside(event) {
    if (event.stage === "panel") {
      this._card(event.name).take(event);
      return;
    }
    const line = event.stage === "judge" ? this.verdict : this.writer;
    const wait = `${failure(event.reason).what.toLowerCase()}; tries again in ${duration(event.seconds)}`;
    say(line, event.type === "call.retried" ? wait : `still at it after ${duration(event.seconds)}`);
  }

  _analysed(event) {
    this._stage(this.judge, "done");
    say(this.verdict, "has compared the answers");
    this._findings(event, event.analysis, () => null);
  }

  _findings(numbers, analysis, cite) {
    const found = analysis ? points(analysis, (names) => this._who(names), cite) : [];
    this.findings.replaceChildren(counts(numbers), ...found);
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

  _writing(model) {
    this._stage(this.answer, "working");
    this.cards.forEach((card) => card.fold());
    this.panel.classList.add("folded");
    if (!WIDE.matches && this.judge.dataset.state === "done") this.judge.open = false;
    if (this.judge.dataset.state === "waiting") this._noComparison();
    say(this.writer, model ? `is being written · ${model}` : "is being written");
    say(this.progress, "The answer is being written");
  }

  _noComparison() {
    this._stage(this.judge, "stopped");
    say(this.verdict, "had nothing to compare");
  }

  _end(run) {
    const wasRunning = this.run.status === "running";
    this.run = run;
    clearInterval(this.clock);
    this.cards.forEach((card) => card.stop(run.status === "cancelled" ? "cancelled" : "stopped"));
    if (run.report) this._reported(run);
    else this._unfinished(run);
    if (run.status === "error") this._showError("This run did not come to an answer", run.error, run.report);
    this._setStatus(run.status);
    if (wasRunning) this.on.changed();
  }

  _reported(run) {
    const { report } = run;
    const cite = citing(report.sources);
    report.answers.forEach((answer) => this._card(answer.name).report(answer, cite));
    if (report.analysis) {
      const numbers = Object.fromEntries(Object.entries(report.analysis).map(([kind, items]) => [kind, items.length]));
      this._findings(numbers, report.analysis, cite);
    } else if (this.judge.dataset.state !== "failed") {
      this._noComparison();
    }
    this.cards.forEach((card) => card.fold());
    this.panel.classList.add("folded");
    if (report.answer) {
      this.lossesPlace.replaceChildren(...[losses(report)].filter(Boolean));
      this.draft.finish(report.answer, cite);
      this._stage(this.answer, "done");
      say(this.writer, facts(report));
      if (report.sources.length) {
        this.sources.append(...sourceList(report, cite.used));
        this.sources.hidden = false;
      }
    } else {
      this._unfinished(run);
    }
    this._offerReport(run);
  }

  _unfinished(run) {
    const word = run.status === "cancelled" ? "cancelled" : "was not written";
    for (const [part, line] of [[this.judge, this.verdict], [this.answer, this.writer]]) {
      if (part.dataset.state === "done" || part.dataset.state === "failed") continue;
      say(line, part === this.judge && run.status !== "cancelled" ? "had nothing to compare" : word);
      this._stage(part, "stopped");
    }
  }

  _offerReport(run) {
    const show = el("button", { type: "button", "aria-expanded": "false" }, "Show the full report");
    const tab = el("a", { class: "button", href: run.report_url, target: "_blank", rel: "noopener" }, "Open it in a new tab");
    let frame = null;
    show.addEventListener("click", () => {
      if (frame) {
        frame.remove();
        frame = null;
      } else {
        frame = el("iframe", { src: run.report_url, title: "The full report", sandbox: SANDBOX });
        this.reportPlace.append(frame);
        frame.scrollIntoView({ block: "start" });
      }
      show.setAttribute("aria-expanded", String(Boolean(frame)));
      say(show, frame ? "Hide the full report" : "Show the full report");
    });
    this.reportBar.replaceChildren(show, tab);
    this.reportBar.parentElement.hidden = false;
  }

  _showError(title, error, report = null) {
    const members = report?.failures ?? [];
    const whole = members.length
      ? [
          el("p", { class: "what" }, members.length === 1 ? "The model did not answer" : "No panelist answered"),
          el("ul", { class: "members" }, ...members.map((member) => this._failedMember(member))),
        ]
      : [el("p", { class: "what" }, title), el("p", { class: "words" }, error.message)];
    this.error.replaceChildren(...whole);
    this.error.hidden = false;
  }

  _failedMember(member) {
    const { what, todo } = failure(member.reason);
    const model = el("span", { class: "model" }, member.model);
    return el(
      "li",
      {},
      el("p", {}, el("strong", {}, member.name), " ", model),
      el("p", {}, `${what}: `, el("span", { class: "words" }, short(member.detail, 300))),
      el("p", { class: "todo" }, todo),
    );
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
    this.answer.setAttribute("aria-busy", String(running));
    document.title = `${running ? "… " : ""}${short(this.run.question, 60)} – fusion-graph`;
    this._tick();
    if (!running) {
      const took = duration(this.seconds ?? this.run.seconds);
      const ends = { ok: `Answered in ${took}`, degraded: `Answered in ${took}, with losses`, cancelled: "Cancelled", error: "Failed" };
      say(this.progress, ends[code] ?? code);
      say(this.time, "");
    }
  }

  _tick() {
    if (this.run.status !== "running") return;
    this.cards.forEach((card) => card.tick());
    say(this.time, duration(this._now()));
  }

  async _cancel() {
    this.cancel.disabled = true;
    try {
      await call("DELETE", `api/runs/${encodeURIComponent(this.run.id)}`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this._showError("The run could not be cancelled", error);
    } finally {
      this.cancel.disabled = false;
    }
  }

  _connection(lost) {
    say(this.lost, lost ? "The connection to the server is lost; trying again. The run itself goes on." : "");
  }

  _stage(part, state) {
    part.dataset.state = state;
  }
}
