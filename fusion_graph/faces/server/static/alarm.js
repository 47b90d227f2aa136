// Why there is no answer: what happened, to which model, and what to do about it.

import { el } from "./elements.js";
import { failure, short } from "./words.js";

/**
 * The box of an error.
 * @param {string} title what happened
 * @param {string} words in the server's own words
 * @param {string} todo what to do about it
 */
export function alarm(title, words, todo = "") {
  return el(
    "div",
    { class: "alarm", role: "alert" },
    el("p", { class: "what" }, title),
    el("p", { class: "words" }, words),
    todo ? el("p", { class: "todo" }, todo) : null,
  );
}

/**
 * The box of a run in which nobody answered.
 * @param {object[]} members the report's `failures`
 */
export function nobodyAnswered(members) {
  const title = members.length === 1 ? "The model did not answer" : "No panelist answered";
  return el(
    "div",
    { class: "alarm", role: "alert" },
    el("p", { class: "what" }, title),
    el("ul", { class: "members" }, ...members.map(failed)),
  );
}

function failed(member) {
  const { what, todo } = failure(member.reason);
  return el(
    "li",
    {},
    el("p", {}, el("strong", {}, member.name), " ", el("span", { class: "model" }, member.model)),
    el("p", {}, `${what}: `, el("span", { class: "words" }, short(member.detail, 300))),
    el("p", { class: "todo" }, todo),
  );
}
