// Putting pieces of the server's HTML in place: what stays the same stays the same element, so that
// it keeps its focus and where it is scrolled to. Whether a `details` is open is the reader's.

/**
 * An element from HTML. Nothing in it runs: the page's policy allows no script but its own.
 * @param {string} html one element
 */
export function parsed(html) {
  return fragment(html).firstElementChild;
}

/**
 * Make an element what another is. Inside of `data-kept` everything stays as it is.
 * @param {Element} old on the page
 * @param {Element} wanted taken apart by this
 */
export function morph(old, wanted) {
  for (const { name } of [...old.attributes]) {
    if (!wanted.hasAttribute(name) && !own(name)) old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (!own(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  colour(old);
  if (!("kept" in wanted.dataset)) children(old, [...wanted.childNodes]);
}

/**
 * Put elements into another one, after so many of its own that stay.
 * @param {Element} place
 * @param {number} keep
 * @param {string} html
 */
export function replaceAfter(place, keep, html) {
  while (place.children.length > keep) place.lastElementChild.remove();
  place.append(fragment(html));
}

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const content = document.importNode(template.content, true);
  content.querySelectorAll("[data-hue]").forEach(colour);
  return content;
}

/** The page's policy lets no HTML bring a style: a colour comes as a figure. */
function colour(element) {
  if ("hue" in element.dataset) element.style.setProperty("--hue", element.dataset.hue);
}

function own(attribute) {
  return attribute === "open" || attribute === "style";
}

function children(old, wanted) {
  let at = old.firstChild;
  for (const node of wanted) {
    const same = counterpart(at, node);
    if (!same) {
      old.insertBefore(node, at);
      continue;
    }
    while (at !== same) at = removed(at);
    at = same.nextSibling;
    if (node.nodeType === Node.ELEMENT_NODE) morph(same, node);
    else if (same.data !== node.data) same.data = node.data;
  }
  while (at) at = removed(at);
}

/** From this node on the one with the same id; of nodes without an id this one, if it is alike. */
function counterpart(at, node) {
  if (!node.id) return at && at.nodeName === node.nodeName && !at.id ? at : null;
  let same = at;
  while (same && same.id !== node.id) same = same.nextSibling;
  return same;
}

function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}
