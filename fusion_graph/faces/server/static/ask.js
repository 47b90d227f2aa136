// The question's form: what to ask, which preset, which models, and how many calls that will be.

import { call } from "./api.js";
import { Attachments } from "./attach.js";
import { byId, el, say } from "./elements.js";
import { counted } from "./words.js";

export class AskForm {
  /** @param {(run: object) => void} started told of the run that was begun */
  constructor(started) {
    this.started = started;
    this.presets = [];
    this.thread = {};
    this.drafts = new Map();
    this.attachments = new Attachments((words) => this._complain(words));
    this.section = byId("ask");
    this.form = byId("form");
    this.question = byId("question");
    this.preset = byId("preset");
    this.judge = byId("judge");
    this.writer = byId("writer");
    this.panel = byId("panel");
    this.problem = byId("problem");
    this.send = byId("send");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this._ask();
    });
    this.question.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
        event.preventDefault();
        this._ask();
      }
    });
    this.question.addEventListener("input", () => this._complain(""));
    this.preset.addEventListener("change", () => this._choose());
    byId("rather").addEventListener("click", () => {
      this.follow(this.run);
      this.question.focus();
    });
    byId("add").addEventListener("click", () => this._member("").focus());
    byId("reset").addEventListener("click", () => this._choose());
    byId("models").addEventListener("input", () => this._count());
  }

  /** Ask the server for its presets. */
  async load() {
    try {
      ({ presets: this.presets, limits: this.limits } = await call("GET", "api/presets"));
    } catch (error) {
      this._complain(error.message);
      return;
    }
    byId("models").hidden = !this.limits.models;
    this.attachments.most = this.limits.file_bytes;
    const option = (preset) => el("option", { value: preset.name, selected: preset.chosen }, preset.name);
    const group = (label, presets) =>
      presets.length ? [el("optgroup", { label }, ...presets.map(option))] : [];
    this.preset.replaceChildren(
      ...group("Ready", this.presets.filter((preset) => preset.usable)),
      ...group("Something is missing", this.presets.filter((preset) => !preset.usable)),
    );
    this._choose();
    if (this.run) this._prefer(this.run);
  }

  /** Ask a new question: the form is what the page shows. */
  begin() {
    byId("main").prepend(this.section);
    this._stand({}, "", "What do you want to know?");
  }

  /** Ask what follows a run's answer: the form stands below it. */
  follow(run) {
    byId("main").append(this.section);
    this._stand({ follows: run.id }, "Ask a follow-up", "The panel is given everything above.");
    this._prefer(run);
    byId("rather").hidden = true;
  }

  /** Ask a run's question once more, in its place in its thread; without one as a new question. */
  again(run) {
    byId("rather").hidden = !this.thread.follows;
    if (run.thread.length) {
      byId("main").append(this.section);
      this._stand({ instead_of: run.id }, "Ask again", "The panel is given everything before this question.");
    }
    this.question.value = run.question;
    this.attachments.set(run.files.map((file, n) => ({ ...file, run: run.id, file: n })));
    this._prefer(run);
    this.question.focus();
  }

  hide() {
    this.section.hidden = true;
  }

  /** What is being written stays with the place where it was. */
  _stand(thread, title, placeholder) {
    const anew = !Object.keys(thread).length;
    if (anew) byId("rather").hidden = true;
    this.drafts.set(JSON.stringify(this.thread), { words: this.question.value, files: this.attachments.files });
    const { words, files } = this.drafts.get(JSON.stringify(thread)) ?? { words: "", files: [] };
    this.question.value = words;
    this.attachments.set(files);
    this.thread = thread;
    this._complain("");
    say(byId("follow-title"), title);
    byId("follow-title").hidden = anew;
    byId("ask-title").hidden = !anew;
    this.section.setAttribute("aria-labelledby", anew ? "ask-title" : "follow-title");
    this.question.placeholder = placeholder;
    byId("lead").hidden = byId("example").hidden = !anew;
    this.section.classList.toggle("follows", !anew);
    this.section.hidden = false;
  }

  /** Choose the preset of a run, if there still is one of that name. */
  _prefer(run) {
    this.run = run;
    const name = run.model.replace(/^fusion\//, "");
    if (this.presets.some((preset) => preset.name === name) && this.preset.value !== name) {
      this.preset.value = name;
      this._choose();
    }
  }

  _chosen() {
    return this.presets.find((preset) => preset.name === this.preset.value);
  }

  /** Show the chosen preset, with its own models. */
  _choose() {
    const preset = this._chosen();
    if (!preset) return;
    say(byId("description"), preset.description);
    say(byId("missing"), preset.problem ?? "");
    this._complain("");
    byId("example").replaceChildren(...(preset.example ? this._example(preset.example) : []));
    this.panel.replaceChildren();
    for (const member of preset.panel ?? []) this._member(member.model);
    this.judge.value = preset.judge ?? "";
    this.writer.value = preset.writer ?? "";
    const known = this.presets.flatMap((one) => [...(one.panel ?? []).map((m) => m.model), one.judge, one.writer]);
    const names = [...new Set(known.filter(Boolean))].sort();
    byId("known").replaceChildren(...names.map((value) => el("option", { value })));
    this._count();
  }

  _example(question) {
    const button = el("button", { type: "button", class: "plain" }, question);
    button.addEventListener("click", () => {
      this.question.value = question;
      this._complain("");
      this.question.focus();
    });
    return ["For instance: ", button];
  }

  /** Another line for a panelist's model. */
  _member(model) {
    const input = el("input", { type: "text", list: "known", spellcheck: "false", autocomplete: "off", placeholder: "provider:model" });
    input.value = model;
    const remove = el("button", { type: "button", class: "plain remove" }, "✕");
    const line = el("li", {}, input, remove);
    remove.addEventListener("click", () => {
      const next = line.nextElementSibling ?? line.previousElementSibling;
      line.remove();
      this._count();
      (next?.querySelector("input") ?? byId("add")).focus();
    });
    this.panel.append(line);
    this._count();
    return input;
  }

  _models() {
    return [...this.panel.querySelectorAll("input")].map((input) => input.value.trim()).filter(Boolean);
  }

  _count() {
    [...this.panel.children].forEach((line, n) => {
      line.querySelector("input").setAttribute("aria-label", `Panelist ${n + 1}`);
      line.querySelector("button").setAttribute("aria-label", `Remove panelist ${n + 1}`);
    });
    byId("add").disabled = this.panel.children.length >= this.limits.max_panel;
    const size = this._models().length;
    const all = [...this._models(), this.judge.value, this.writer.value];
    const free = all.every((model) => model.startsWith("offline:"));
    const least = size > 1 ? size + 2 : 1;
    const parts = size > 1 ? `${counted(size, "panelist")}, the judge, the writer` : "one panelist has no judge";
    const hint = free
      ? "Nothing is sent to any provider, and nothing costs anything."
      : `At least ${counted(least, "model call")}: ${parts}. Every round of searching is one more.`;
    say(byId("hint"), size ? hint : "");
    const own = this._own();
    say(byId("models-line"), Object.keys(own).length > 1 ? "changed for this question" : this._summary());
    byId("reset").hidden = Object.keys(own).length <= 1;
  }

  _summary() {
    const preset = this._chosen();
    return preset?.panel ? preset.panel.map((member) => member.name).join(", ") : "found when asked";
  }

  /** The settings to send: the preset, and what was changed of it. */
  _own() {
    const preset = this._chosen();
    if (!preset) return {};
    const own = { preset: preset.name };
    const models = this._models();
    const listed = (preset.panel ?? []).map((member) => member.model);
    if (models.length && models.join("\n") !== listed.join("\n")) own.panel = models;
    if (this.judge.value.trim() !== (preset.judge ?? "")) own.judge = this.judge.value.trim();
    if (this.writer.value.trim() !== (preset.writer ?? "")) own.synthesizer = this.writer.value.trim();
    return own;
  }

  async _ask() {
    const question = this.question.value.trim();
    if (this.send.disabled) return;
    this.send.disabled = true;
    try {
      const files = await this.attachments.sent();
      if (!question && !files.length) {
        this._complain("Write a question first.");
        this.question.focus();
        return;
      }
      const run = await call("POST", "api/runs", { question, files, ...this.thread, fusion: this._own() });
      this._complain("");
      this.question.value = "";
      this.attachments.set([]);
      this.started(run);
    } catch (error) {
      this._complain(error.message);
    } finally {
      this.send.disabled = false;
    }
  }

  _complain(text) {
    say(this.problem, text);
    this.problem.hidden = !text;
    const missing = byId("missing");
    missing.hidden = !missing.textContent || missing.textContent === text; // not the same twice
    this.question.setAttribute("aria-invalid", String(Boolean(text)));
  }
}
