// α and β: sliders on a log scale with a true zero, typed values, and a pad for both at once.

/** @import { On } from "./types.d.ts" */

import { make, targetOf } from "./dom.js";
import { within } from "./numbers.js";

// Positions of a slider: 0 is zero, 1 is 1, and so many more are a decade; 10⁸ is at the top.
const DECADE = 20;
const TOP = 8 * DECADE + 1;
const TICKS = [
  { position: 0, words: "0" },
  { position: 1 + DECADE, words: "10" },
  { position: 1 + 3 * DECADE, words: "10³" },
  { position: 1 + 5 * DECADE, words: "10⁵" },
  { position: 1 + 7 * DECADE, words: "10⁷" },
];

/** @param {number} position */
function valueAt(position) {
  if (position <= 0) return 0;
  const decades = (Math.min(position, TOP) - 1) / DECADE;
  return Number((10 ** decades).toPrecision(3));
}

/** @param {number} value */
function positionOf(value) {
  if (value <= 0) return 0;
  return within(Math.round(DECADE * Math.log10(value)) + 1, 1, TOP);
}

/**
 * A weight in words: large ones as a power of ten.
 * @param {number} value
 */
export const told = (value) => (value >= 1e5 ? value.toExponential().replace("e+", "e") : String(value));

/**
 * The same with three digits.
 * @param {number} value
 */
export const brief = (value) => told(Number(value.toPrecision(3)));

/** One weight: its name, a field to type it into, a slider. */
export class LogDial {
  /**
   * @param {Element} parent
   * @param {string} letter
   * @param {string} words what it is the weight of
   * @param {(value: number | string) => void} change called with what was chosen; with words if they are no number
   */
  constructor(parent, letter, words, change) {
    this.words = words;
    this.change = change;
    const line = make("label", "tked-dial", parent);
    make("b", "", line).textContent = letter;
    make("span", "", line).textContent = words;
    const name = `${letter}, weight of ${words}`;
    this.typed = make("input", "", line, {
      type: "text",
      inputmode: "decimal",
      "aria-label": `${name}, typed`,
    });
    const range = { type: "range", min: "0", max: TOP, step: "1" };
    this.slider = make("input", "", parent, { ...range, "aria-label": name });
    const ticks = make("div", "tked-ticks", parent, { "aria-hidden": "true" });
    for (const { position, words } of TICKS) {
      const tick = make("i", "", ticks);
      tick.textContent = words;
      tick.style.left = `${(100 * position) / TOP}%`;
    }
  }

  /** @param {On} on */
  listen(on) {
    this.slider.addEventListener("input", () => this.change(valueAt(Number(this.slider.value))), on);
    this.typed.addEventListener("change", () => this.read(), on);
  }

  read() {
    const text = this.typed.value.trim().replace("−", "-");
    const value = text ? Number(text) : Number.NaN;
    this.change(Number.isFinite(value) ? value : text); // Python says what is wrong with anything else
  }

  /** @param {number} value */
  paint(value) {
    const root = /** @type {Document | ShadowRoot} */ (this.slider.getRootNode());
    const typing = root.activeElement === this.typed;
    if (!typing || Number(this.typed.value) === value) this.typed.value = told(value);
    this.slider.value = String(positionOf(value));
    this.slider.setAttribute("aria-valuetext", `${this.words} ${value}`);
  }
}

/** Both weights at once: α to the right, β upwards; zero is a band of its own. */
export class Pad {
  /**
   * @param {Element} parent
   * @param {(alpha: number, beta: number) => void} change
   */
  constructor(parent, change) {
    this.change = change;
    this.held = false;
    this.node = make("div", "tked-pad", parent, { tabindex: "0", role: "application" });
    this.knob = make("i", "tked-knob", this.node);
    make("span", "tked-x", this.node).textContent = "α →";
    make("span", "tked-y", this.node).textContent = "β →";
  }

  /** @param {On} on */
  listen(on) {
    this.node.addEventListener("pointerdown", (event) => this.hold(event), on);
    this.node.addEventListener("pointermove", (event) => this.held && this.move(event), on);
    for (const end of ["pointerup", "pointercancel"]) {
      this.node.addEventListener(end, () => this.letGo(), on);
    }
  }

  /** @param {PointerEvent} event */
  hold(event) {
    this.node.setPointerCapture(event.pointerId);
    this.held = true;
    this.node.focus();
    this.move(event);
    event.preventDefault();
  }

  letGo() {
    this.held = false;
  }

  /** @param {PointerEvent} event */
  move(event) {
    const box = this.node.getBoundingClientRect();
    const right = (event.clientX - box.left) / box.width;
    const up = 1 - (event.clientY - box.top) / box.height;
    this.change(valueAt(Math.round(right * TOP)), valueAt(Math.round(up * TOP)));
  }

  /**
   * Go where an arrow leads; whether it was one.
   * @param {KeyboardEvent} event
   * @param {number} alpha
   * @param {number} beta
   */
  key(event, alpha, beta) {
    if (targetOf(event) !== this.node) return false;
    const by = event.shiftKey ? DECADE : DECADE / 4;
    /** @type {Record<string, {right?: number, up?: number}>} */
    const steps = {
      ArrowLeft: { right: -by },
      ArrowRight: { right: by },
      ArrowDown: { up: -by },
      ArrowUp: { up: by },
    };
    const step = steps[event.key];
    if (!step) return false;
    const { right = 0, up = 0 } = step;
    this.change(valueAt(positionOf(alpha) + right), valueAt(positionOf(beta) + up));
    return true;
  }

  /**
   * @param {number} alpha
   * @param {number} beta
   */
  paint(alpha, beta) {
    this.knob.style.left = `${(100 * positionOf(alpha)) / TOP}%`;
    this.knob.style.bottom = `${(100 * positionOf(beta)) / TOP}%`;
    this.node.setAttribute("aria-label", `α ${alpha}, β ${beta}; arrows move`);
  }
}
