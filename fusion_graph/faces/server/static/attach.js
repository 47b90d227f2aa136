// Files beside the question: by button, paste and drop. What no model takes is told at once.

import { byId, el, say } from "./elements.js";

/** Text too, whatever it is called: the server reads what is in a file, and so does this page. */
const MARKS = [
  [[0x25, 0x50, 0x44, 0x46, 0x2d], "PDF"],
  [[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], "picture"],
  [[0xff, 0xd8, 0xff], "picture"],
  [[0x47, 0x49, 0x46, 0x38, 0x37, 0x61], "picture"],
  [[0x47, 0x49, 0x46, 0x38, 0x39, 0x61], "picture"],
];

/** `String.fromCharCode` takes so many arguments in every browser. */
const AT_ONCE = 8192;

export class Attachments {
  /**
   * @param {(words: string) => void} complain told of a file that cannot be taken, or "" if all can
   */
  constructor(complain) {
    this.complain = complain;
    this.files = [];
    this.most = Infinity;
    this.reading = Promise.resolve();
    this.list = byId("files");
    const picked = byId("picked");
    byId("attach").addEventListener("click", () => picked.click());
    picked.addEventListener("change", () => {
      this.add([...picked.files]);
      picked.value = ""; // the same file may be picked again
    });
    byId("question").addEventListener("paste", (event) => {
      const { files } = event.clipboardData;
      // A word processor puts a picture of the words beside them.
      if (!files.length || event.clipboardData.types.includes("text/plain")) return;
      event.preventDefault();
      this.add([...files]);
    });
    // Anywhere on the page: a browser would open what misses the form, and what was written is gone.
    for (const type of ["dragover", "dragleave", "drop"]) document.addEventListener(type, (event) => this._dragged(event));
  }

  /** Attach files, each once it is read; those that cannot be taken are told. */
  add(files) {
    this.reading = this.reading.then(() => this._read(files));
    return this.reading;
  }

  /** Attach these in the place of what is attached. */
  set(files) {
    this.files = [...files];
    this._show();
  }

  /** What to send of them. */
  async sent() {
    await this.reading;
    return this.files.map(({ name, bytes, run, file }) => (bytes ? { name, data: base64(bytes) } : { run, file }));
  }

  async _read(files) {
    const refused = [];
    const names = [];
    for (const file of files) {
      try {
        this.files.push(await taken(file, this.most - this._bytes()));
        names.push(file.name);
      } catch (error) {
        refused.push(error.message);
      }
    }
    this._show();
    say(byId("attached"), names.length ? `Attached: ${names.join(", ")}` : "");
    this.complain(refused.join(" "));
  }

  _bytes() {
    return this.files.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  }

  _show() {
    this.list.hidden = !this.files.length;
    this.list.replaceChildren(...this.files.map((file) => this._item(file)));
  }

  _item(file) {
    const remove = el("button", { type: "button", class: "plain remove", "aria-label": `Remove ${file.name}` }, "✕");
    remove.addEventListener("click", () => {
      this.set(this.files.filter((other) => other !== file));
      this.complain("");
      byId("attach").focus();
    });
    const about = file.bytes ? `${file.kind}, ${size(file.bytes.length)}` : file.kind;
    return el("li", {}, el("span", { class: "called" }, file.name), el("span", { class: "quiet" }, about), remove);
  }

  _dragged(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const here = !byId("ask").hidden;
    event.dataTransfer.dropEffect = here ? "copy" : "none";
    byId("ask").classList.toggle("dropping", here && event.type === "dragover");
    if (here && event.type === "drop") this.add([...event.dataTransfer.files]);
  }
}

/** A file as it is attached. Raises an error that says why it cannot be. */
async function taken(file, room) {
  if (file.size > room) {
    throw new Error(`${file.name} is too large (${size(file.size)}): there is room for ${size(Math.max(0, room))}.`);
  }
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} cannot be read: a folder, or a file that has gone.`);
  }
  if (!bytes.length) throw new Error(`${file.name} is empty.`);
  const kind = kindOf(bytes);
  if (kind) return { name: file.name, kind, bytes };
  throw new Error(`${file.name} is neither text (UTF-8), a picture (PNG, JPEG, GIF, WebP) nor a PDF: convert it first.`);
}

/** What is in a file: text, PDF or picture; null for what no model takes. */
function kindOf(bytes) {
  const latin = String.fromCharCode(...bytes.subarray(0, 12));
  if (latin.startsWith("RIFF") && latin.slice(8) === "WEBP") return "picture";
  for (const [mark, kind] of MARKS) if (mark.every((byte, n) => bytes[n] === byte)) return kind;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).includes("\0") ? null : "text";
  } catch {
    return null;
  }
}

function base64(bytes) {
  let latin = "";
  for (let at = 0; at < bytes.length; at += AT_ONCE) latin += String.fromCharCode(...bytes.subarray(at, at + AT_ONCE));
  return btoa(latin);
}

/** Bytes as people read them: `812 bytes`, `34 kB`, `2.1 MB`. */
function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
