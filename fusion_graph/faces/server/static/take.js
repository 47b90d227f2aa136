// Taking a run's outcome away: its answer to the clipboard, its report as a file.

import { call, text } from "./api.js";
import { el } from "./elements.js";

/** What an address of a source may be; anything else is not linked. */
const ADDRESS = /^(https?|corpus):/i;

/**
 * Copy a run's answer as Markdown, with the addresses of the sources it cites.
 * @param {string} address of the run
 * @returns {Promise<boolean>} whether the browser let it
 */
export async function copyAnswer(address) {
  const { report } = await call("GET", address);
  const markdown = cited(report.answer, report.sources);
  try {
    await navigator.clipboard.writeText(markdown);
    return true;
  } catch {
    return copiedTheOldWay(markdown); // without TLS on another machine there is no `clipboard`
  }
}

/**
 * Save a run's report as a file.
 * @param {{ id: string }} run
 * @param {string} address of the run
 * @param {"html"|"json"} kind
 */
export async function saveReport(run, address, kind) {
  const content =
    kind === "html"
      ? await text(`${address}/report`)
      : `${JSON.stringify((await call("GET", address)).report, null, 2)}\n`;
  const type = kind === "html" ? "text/html;charset=utf-8" : "application/json";
  const href = URL.createObjectURL(new Blob([content], { type }));
  el("a", { href, download: `fusion-${run.id.slice(0, 8)}.${kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000); // the browser reads it after the click
}

/** An answer whose `[1]` are links: Markdown's definitions stand below it. */
function cited(answer, sources) {
  const lines = sources
    .filter(({ id, url }) => answer.includes(`[${id}]`) && ADDRESS.test(url))
    .map(({ id, url }) => `[${id}]: <${url.replace(/[\s<>]/g, encodeURIComponent)}>`);
  return [answer.trim(), lines.join("\n")].filter(Boolean).join("\n\n") + "\n";
}

function copiedTheOldWay(markdown) {
  const focused = document.activeElement;
  const area = el("textarea", { class: "hidden", "aria-hidden": "true" });
  area.value = markdown;
  document.body.append(area);
  area.focus();
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return copied;
}
