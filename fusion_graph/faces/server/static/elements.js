// Building the page: elements from data. Data only ever becomes text or a checked attribute.

// What turns the order of letters round (Unicode's Bidi_Control): strangers could have a text read
// otherwise than it is written.
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text in the order in which it is written. */
function inOrder(text) {
  return typeof text === "string" ? text.replace(TURNS, "") : text;
}

/**
 * An element.
 * @param {string} tag
 * @param {Object<string, string|boolean|null|undefined>} attributes `true` sets an empty one;
 *     false, null and undefined set none.
 * @param {...(Node|string|null|undefined)} children strings become text.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  const shown = children.filter((child) => child !== null && child !== undefined);
  element.append(...shown.map(inOrder));
  return element;
}

/** The element of the page with that id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Set an element's text, but only if it changed: screen readers say again what is set again. */
export function say(element, text) {
  const shown = inOrder(text);
  if (element.textContent !== shown) element.textContent = shown;
}
