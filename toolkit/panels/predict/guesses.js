// What a guess is made with: a slider and a number box, or radio buttons.

/** @import { On } from "../base/types.d.ts" */

import { make } from "../base/dom.js";
import { within } from "../base/numbers.js";

/** @typedef {number | string | null} Guess */
/** @typedef {(guess: Guess, note: string) => void} Change called with a guess, or with none and why it is none */

/**
 * @typedef {object} Setup what is asked, as Python sends it
 * @property {number} low
 * @property {number} high
 * @property {number} step
 * @property {number | null} places digits after the point
 * @property {string} unit
 * @property {string} range in words
 * @property {string[]} options of a question that is not about a number
 */

const MANY = 1e7; // from here on four digits will do

/** @param {number} part */
export const inPercent = (part) => `${(100 * part).toFixed(2)}%`;

let groups = 0;

/** A slider whose first position is low and whose last is high, and a number box. */
export class NumberGuess {
  /**
   * @param {Element} parent
   * @param {Setup} setup
   * @param {string} name what is asked
   * @param {Change} change
   */
  constructor(parent, setup, name, change) {
    this.setup = setup;
    this.change = change;
    /** @type {Guess} */
    this.guess = null;
    const { low, high, step, unit } = setup;
    this.last = Math.ceil((high - low) / step - 1e-9);
    const node = make("div", "tkp-number", parent);
    const line = make("div", "tkp-line", node);
    const range = { type: "range", min: 0, max: this.last, step: 1 };
    this.slider = make("input", "tkp-slider", line, { ...range, "aria-label": `your guess: ${name}` });
    this.buildEnd(line, low, 0);
    this.buildEnd(line, high, 1);
    const field = make("label", "tkp-field", node);
    const number = { type: "number", min: low, max: high, step };
    this.box = make("input", "", field, { ...number, "aria-label": "your guess as a number" });
    make("span", "", field).textContent = unit;
  }

  /**
   * @param {Element} line
   * @param {number} value
   * @param {number} at
   */
  buildEnd(line, value, at) {
    const end = make("span", "tkp-end", line, { "aria-hidden": "true" });
    end.textContent = this.told(value);
    end.style.left = inPercent(at);
  }

  /** @param {number} value */
  told(value) {
    const { places, unit } = this.setup;
    const rounded = places === null || Math.abs(value) >= MANY;
    const number = Number(rounded ? value.toPrecision(4) : value.toFixed(places));
    return `${String(number).replace("-", "−")} ${unit}`.trim();
  }

  /** @param {number} position */
  valueAt(position) {
    const { low, high, step } = this.setup;
    if (position >= this.last) return high;
    return Math.max(low, Number((low + position * step).toPrecision(12)));
  }

  /** @param {number} guess */
  positionOf(guess) {
    const { low, high, step } = this.setup;
    return guess === high ? this.last : Math.round((guess - low) / step);
  }

  /** @param {On} on */
  listen(on) {
    this.slider.addEventListener("input", () => this.take(), on);
    this.slider.addEventListener("click", () => this.takeIfNone(), on);
    this.slider.addEventListener("keydown", (event) => this.onKey(event), on);
    this.box.addEventListener("input", () => this.read(), on);
  }

  /** What the slider says. */
  take() {
    this.change(this.valueAt(Number(this.slider.value)), "");
  }

  /** A click that moves nothing: the mark was right where it stood. */
  takeIfNone() {
    if (this.guess === null) this.take();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key !== " ") return;
    event.preventDefault();
    this.take();
  }

  /** What the box says. */
  read() {
    const text = this.box.value;
    const value = Number(text);
    const { low, high, range } = this.setup;
    const fits = text !== "" && value >= low && value <= high;
    const empty = text === "" && !this.box.validity.badInput;
    this.change(fits ? value : null, fits || empty ? "" : `A number from ${range}, please.`);
  }

  /**
   * @param {Guess} given
   * @param {Element | null} focused
   */
  paint(given, focused) {
    const guess = typeof given === "number" ? given : null;
    this.guess = guess;
    const position = guess === null ? Math.round(this.last / 2) : this.positionOf(guess);
    this.slider.value = String(within(position, 0, this.last));
    this.slider.setAttribute("aria-valuetext", guess === null ? "no guess yet" : this.told(guess));
    this.slider.classList.toggle("tkp-unset", guess === null);
    const says = guess !== null && Number(this.box.value) !== guess;
    if (focused !== this.box || says) this.box.value = guess === null ? "" : String(guess);
  }
}

export class OptionGuess {
  /**
   * @param {Element} parent
   * @param {Setup} setup
   * @param {string} name what is asked
   * @param {Change} change
   */
  constructor(parent, setup, name, change) {
    /** There is no box to type into. */
    this.box = null;
    this.change = change;
    const node = make("div", "tkp-options", parent, { role: "radiogroup", "aria-label": name });
    groups += 1;
    const group = `tkp-${groups}`; // a group of its own in every display
    this.radios = setup.options.map((option) => {
      const label = make("label", "tkp-option", node);
      const button = make("input", "", label, { type: "radio", name: group });
      make("span", "", label).textContent = option;
      return { option, button };
    });
  }

  /** @param {On} on */
  listen(on) {
    for (const { option, button } of this.radios) {
      button.addEventListener("change", () => this.change(option, ""), on);
    }
  }

  /** @param {Guess} guess */
  paint(guess) {
    const chosen = this.radios.find(({ option }) => option === guess);
    const inTabOrder = chosen || this.radios[0];
    for (const radio of this.radios) {
      radio.button.checked = radio === chosen;
      radio.button.tabIndex = radio === inTabOrder ? 0 : -1;
    }
  }
}
