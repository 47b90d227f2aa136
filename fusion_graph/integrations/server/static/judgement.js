// What the judge found: how much of each kind, then point for point with who said it.

import { el } from "./elements.js";
import { counted } from "./words.js";

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

/** The counts as a row of tags. `event` is an `analysis.completed`. */
export function counts(event) {
  return el(
    "ul",
    { class: "counts" },
    ...KINDS.map(([kind, , tone]) =>
      el("li", { class: `tag ${tone}${event[kind] ? "" : " none"}` }, WORDS[kind](event[kind] ?? 0)),
    ),
  );
}

/**
 * The analysis, point for point.
 * @param {object} analysis as in the report
 * @param {(names: string[]) => Node} who tells which panelists said something
 * @param {(n: number) => Node|null} cite the mark of a source, once there is a list of them
 */
export function points(analysis, who, cite) {
  const sections = KINDS.filter(([kind]) => analysis[kind]?.length).map(([kind, title, tone]) => {
    const items = analysis[kind].map((item) => el("li", {}, ...TELL[kind](item, who, cite)));
    const shown = items.length > AT_ONCE + 1 ? AT_ONCE : items.length;
    const rest = items.slice(shown);
    return el(
      "section",
      { class: `points ${tone}` },
      el("h4", {}, title),
      el("ul", {}, ...items.slice(0, shown)),
      rest.length ? el("details", {}, el("summary", {}, `${rest.length} more`), el("ul", {}, ...rest)) : null,
    );
  });
  return sections.length ? sections : [el("p", { class: "quiet" }, "It found nothing to compare.")];
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
  const marks = item.sources.flatMap((id) => [" ", cite(id)]).filter((node) => node !== null);
  return [el("p", {}, item.point, ...marks), who(item.models)];
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
