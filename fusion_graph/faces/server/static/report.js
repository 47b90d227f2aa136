// The finished run's report: in a frame that runs nothing, or in a tab of its own.

import { el, say } from "./elements.js";

const SANDBOX = "allow-popups allow-popups-to-escape-sandbox";
const SHOW = "Show the full report";
const HIDE = "Hide the full report";

/**
 * The buttons that open a report.
 * @param {string} address from the server
 * @param {HTMLElement} place where the frame goes
 */
export function reportButtons(address, place) {
  const show = el("button", { type: "button", "aria-expanded": "false" }, SHOW);
  show.addEventListener("click", () => {
    const shown = !place.firstChild;
    if (shown) {
      place.append(el("iframe", { src: address, title: "The full report", sandbox: SANDBOX }));
      place.firstChild.scrollIntoView({ block: "start" });
    } else {
      place.replaceChildren();
    }
    show.setAttribute("aria-expanded", String(shown));
    say(show, shown ? HIDE : SHOW);
  });
  const tab = { class: "button", href: address, target: "_blank", rel: "noopener" };
  return [show, el("a", tab, "Open it in a new tab")];
}
