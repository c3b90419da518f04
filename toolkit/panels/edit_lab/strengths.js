// The strengths of heads as a map: its cells move with the edit, and each can be set by hand and held.

/** @import { Frame } from "../base/frame.js" */
/** @import { Head, On, Rgb } from "../base/types.d.ts" */
/** @import { SetByHand, StrengthsSent } from "./sent.d.ts" */

import { make, targetOf, write } from "../base/dom.js";
import { HeadMap } from "../base/map.js";
import { alike } from "../base/numbers.js";

const STRONGEST = 2;
/** @type {StrengthsSent} */
export const NONE = { heads: [], values: [] };

/** @param {Head} head */
const nameOf = ([layer, head]) => `L${layer}.H${head}`;

export class Strengths {
  /**
   * @param {Frame} view
   * @param {Element} parent
   * @param {(hold: SetByHand[]) => void} change
   */
  constructor(view, parent, change) {
    this.change = change;
    this.column = make("div", "tked-strengths", parent);
    this.node = make("div", "", this.column);
    this.title = make("div", "tkl-soft", this.node);
    this.map = new HeadMap(view, this.node);
    const label = make("label", "tkl-label", this.node);
    this.name = make("span", "", label);
    this.dial = make("input", "", label, { type: "range", min: "0", max: String(STRONGEST), step: "0.05" });
    const held = make("label", "tkl-label tked-check", this.node);
    this.held = make("input", "", held, { type: "checkbox" });
    held.append(" hold it while the others are solved for");
    /** @type {Head} the one whose strength the dial shows */
    this.head = [0, 0];
    this.shown = NONE;
    /** @type {SetByHand[]} */
    this.hold = [];
  }

  /**
   * @param {StrengthsSent} shown
   * @param {SetByHand[]} hold
   * @param {string} of the strategy they are of
   * @param {number} wide heads a layer has
   * @param {Rgb[]} palette
   */
  paint(shown, hold, of, wide, palette) {
    this.node.hidden = !shown.heads.length;
    this.hold = hold;
    if (this.node.hidden) return;
    this.shown = shown;
    const layers = [...new Set(shown.heads.map(([layer]) => layer))].sort((a, b) => a - b);
    this.map.shape(layers, wide);
    if (this.place < 0) this.head = shown.heads[0];
    const places = this.map.at.map((head) => shown.heads.findIndex((one) => alike(one, head)));
    /** @param {number} i */
    const words = (i) => (places[i] < 0 ? "not scaled" : this.wordsOf(places[i]));
    /** @param {number} i */
    const colour = (i) => (places[i] < 0 ? 0.5 : shown.values[places[i]] / STRONGEST);
    this.map.paint(this.head, palette, colour, words, (cell, i) => {
      cell.classList.toggle("tked-unscaled", places[i] < 0);
      cell.classList.toggle("tked-held", places[i] >= 0 && this.isHeld(this.map.at[i]));
    });
    this.map.node.setAttribute("aria-label", "strengths of heads");
    write(this.title, `${of}: 0 off, 1 as it is, dotted held`);
    this.paintDial();
  }

  paintDial() {
    const { place } = this;
    const words = `${nameOf(this.head)} × ${this.shown.values[place].toFixed(2)}`;
    write(this.name, words);
    this.dial.value = String(this.shown.values[place]);
    this.dial.setAttribute("aria-valuetext", words);
    this.held.checked = this.isHeld(this.head);
  }

  /** @param {Head} head */
  isHeld(head) {
    return this.hold.some((one) => alike(one.head, head));
  }

  /** Where the head looked at stands among the strengths; −1 for nowhere. */
  get place() {
    return this.shown.heads.findIndex((one) => alike(one, this.head));
  }

  /** @param {number} i */
  wordsOf(i) {
    return `× ${this.shown.values[i].toFixed(2)}${this.isHeld(this.shown.heads[i]) ? ", held" : ""}`;
  }

  /** @param {Head} head */
  look(head) {
    if (!this.shown.heads.some((one) => alike(one, head))) return;
    this.head = head;
    this.paintDial();
  }

  /** @param {number | undefined} strength undefined: solved for */
  set(strength) {
    const { head } = this;
    const rest = this.hold.filter((one) => !alike(one.head, head));
    this.change(strength === undefined ? rest : [...rest, { head, strength }]);
  }

  /**
   * Walk through the map; whether the key was of that kind.
   * @param {KeyboardEvent} event
   */
  key(event) {
    const head = this.map.headOf(targetOf(event));
    const to = head && this.map.moved(event.key, head);
    if (!to) return false;
    this.map.focus(to);
    this.look(to);
    return true;
  }

  /** @param {On} on */
  listen(on) {
    this.map.node.addEventListener(
      "click",
      (event) => {
        const head = this.map.headOf(targetOf(event));
        if (head) this.look(head);
      },
      on,
    );
    this.dial.addEventListener("input", () => this.set(Number(this.dial.value)), on);
    this.held.addEventListener(
      "change",
      () => this.set(this.held.checked ? Number(this.dial.value) : undefined),
      on,
    );
  }
}

/** The strengths of the edit beside, to be read. */
export class OtherStrengths {
  /**
   * @param {Frame} view
   * @param {Element} parent
   */
  constructor(view, parent) {
    this.node = make("div", "", parent);
    this.title = make("div", "tkl-soft", this.node);
    this.map = new HeadMap(view, this.node);
  }

  /**
   * @param {StrengthsSent} shown
   * @param {string} of the name of the edit
   * @param {number} wide heads a layer has
   * @param {Rgb[]} palette
   */
  paint(shown, of, wide, palette) {
    this.node.hidden = !shown.heads.length;
    if (this.node.hidden) return;
    const layers = [...new Set(shown.heads.map(([layer]) => layer))].sort((a, b) => a - b);
    this.map.shape(layers, wide);
    const values = this.map.at.map((head) => shown.values[shown.heads.findIndex((one) => alike(one, head))]);
    /** @param {number} i */
    const words = (i) => (values[i] === undefined ? "not scaled" : `× ${values[i].toFixed(2)}`);
    /** @param {number} i */
    const colour = (i) => (values[i] === undefined ? 0.5 : values[i] / STRONGEST);
    this.map.paint(shown.heads[0], palette, colour, words, (cell, i) => {
      cell.classList.toggle("tked-unscaled", values[i] === undefined);
    });
    this.map.node.setAttribute("aria-label", `strengths of heads of ${of}`);
    write(this.title, `strengths of ${of}`);
  }
  /**
   * Walk through the map; whether the key was of that kind.
   * @param {KeyboardEvent} event
   */
  key(event) {
    const head = this.map.headOf(targetOf(event));
    const to = head && this.map.moved(event.key, head);
    if (to) this.map.focus(to);
    return Boolean(to);
  }
}
