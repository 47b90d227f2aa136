// The answer: as it is written, then as the report has it, with its sources and what was lost.

import { el, link, soon } from "./elements.js";
import { Markdown } from "./markdown.js";
import { counted, money } from "./words.js";

const VERDICTS = {
  verified: ["verified", "These words are on the page."],
  near: ["nearly", "Slightly other words, but the same figures and negations, are on the page."],
  not_found: ["not on the page", "These words were not found on the page."],
};

/** The text under way: a new message id voids what came before it. */
export class Draft {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.markdown = new Markdown(element);
    this.id = null;
    this.text = "";
    this.write = soon(() => this.markdown.show(this.text));
  }

  /** Take an `answer.delta`. */
  take(event) {
    if (event.message_id !== this.id) this.text = "";
    this.id = event.message_id;
    this.text += event.text;
    this.write();
  }

  /** What was written so far does not count. */
  void() {
    this.text = "";
    this.write();
  }

  /** Show the final text instead. */
  finish(text, cite) {
    this.text = text;
    this.markdown.cite = cite;
    this.markdown.show("");
    this.markdown.show(text);
  }
}

/**
 * A function that makes the mark of a citation, a link to the list of sources; its `used` holds
 * the ids it was asked for.
 */
export function citing(sources) {
  const byId = new Map(sources.map((source) => [source.id, source]));
  const cite = (n) => {
    const source = byId.get(n);
    if (!source) return null;
    cite.used.add(n);
    const title = source.title || source.url;
    return el("sup", { class: "cite" }, el("a", { href: `#source-${n}`, title, "aria-label": `Source ${n}` }, String(n)));
  };
  cite.used = new Set();
  return cite;
}

/**
 * The list of sources that something on the page cites, with what became of their quotes.
 * @param {object} report
 * @param {Set<number>} used ids
 */
export function sourceList(report, used) {
  const listed = report.sources.filter((source) => used.has(source.id));
  const rest = report.sources.length - listed.length;
  return [
    el("ol", { class: "sources" }, ...listed.map(sourceItem)),
    ...(rest ? [el("p", { class: "quiet" }, `${counted(rest, "page")} more read and not cited.`)] : []),
  ];
}

function sourceItem(source) {
  const quotes = source.quotes.map((quote) => {
    const [word, meaning] = VERDICTS[quote.verdict] ?? [quote.verdict, ""];
    return el(
      "li",
      {},
      el("span", { class: `verdict ${quote.verdict}`, title: meaning }, word),
      " ",
      el("q", {}, quote.text),
    );
  });
  return el(
    "li",
    { id: `source-${source.id}`, value: String(source.id), tabindex: "-1" },
    link(source.url, source.title || source.url),
    el("span", { class: "address" }, source.url),
    source.fetched ? null : el("span", { class: "address" }, "search result, page not read"),
    quotes.length ? el("ul", { class: "quotes" }, ...quotes) : null,
  );
}

/** What the run had to do without, if anything. */
export function losses(report) {
  if (!report.degradations.length) return null;
  return el(
    "div",
    { class: "losses" },
    el("h4", {}, "What this run had to do without"),
    el("ul", {}, ...report.degradations.map((loss) => el("li", {}, loss.detail, " ", el("code", {}, loss.code)))),
  );
}

/** What it took: calls, tokens, dollars. */
export function facts(report) {
  const { calls, input_tokens: tokensIn, output_tokens: tokensOut, cost_usd: cost } = report.usage.total;
  return [
    counted(calls, "model call"),
    `${tokensIn.toLocaleString("en")} tokens in, ${tokensOut.toLocaleString("en")} out`,
    money(cost),
  ].join(" · ");
}
