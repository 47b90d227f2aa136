// What went wrong between the page and the server, and what to do about it.

import { el } from "./elements.js";

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
