// Markdown as elements, for text that models wrote: nothing in it can become markup of its own.
//
// What answers are made of: headings, paragraphs, lists, quotes, code, tables, emphasis, links,
// character references and citations, whose places the server tells. Pictures and raw HTML stay
// text. Every search for a closing mark looks only so far ahead, so no text, however odd, takes long.

import { el, link } from "./elements.js";

const FAR = 2000; // characters within which a mark must be closed
const DEEP = 6; // how far quotes, lists and emphasis may nest

const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^(\s{0,12})([-*+]|\d{1,9}[.)])\s+(.*)$/;
const TABLE_RULE = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const PRIVATE = /[\ue000\ue001]/g;
const PLACE = /^\ue000(\d{1,7})\ue001/;
const PLACES = /\ue000(\d{1,7})\ue001/g;
const REFERENCE = /^&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-zA-Z][a-zA-Z\d]{1,31}));/;
const REFERENCES = /&#?[a-zA-Z\d]{1,32};/g;
const LONGEST_REFERENCE = 34; // characters, `&` and `;` included
const NONE = [];

/**
 * An element whose children show a Markdown text that may still be growing: what did not change
 * is left as it stands, so that a selection in it survives.
 */
export class Markdown {
  /** @param {HTMLElement} element where the text is shown */
  constructor(element) {
    this.element = element;
    this.cite = () => null;
    this.marks = NONE;
    this.shown = [];
  }

  /**
   * Show this text.
   * @param {string} text
   * @param {(n: number) => Node|null} cite makes the mark of a citation, or null for a number that
   *     leads nowhere; by default as before
   * @param {{start: number, end: number, parts: {ids: number[], words: string|null}[]}[]} marks
   *     the text's citations, in order; a text that is still being written has none
   */
  show(text, cite = this.cite, marks = NONE) {
    const places = new Places(text, cite, marks);
    const blocks = split(places.text);
    let same = 0;
    if (cite === this.cite && marks === this.marks) {
      while (same < this.shown.length && this.shown[same].source === blocks[same]) same += 1;
    }
    this.cite = cite;
    this.marks = marks;
    for (const old of this.shown.splice(same)) old.node.remove();
    for (const source of blocks.slice(same)) {
      const node = block(source, places, 0);
      this.element.append(node);
      this.shown.push({ source, node });
    }
  }
}

/** A text whose citations are put aside, each with a place for it in the text. */
class Places {
  constructor(text, cite, marks) {
    this.cite = cite;
    this.marks = marks;
    // Private characters of the text's own could pass for places.
    const bare = text.replace(PRIVATE, "\ufffd");
    this.written = marks.map(({ start, end }) => bare.slice(start, end));
    const pieces = [];
    let at = 0;
    marks.forEach(({ start, end }, n) => {
      pieces.push(bare.slice(at, start), `\ue000${n}\ue001`);
      at = end;
    });
    this.text = pieces.join("") + bare.slice(at);
  }

  /** The nodes of the citation at a place. */
  nodes(n) {
    return this.marks[n].parts.flatMap(({ ids, words }) => [
      ...(words ? [`“${words}”`] : []),
      ...ids.map((id) => this.cite(id) ?? `[${id}]`),
    ]);
  }

  /** A text with its citations as they were written. */
  restored(text) {
    return text.replace(PLACES, (_, n) => this.written[Number(n)] ?? "");
  }
}

/** A text's blocks, as source. */
export function split(text) {
  const blocks = [];
  let lines = [];
  let fence = "";
  const end = () => {
    if (lines.length) blocks.push(lines.join("\n"));
    lines = [];
  };
  for (const line of text.replaceAll("\r\n", "\n").split("\n")) {
    if (fence) {
      lines.push(line);
      if (closes(line, fence)) {
        fence = "";
        end();
      }
      continue;
    }
    const opening = FENCE.exec(line);
    if (opening && !(lines.length && ITEM.test(lines[0]))) {
      end();
      fence = opening[1];
      lines.push(line);
    } else if (!line.trim()) {
      // A list goes on over a blank line if what follows belongs to it: decided by the next line.
      if (lines.length && ITEM.test(lines[0])) lines.push("");
      else end();
    } else if (HEADING.test(line) || (RULE.test(line) && !ITEM.test(line))) {
      end();
      blocks.push(line);
    } else {
      const loose = lines.length > 1 && lines.at(-1) === "";
      if (loose && !ITEM.test(line) && !/^\s{2,}/.test(line)) {
        lines.pop();
        end();
      } else if (lines.length && !loose && kind(lines[0]) !== kind(line) && starts(line, lines)) {
        end();
      }
      lines.push(line);
    }
  }
  while (lines.at(-1) === "") lines.pop();
  end();
  return blocks;
}

function closes(line, fence) {
  const mark = line.trim();
  return mark.length >= fence.length && mark === fence[0].repeat(mark.length);
}

function kind(line) {
  if (QUOTE.test(line)) return "quote";
  return ITEM.test(line) ? "list" : "text";
}

/** Whether a line of another kind begins a block of its own. */
function starts(line, lines) {
  if (kind(line) !== "text") return kind(lines[0]) !== "list" || kind(line) === "quote";
  return kind(lines[0]) === "quote";
}

function block(source, cite, depth) {
  const lines = source.split("\n");
  const fence = FENCE.exec(lines[0]);
  if (fence) {
    const body = closes(lines.at(-1), fence[1]) && lines.length > 1 ? lines.slice(1, -1) : lines.slice(1);
    return el("pre", { tabindex: "0" }, el("code", {}, cite.restored(body.join("\n"))));
  }
  const heading = HEADING.exec(lines[0]);
  // The page's own headings are the first three levels.
  if (heading) return el(`h${Math.min(heading[1].length + 3, 6)}`, {}, ...inline(heading[2], cite));
  if (lines.length === 1 && RULE.test(source)) return el("hr");
  if (QUOTE.test(lines[0]) && depth < DEEP) {
    const inner = lines.map((line) => line.replace(QUOTE, "")).join("\n");
    return el("blockquote", {}, ...split(inner).map((part) => block(part, cite, depth + 1)));
  }
  if (ITEM.test(lines[0]) && depth < DEEP) return list(lines, cite, depth);
  if (lines.length > 1 && lines[0].includes("|") && TABLE_RULE.test(lines[1])) return table(lines, cite);
  return el("p", {}, ...paragraph(lines, cite));
}

function paragraph(lines, cite) {
  return lines.flatMap((line, n) => (n ? [el("br"), ...inline(line, cite)] : inline(line, cite)));
}

function list(lines, cite, depth) {
  const first = ITEM.exec(lines[0]);
  const ordered = /\d/.test(first[2]);
  const start = ordered && parseInt(first[2], 10) !== 1 ? String(parseInt(first[2], 10)) : null;
  const element = el(ordered ? "ol" : "ul", { start });
  const indent = first[1].length;
  let item = [];
  const end = () => {
    if (!item.length) return;
    const parts = split(item.join("\n"));
    const [head, ...rest] = parts.length ? parts : [""];
    const simple = !ITEM.test(head) && !FENCE.test(head.split("\n")[0]);
    element.append(
      el(
        "li",
        {},
        ...(simple ? paragraph(head.split("\n"), cite) : [block(head, cite, depth + 1)]),
        ...rest.map((part) => block(part, cite, depth + 1)),
      ),
    );
    item = [];
  };
  for (const line of lines) {
    const match = ITEM.exec(line);
    if (match && match[1].length <= indent) {
      end();
      item.push(match[3]);
    } else if (match && item.length && !ITEM.test(item.at(-1)) && item.at(-1) !== "") {
      item.push("", line.slice(Math.min(indent + 2, match[1].length)));
    } else {
      item.push(line.replace(/^\s{1,4}/, ""));
    }
  }
  end();
  return element;
}

function table(lines, cite) {
  const cells = (line) =>
    line
      .trim()
      .replace(/^\||\|$/g, "")
      .split("|")
      .map((cell) => cell.trim());
  const row = (line, tag) => el("tr", {}, ...cells(line).map((cell) => el(tag, {}, ...inline(cell, cite))));
  const body = lines.slice(2).map((line) => row(line, "td"));
  const rows = [el("thead", {}, row(lines[0], "th")), el("tbody", {}, ...body)];
  return el("div", { class: "table", tabindex: "0" }, el("table", {}, ...rows));
}

/** The nodes of one line of text. */
function inline(text, cite, depth = 0) {
  const nodes = [];
  let plain = "";
  let at = 0;
  const push = (...more) => {
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(...more);
  };
  while (at < text.length) {
    const found = depth < DEEP ? mark(text, at, cite, depth) : null;
    if (found) {
      // A citation's mark is raised: the space before it would be a gap.
      if (found.raised) plain = plain.trimEnd();
      push(...found.nodes);
      at += found.length;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  push();
  return nodes;
}

/** The mark that begins at a place: its nodes and its length in the source; null if there is none. */
function mark(text, at, cite, depth) {
  const character = text[at];
  if (character === "\\" && /[\\`*_[\]()#>~|!.+-]/.test(text[at + 1] ?? "")) {
    return { nodes: [text[at + 1]], length: 2 };
  }
  if (character === "&") return reference(text, at);
  if (character === "\ue000") return citation(text, at, cite);
  if (character === "`") return code(text, at, cite);
  if (character === "!" && text[at + 1] === "[") return picture(text, at, cite);
  if (character === "[") return hyperlink(text, at, cite, depth);
  if (character !== "*" && character !== "_" && character !== "~") return null;
  for (const [sign, tag] of [
    ["**", "strong"],
    ["__", "strong"],
    ["~~", "del"],
    ["*", "em"],
    ["_", "em"],
  ]) {
    if (!text.startsWith(sign, at)) continue;
    const end = closing(text, at + sign.length, sign);
    // In a_word_like_this the underscores are no emphasis.
    const inWord = sign[0] === "_" && (/\w/.test(text[at - 1] ?? "") || /\w/.test(text[end + sign.length] ?? ""));
    if (end < 0 || inWord) continue;
    const inner = text.slice(at + sign.length, end);
    return { nodes: [el(tag, {}, ...inline(inner, cite, depth + 1))], length: end + sign.length - at };
  }
  return null;
}

/** A character reference (`&lt;`, `&#60;`, `&#x3c;`) as the text that it stands for, never as a mark. */
function reference(text, at) {
  const match = REFERENCE.exec(text.slice(at, at + LONGEST_REFERENCE));
  const meant = match && (match[3] ? named(match[0]) : numbered(match[1], match[2]));
  return meant ? { nodes: [meant], length: match[0].length } : null;
}

function numbered(decimal, hexadecimal) {
  const code = decimal ? parseInt(decimal, 10) : parseInt(hexadecimal, 16);
  const none = code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
  return none ? "\ufffd" : String.fromCodePoint(code);
}

/** What a named reference stands for, as the browser's own list has it; null if it is no name. */
function named(written) {
  const meant = new DOMParser().parseFromString(written, "text/html").documentElement.textContent;
  // A name is one or two characters. What the browser read in part (`&notit;`) is longer.
  return [...meant].length <= 2 ? meant : null;
}

/** A text without marks of its own, such as an address, with its character references read. */
function dereferenced(text) {
  return text.replace(REFERENCES, (written) => reference(written, 0)?.nodes[0] ?? written);
}

/** Where the closing sign of an emphasis stands, or -1. */
function closing(text, from, sign) {
  if (from >= text.length || /\s/.test(text[from])) return -1;
  const window = text.slice(from, from + FAR);
  for (let end = window.indexOf(sign, 1); end > 0; end = window.indexOf(sign, end + 1)) {
    if (/\s/.test(window[end - 1])) continue;
    if (sign.length === 1 && (window[end + 1] === sign || window[end - 1] === sign)) continue;
    return from + end;
  }
  return -1;
}

function code(text, at, cite) {
  const ticks = /^`{1,8}/.exec(text.slice(at, at + 8))[0];
  const window = text.slice(at + ticks.length, at + ticks.length + FAR);
  const end = window.indexOf(ticks);
  if (end < 1) return null;
  const inner = window.slice(0, end);
  return { nodes: [el("code", {}, cite.restored(inner.trim() || inner))], length: end + 2 * ticks.length };
}

function citation(text, at, cite) {
  const match = PLACE.exec(text.slice(at, at + 10));
  if (!match) return null;
  const n = Number(match[1]);
  return { nodes: cite.nodes(n), length: match[0].length, raised: !cite.marks[n].parts[0].words };
}

function hyperlink(text, at, cite, depth) {
  const parts = bracketed(text, at);
  if (!parts) return null;
  const words = inline(cite.restored(parts.words), cite, depth + 1);
  return { nodes: [link(dereferenced(cite.restored(parts.address)), ...words)], length: parts.length };
}

/** A picture as its description: loading it would tell a stranger's server who reads this. */
function picture(text, at, cite) {
  const parts = bracketed(text, at + 1);
  if (!parts) return null;
  const words = dereferenced(cite.restored(`[image: ${parts.words}]`));
  const title = dereferenced(cite.restored(parts.address));
  return { nodes: [el("em", { title }, words)], length: parts.length + 1 };
}

/** The parts of `[words](address)`; null where it is something else. */
function bracketed(text, at) {
  const window = text.slice(at, at + FAR);
  const middle = window.indexOf("](");
  const end = middle < 0 ? -1 : window.indexOf(")", middle);
  const words = window.slice(1, middle);
  if (middle < 2 || end < 0 || words.includes("[")) return null;
  return { words, address: window.slice(middle + 2, end).trim().split(/\s/)[0], length: end + 1 };
}
