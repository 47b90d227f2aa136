// The answer's card: the text as it is written, then as the report has it, with its sources.

import { claimList, markClaims } from "./claims.js";
import { el, link, say, soon } from "./elements.js";
import { Markdown } from "./markdown.js";
import { counted, duration, money, short } from "./words.js";

const VERDICTS = {
  verified: ["verified", "These words are on the page."],
  near: ["nearly", "The page has these words in another spelling, form or with other small words."],
  altered: ["altered", "The page says something else."],
  not_found: ["not on the page", "These words were not found on the page."],
  unchecked: ["not checked", "Nobody read the page, or too many quotes were taken from it."],
};

export class AnswerCard {
  constructor() {
    this.line = el("p", { class: "line" });
    this.prose = el("div", { class: "prose" });
    this.losses = el("div", { class: "losses", hidden: true });
    this.claims = el("section", { class: "after", hidden: true }, el("h3", {}, "Claims"));
    this.sources = el("section", { class: "after", hidden: true }, el("h3", {}, "Sources"));
    this.foot = el("div", { class: "after", hidden: true });
    this.element = el(
      "section",
      { class: "card answer", "aria-labelledby": "answer-title" },
      el(
        "div",
        { class: "head" },
        el("span", { class: "mark", "aria-hidden": "true" }),
        el("h2", { id: "answer-title" }, "Answer"),
        this.line,
      ),
      this.losses,
      this.prose,
      this.claims,
      this.sources,
      this.foot,
    );
    this.markdown = new Markdown(this.prose);
    this.message = null;
    this.text = "";
    this.write = soon(() => this.markdown.show(this.text));
    this._set("waiting", "waits for the judge");
  }

  /** There is no judge to wait for: one model answers alone. */
  alone() {
    say(this.line, "waits for the model");
  }

  /** It is being written, by this model if that is known. */
  begin(model) {
    this._set("working", model ? `is being written · ${model}` : "is being written");
  }

  /** Take an event that is about the answer. */
  take(event) {
    switch (event.type) {
      case "answer.delta":
        // A new message voids what came before it.
        if (event.message_id !== this.message) this.text = "";
        this.message = event.message_id;
        this.text += event.text;
        this.write();
        break;
      case "synthesis.restarted":
        this.text = "";
        this.write();
        say(this.line, `${event.model} broke off (${short(event.reason, 120)}); it is written again`);
        break;
      case "verify.in_progress":
        say(this.line, ["is being checked", event.model].filter(Boolean).join(" · "));
        break;
      case "verify.completed":
        say(this.line, `${counted(event.claims.length, "claim")} checked`);
        break;
      case "verify.failed":
        say(this.line, `could not be checked (${short(event.detail, 120)})`);
        break;
      case "fusion.waiting": {
        const doing = event.stage === "verify" ? "checked" : "written";
        say(this.line, `is still being ${doing}, after ${duration(event.seconds)}`);
        break;
      }
      default:
    }
  }

  /**
   * Show the finished answer.
   * @param {object} report
   * @param {ReturnType<typeof citing>} cite
   * @param {object[]} marks where the answer cites
   * @param {object} told its claims, as the server tells them
   */
  report(report, cite, marks, told) {
    this.text = report.answer;
    this.markdown.show(this.text, cite, marks);
    this._set("done", facts(report));
    markClaims(this.prose, told.claims);
    if (told.claims.length) {
      this.claims.append(...claimList(told, cite));
      this.claims.hidden = false;
    }
    if (told.losses.length) {
      const lost = (loss) => el("li", {}, loss.detail, " ", el("code", {}, loss.code));
      this.losses.replaceChildren(
        el("h3", {}, "What this run had to do without"),
        el("ul", {}, ...told.losses.map(lost)),
      );
      this.losses.hidden = false;
    }
    if (report.sources.length) {
      this.sources.append(...sourceList(report.sources, cite.used, told.sources));
      this.sources.hidden = false;
    }
  }

  /** It is not written (to its end), and why. */
  stop(why) {
    if (this.state !== "done") this._set("stopped", why);
  }

  /** Put something below it. */
  below(...nodes) {
    this.foot.replaceChildren(el("div", { class: "run-bar" }, ...nodes));
    this.foot.hidden = false;
  }

  _set(state, line) {
    this.state = state;
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "working"));
    say(this.line, line);
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
    const address = { href: `#source-${n}`, title: source.title || source.url, "aria-label": `Source ${n}` };
    return el("sup", { class: "cite" }, el("a", address, String(n)));
  };
  cite.used = new Set();
  return cite;
}

/** The sources that something on the page cites, with what became of their quotes and claims. */
function sourceList(sources, used, found) {
  const listed = sources.filter((source) => used.has(source.id));
  const rest = sources.length - listed.length;
  return [
    el("ol", { class: "sources" }, ...listed.map((source) => sourceItem(source, found[source.id]))),
    ...(rest ? [el("p", { class: "quiet" }, `${counted(rest, "page")} more read and not cited.`)] : []),
  ];
}

function sourceItem(source, found) {
  const quotes = source.quotes.map((quote) => {
    const [word, meaning] = VERDICTS[quote.verdict] ?? [quote.verdict, ""];
    const title = quote.note ? `${meaning} (${quote.note})` : meaning;
    const verdict = el("span", { class: `verdict ${quote.verdict}`, title }, word);
    const says =
      quote.verdict === "altered" && quote.page_says
        ? [" The page: ", el("q", {}, quote.page_says)]
        : [];
    return el("li", {}, verdict, " ", el("q", {}, quote.text), ...says);
  });
  return el(
    "li",
    { id: `source-${source.id}`, value: String(source.id), tabindex: "-1" },
    link(source.url, source.title || source.url),
    el("span", { class: "address" }, source.url),
    source.fetched ? null : el("span", { class: "address" }, "search result, page not read"),
    found ? el("span", { class: "address" }, found) : null,
    quotes.length ? el("ul", { class: "quotes" }, ...quotes) : null,
  );
}

/** What it took: calls, tokens, dollars. */
function facts(report) {
  const { calls, input_tokens: tokensIn, output_tokens: tokensOut, cost_usd: cost } = report.usage.total;
  const tokens = `${tokensIn.toLocaleString("en")} tokens in, ${tokensOut.toLocaleString("en")} out`;
  return [counted(calls, "model call"), tokens, money(cost)].join(" · ");
}
