// Building the page: elements from data. Data only ever becomes text or a checked attribute.

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
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element of the page with that id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Set an element's text, but only if it changed: screen readers say again what is set again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Give an element the colour of the panelist at a place (from 0): the same as in the report. */
export function hued(element, index) {
  element.style.setProperty("--hue", String(55 + 290 * ((0.69 + index * 0.618034) % 1)));
  return element;
}

/**
 * A link out of the page, or plain text where the address is not one of the web's.
 * @param {string} url
 * @param {...(Node|string)} children
 */
export function link(url, ...children) {
  let scheme = "";
  try {
    scheme = new URL(url).protocol;
  } catch {
    // Not an address at all.
  }
  if (scheme !== "http:" && scheme !== "https:") return el("span", { title: url }, ...children);
  const attributes = { href: url, title: url, target: "_blank", rel: "noopener noreferrer nofollow" };
  return el("a", attributes, ...children);
}

/**
 * Run `work` soon, but only once for many requests.
 * @param {() => void} work
 * @param {number} milliseconds
 */
export function soon(work, milliseconds = 60) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, milliseconds);
  };
}
