// The judge's card: at work, then how much it found of each kind, point for point and whose.

import { el, say } from "./elements.js";
import { counted, duration, short } from "./words.js";

/** How many points of a kind are shown before the rest is folded away. */
const AT_ONCE = 4;

/** The kinds of points as the analysis names them, what the page calls them, and their style. */
const KINDS = [
  ["consensus", "Agreed", "agreed"],
  ["contradictions", "Contradictions", "contradicted"],
  ["partial_coverage", "Covered by some", "partial"],
  ["unique_insights", "Said by one alone", "alone"],
  ["blind_spots", "Missed by all", "missed"],
];

const WORDS = {
  consensus: (n) => `${n} agreed`,
  contradictions: (n) => counted(n, "contradiction"),
  partial_coverage: (n) => `${n} by some`,
  unique_insights: (n) => `${n} by one`,
  blind_spots: (n) => `${n} missed`,
};

export class JudgeCard {
  /** @param {(names: string[]) => Node} who tells which panelists said something */
  constructor(who) {
    this.who = who;
    this.line = el("p", { class: "line" }, "waits for the panel");
    this.findings = el("div", { class: "findings" });
    this.element = el(
      "details",
      { class: "card judge", open: true },
      el("summary", {}, el("span", { class: "mark", "aria-hidden": "true" }), el("h2", {}, "Judge"), this.line),
      this.findings,
    );
    this._set("waiting", "waits for the panel");
  }

  /** Take an event that is about the judge. */
  take(event) {
    switch (event.type) {
      case "analysis.in_progress":
        this._set("working", `compares ${counted(event.answers, "answer")} · ${event.model}`);
        break;
      case "analysis.completed":
        this._set("done", "has compared the answers");
        this.show(event.analysis, () => null);
        break;
      case "analysis.failed":
        this._set("failed", "could not compare the answers");
        this.findings.replaceChildren(el("p", { class: "words" }, short(event.detail, 400)));
        break;
      case "fusion.waiting":
        say(this.line, `still compares, after ${duration(event.seconds)}`);
        break;
      default:
    }
  }

  /**
   * Show an analysis.
   * @param {object} analysis as in the report
   * @param {(n: number) => Node|null} cite the mark of a source, once there is a list of them
   */
  show(analysis, cite) {
    const sections = KINDS.filter(([kind]) => analysis[kind].length).map(([kind, title, tone]) => {
      const items = analysis[kind].map((item) => el("li", {}, ...TELL[kind](item, this.who, cite)));
      return section(title, tone, items);
    });
    const nothing = el("p", { class: "quiet" }, "It found nothing to compare.");
    this.findings.replaceChildren(counts(analysis), ...(sections.length ? sections : [nothing]));
  }

  /** Whatever happens now, it has no more to say: `why` if it has said nothing. */
  stop(why) {
    if (this.state === "waiting" || this.state === "working") this._set("stopped", why);
  }

  /** Leave the space to the answer. */
  fold() {
    if (this.state === "done") this.element.open = false;
  }

  _set(state, line) {
    this.state = state;
    this.element.dataset.state = state;
    say(this.line, line);
  }
}

function counts(analysis) {
  const tag = ([kind, , tone]) => {
    const { length } = analysis[kind];
    return el("li", { class: length ? `tag ${tone}` : "tag none" }, WORDS[kind](length));
  };
  return el("ul", { class: "counts" }, ...KINDS.map(tag));
}

function section(title, tone, items) {
  const shown = items.length > AT_ONCE + 1 ? AT_ONCE : items.length;
  const rest = items.slice(shown);
  return el(
    "section",
    { class: `points ${tone}` },
    el("h3", {}, title),
    el("ul", {}, ...items.slice(0, shown)),
    rest.length ? el("details", {}, el("summary", {}, `${rest.length} more`), el("ul", {}, ...rest)) : null,
  );
}

const TELL = {
  consensus: said,
  partial_coverage: said,
  contradictions: (item, who, cite) => [
    el("p", {}, item.topic),
    el("ul", { class: "stances" }, ...sides(item.stances).map((side) => el("li", {}, ...said(side, who, cite)))),
  ],
  unique_insights: (item, who, cite) =>
    said({ point: item.insight, models: item.model ? [item.model] : [], sources: item.sources }, who, cite),
  blind_spots: (item) => [el("p", {}, item)],
};

function said(item, who, cite) {
  const marks = item.sources.map(cite).filter((mark) => mark !== null);
  const { independent } = item;
  const from = independent
    ? el("p", { class: "quiet" }, `from ${counted(independent, "independent source")}`)
    : null;
  return [el("p", {}, item.point, ...marks), who(item.models), from];
}

/** The sides of a contradiction, those who say the same together. */
function sides(stances) {
  const bySaying = new Map();
  for (const { model, stance, sources } of stances) {
    const side = bySaying.get(stance) ?? { point: stance, models: [], sources: [] };
    if (model) side.models.push(model);
    side.sources.push(...sources.filter((id) => !side.sources.includes(id)));
    bySaying.set(stance, side);
  }
  return [...bySaying.values()];
}
