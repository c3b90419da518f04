// The frame of every panel: title and tools, why the panel is there, description, signs of long work, body, the list of keys, the summary in
// words, the error. Panels paint from the model's traits alone, so that a second display, a reload or a saved state
// shows the same picture.

/** @import { Key, Meaning, Model, Reading, ReadingRow, Theme } from "./types.d.ts" */

import { Asker } from "./asker.js";
import { make, targetOf, write } from "./dom.js";
import { Signs } from "./signs.js";
import { hostIsDark } from "./theme.js";

const WHY = "Why: formula, shapes, caveats";
/** Fields that keep the keys a person types; Escape is left to all but those that hold text. */
const TYPED_IN = "select, input, textarea";
const HOLDS_TEXT = "[type=text], textarea";

/**
 * A list of terms and what they mean.
 * @param {Element} parent
 * @param {string} name its class
 * @param {(Meaning & Partial<ReadingRow>)[]} rows
 */
function define(parent, name, rows) {
  const list = make("dl", name, parent);
  for (const { label, text, kind } of rows) {
    make("dt", "", list).textContent = label;
    make("dd", kind && `tk-${kind}`, list).textContent = text;
  }
  return list;
}

/** @typedef {{button: HTMLButtonElement, node: HTMLElement, turn: () => void}} Fold a part to show and hide */

export class Frame {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   * @param {string} name the class of the panel, before those of its parts
   * @param {Key[]} keys
   */
  constructor(model, el, name, keys) {
    this.model = model;
    this.asker = new Asker(model);
    /** How often it was painted: what tests wait for. */
    this.seq = 0;
    /** @type {Theme} */
    this.theme = "light";
    this.root = make("div", `tk-panel ${name}`, el, { role: "group", "data-kept": model.get("_kept") });
    const head = make("div", "tk-head", this.root);
    this.title = make("div", `tk-title ${name}-title`, head);
    this.tools = make("div", "tk-tools", head);
    /** @type {ChildNode | null} the first of the tools that stand at the end: others are put before it */
    this.help = null;
    /** @type {Record<string, Fold>} by the key that turns them */
    this.folds = {};
    /** @type {Partial<Reading>} empty where a panel has none */
    const { rows, terms = [] } = model.get("_reading");
    if (rows) this.buildWhy(rows, terms);
    this.description = make("div", "tk-description", this.root);
    this.signs = new Signs(this, head);
    head.insertBefore(this.signs.node, this.tools); // where there is room for them, so that they move nothing below
    this.body = make("div", `${name}-body`, this.root);
    /** @type {Key[]} */
    const all = rows ? [...keys, ["w", WHY]] : keys;
    const told = all.map(([label, text]) => ({ label, text }));
    this.keys = define(this.root, "tk-keys", told);
    this.fold("?", "?", "Keys", this.keys);
    this.help = this.tools.firstChild;
    this.inWords = make("div", "tk-in-words", this.root);
    const inWords = this.button(this.inWords, "in words", { "aria-expanded": "false" });
    inWords.addEventListener("click", () => {
      const on = this.inWords.classList.toggle("tk-open");
      inWords.setAttribute("aria-expanded", String(on));
    });
    this.summary = make("div", `tk-summary ${name}-summary`, this.inWords, { "aria-live": "polite" });
    this.error = make("div", "tk-error", this.root, { role: "alert", hidden: "" });
  }

  /**
   * The formula of the panel, its shapes, its caveats, and the terms they use.
   * @param {ReadingRow[]} rows
   * @param {Meaning[]} terms
   */
  buildWhy(rows, terms) {
    const side = make("div", "tk-why", this.root);
    define(side, "", rows);
    const more = make("details", "", side);
    make("summary", "", more).textContent = "Terms";
    define(more, "", terms);
    this.fold("w", "why", WHY, side);
    this.title.after(this.folds.w.button); // beside what it explains
  }

  /**
   * @param {Element | null} parent
   * @param {string} text
   * @param {Record<string, string>} [attributes]
   */
  button(parent, text, attributes) {
    const button = make("button", "", parent, { type: "button", ...attributes });
    button.textContent = text;
    return button;
  }

  /**
   * A button of the head, before those that every panel has.
   * @param {string} text
   * @param {string} label
   */
  tool(text, label) {
    const button = this.button(null, text, { "aria-label": label });
    this.tools.insertBefore(button, this.help);
    return button;
  }

  /**
   * A part that a button and a key show and hide; hidden to begin with.
   * @param {string} key
   * @param {string} text
   * @param {string} label
   * @param {HTMLElement} node
   */
  fold(key, text, label, node) {
    const button = this.tool(text, label);
    const turn = () => {
      if (node.contains(this.active)) button.focus(); // it is about to be hidden
      node.hidden = !node.hidden;
      button.setAttribute("aria-expanded", String(!node.hidden));
    };
    turn();
    button.addEventListener("click", turn);
    this.folds[key] = { button, node, turn };
  }

  /** The theme, the words and the error, as the model has them. */
  paintFrame() {
    const chosen = this.get("theme");
    const hosts = hostIsDark() ? "dark" : "light";
    this.theme = chosen === "auto" ? hosts : chosen;
    this.root.dataset.theme = this.theme;
    this.root.setAttribute("aria-label", this.get("title") || "panel");
    write(this.title, this.get("title"));
    write(this.description, this.get("description"));
    write(this.summary, this.get("summary"));
    this.inWords.hidden = !this.get("summary");
    write(this.error, this.get("error"));
    this.error.hidden = !this.get("error");
    this.signs.paint();
  }

  /** What has the focus, in the document or the shadow root that the panel is in. */
  get active() {
    const root = /** @type {Document | ShadowRoot} */ (this.root.getRootNode());
    return root.activeElement;
  }

  /** Say that a paint is done. */
  painted() {
    this.seq += 1;
    this.root.dataset.seq = String(this.seq);
  }

  /** @param {KeyboardEvent} event */
  keydown(event) {
    const target = targetOf(event);
    const held = event.ctrlKey || event.metaKey;
    const hostSaves = held && event.key === "s";
    if (event.key !== "Tab" && !hostSaves) event.stopPropagation(); // the notebook would take letters for its own commands
    if (held || event.altKey) return;
    if (target.matches?.(event.key === "Escape" ? HOLDS_TEXT : TYPED_IN)) return;
    const fold = this.folds[event.key];
    if (fold) {
      this.done(event, fold.turn);
      return;
    }
    const around = event.key === "Escape" ? this.foldAround(target) : undefined;
    if (around) this.done(event, around.turn);
    else this.onKey(event);
  }

  /**
   * The open fold that a node is a part of.
   * @param {Node} target
   */
  foldAround(target) {
    const open = Object.values(this.folds).filter(({ node }) => !node.hidden);
    return open.find(({ button, node }) => button.contains(target) || node.contains(target));
  }

  /**
   * A key that is none of the frame's own; panels say what it does.
   * @param {KeyboardEvent} _event
   */
  onKey(_event) {}

  /**
   * Do something in the place of what the browser would do.
   * @param {Event} event
   * @param {() => void} act
   */
  done(event, act) {
    event.preventDefault();
    act();
  }

  /**
   * A trait of the model.
   * @param {string} name
   */
  get(name) {
    return this.model.get(name);
  }

  /**
   * Set traits and send them.
   * @param {Record<string, unknown>} values
   */
  set(values) {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
  }
}
