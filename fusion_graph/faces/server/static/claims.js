// The claims of a finished answer: each marked where it stands, and listed with what a check found.

import { el } from "./elements.js";

const WORD = /[\p{L}\p{N}]+/gu;
/** What belongs to a sentence after its last word. */
const ENDS = /^[.,;:!?…。！？)\]”"»’']*/;
const CUT = 600; // characters of a page's words that are shown

/**
 * Mark claims in a shown text: their words, and after them a sign with a card.
 * @param {HTMLElement} prose where the text is shown
 * @param {object[]} claims as the server tells them
 */
export function markClaims(prose, claims) {
  const words = wordsOf(prose);
  const stream = joined(words.map(({ word }) => word));
  const begins = new Map();
  let place = 0;
  words.forEach(({ word }, n) => {
    begins.set(place, n);
    place += word.length + 1;
  });
  begins.set(place, words.length);
  const found = [];
  let cursor = 0;
  for (const claim of claims.toSorted((a, b) => a.number - b.number)) {
    const wanted = claim.sentence.match(WORD);
    const at = wanted ? stream.indexOf(joined(wanted), cursor) : -1;
    if (at < 0) continue;
    cursor = at + joined(wanted).length - 1;
    found.push({ claim, words: words.slice(begins.get(at), begins.get(cursor)) });
  }
  // From the end, so that what was found before stays where it was found.
  for (const { claim, words: own } of found.reverse()) after(wrapped(own, claim), sign(claim));
}

function joined(words) {
  return ` ${words.join(" ")} `;
}

/** The words of a text, but those of its citations and blocks of code. */
function wordsOf(prose) {
  const walker = document.createTreeWalker(prose, NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement.closest(".cite, pre") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
  );
  const words = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (const match of node.data.matchAll(WORD)) {
      words.push({ node, word: match[0], start: match.index, end: match.index + match[0].length });
    }
  }
  return words;
}

/** Put each text of a claim into an element; the last of them. */
function wrapped(words, claim) {
  const byNode = new Map();
  for (const { node, start, end } of words) {
    byNode.set(node, { start: byNode.get(node)?.start ?? start, end });
  }
  let last;
  for (const [node, { start, end }] of byNode) {
    const own = node.splitText(start);
    own.splitText(end - start);
    last = el("span", { class: `claim ${claim.verdict}`, title: claim.words });
    own.replaceWith(last);
    last.append(own);
  }
  return last;
}

/** Put a claim's sign after what ends its sentence, its citations included. */
function after(last, mark) {
  let node = last;
  for (;;) {
    const next = node.nextSibling;
    const inside = !next && node.parentElement.matches("strong, em, del, a, code");
    if (inside || node.parentElement.matches("a, code")) node = node.parentElement;
    else if (next?.nodeType === Node.ELEMENT_NODE && next.matches(".cite")) node = next;
    else if (next?.nodeType !== Node.TEXT_NODE) break;
    else if (!next.data.match(WORD) && (!next.nextSibling || isCite(next.nextSibling))) node = next;
    else {
      const [ends] = ENDS.exec(next.data);
      if (ends) {
        next.splitText(ends.length);
        node = next;
      }
      break;
    }
  }
  node.after(mark);
}

function isCite(node) {
  return node.nodeType === Node.ELEMENT_NODE && node.matches(".cite");
}

function sign(claim) {
  const id = `claim-card-${claim.number}`;
  const link = { class: `sign ${claim.verdict}`, href: `#claim-${claim.number}`, "aria-label": `Claim ${claim.words}`, "aria-describedby": id };
  const card = el("span", { class: "claim-card", id, role: "tooltip" }, verdict(claim), ...findings(claim));
  return el("span", { class: "cite checked" }, el("a", link, claim.sign), card);
}

function verdict(claim) {
  return el("span", { class: `verdict ${claim.verdict}` }, `${claim.sign} ${claim.words}`);
}

function findings(claim) {
  const missing = claim.missing.length ? el("span", {}, "Not there: ", ...listed(claim.missing)) : null;
  const passage = claim.passage.length > CUT ? `${claim.passage.slice(0, CUT)}…` : claim.passage;
  const page = passage ? el("span", {}, "The page: ", el("q", {}, passage)) : null;
  return [missing, page, el("span", { class: "quiet" }, claim.checker)];
}

function listed(parts) {
  return parts.flatMap((part, n) => (n ? [", ", el("q", {}, part)] : [el("q", {}, part)]));
}

/**
 * The claims as a list, with how many there are of each verdict.
 * @param {{summary: string, claims: object[]}} told by the server
 * @param {(n: number) => Node|null} cite
 */
export function claimList({ summary, claims }, cite) {
  const item = (claim) => {
    const marks = claim.sources.map((n) => cite(n) ?? `[${n}]`);
    const attributes = { id: `claim-${claim.number}`, tabindex: "-1" };
    return el("li", attributes, el("q", {}, claim.sentence), ...marks, el("p", {}, verdict(claim), ...findings(claim)));
  };
  return [el("p", { class: "summary" }, summary), el("ul", { class: "claims" }, ...claims.map(item))];
}
