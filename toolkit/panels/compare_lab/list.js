// The methods by what they had to be told: a mark, a name, a dial with its paper's and its validated value.

/** @import { Frame } from "../base/frame.js" */
/** @import { On } from "../base/types.d.ts" */

import { make, targetOf, write } from "../base/dom.js";

/**
 * @typedef {object} MethodSent a row of the list
 * @property {string} name
 * @property {string} told
 * @property {string} source
 * @property {string} dial
 * @property {string} says
 * @property {string[]} values of the dial
 * @property {number} paper
 * @property {number | null} validated
 * @property {string} reason why it cannot run
 */

/** @typedef {{name: string, node: HTMLElement, slider: HTMLInputElement | null, value: HTMLElement | null}} Row */

const COLOURS = {
  light: ["#2f6fd0", "#c2571a", "#17825f", "#a93a82", "#7d6200", "#5e4fb5", "#b53030", "#2b7d93"],
  dark: ["#7fb0ff", "#ff9d5c", "#4fd1a5", "#f08ccb", "#e0c04f", "#b3a6ff", "#ff8f8f", "#6fd0e6"],
};
const SHAPES = [
  "M0 -5A5 5 0 1 1 -0.01 -5Z",
  "M-4.5 -4.5H4.5V4.5H-4.5Z",
  "M0 -6L5.5 4H-5.5Z",
  "M0 -6L6 0L0 6L-6 0Z",
  "M0 6L5.5 -4H-5.5Z",
  "M-2 -6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
];

/**
 * What a method looks like: a colour, and a shape that changes when the colours are through.
 * @param {number} i
 * @param {"light" | "dark"} theme
 */
export function lookOf(i, theme) {
  const colours = COLOURS[theme];
  return {
    colour: colours[i % colours.length],
    shape: SHAPES[(i + Math.floor(i / colours.length)) % SHAPES.length],
  };
}

export class MethodList {
  /**
   * @param {Frame} view
   * @param {Element} parent
   * @param {(name: string) => void} look
   * @param {(name: string, at: number) => void} turn
   */
  constructor(view, parent, look, turn) {
    this.view = view;
    this.look = look;
    this.turn = turn;
    this.node = make("div", "tkco-list", parent, { role: "group", "aria-label": "methods and their dials" });
    /** @type {Row[]} */
    this.rows = [];
    /** What is painted. */
    this.key = "";
  }

  /**
   * @param {MethodSent[]} methods
   * @param {Record<string, string>} told
   * @param {Record<string, number>} dials
   * @param {string} focus
   * @param {string} against
   */
  paint(methods, told, dials, focus, against) {
    const key = JSON.stringify([methods, this.view.theme]);
    if (key !== this.key) {
      this.key = key;
      this.build(methods, told);
    }
    for (const { name, node, slider, value } of this.rows) {
      node.classList.toggle("tkco-on", name === focus);
      node.classList.toggle("tkco-against", name === against);
      const method = methods.find((one) => one.name === name);
      if (!slider || !value || !method) continue;
      const at = dials[name] ?? method.paper;
      if (Number(slider.value) !== at) slider.value = String(at);
      const words = `${method.dial} = ${method.values[at] ?? ""}`;
      slider.setAttribute("aria-valuetext", words);
      write(value, words);
    }
  }

  /**
   * @param {MethodSent[]} methods
   * @param {Record<string, string>} told
   */
  build(methods, told) {
    const held = this.rows.findIndex(({ node }) => node.contains(this.view.active));
    const name = this.rows[held]?.name;
    this.node.replaceChildren();
    this.rows = [];
    for (const [kind, words] of Object.entries(told)) {
      const some = methods.filter((one) => one.told === kind);
      if (!some.length) continue;
      make("div", "tkco-kind", this.node).textContent = words;
      for (const method of some) this.rows.push(this.buildRow(method, methods.indexOf(method)));
    }
    this.rows.find((row) => row.name === name)?.slider?.focus();
  }

  /**
   * @param {MethodSent} method
   * @param {number} i its place among all
   * @returns {Row}
   */
  buildRow({ name, source, says, dial, values, paper, validated, reason }, i) {
    const node = make("div", "tkco-row", this.node, {
      "data-name": name,
      title: [source, says].filter(Boolean).join(": "),
    });
    const { colour, shape } = lookOf(i, this.view.theme);
    const sign = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    sign.setAttribute("viewBox", "-8 -8 16 16");
    sign.setAttribute("class", "tkco-sign");
    sign.setAttribute("aria-hidden", "true");
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "path");
    mark.setAttribute("d", shape);
    mark.setAttribute("fill", colour);
    sign.append(mark);
    node.append(sign);
    const button = this.view.button(node, name, { class: "tkco-pick", "aria-label": `look at ${name}` });
    button.dataset.name = name;
    if (reason) {
      make("div", "tkco-reason", node).textContent = reason;
      node.classList.add("tkco-cannot");
      return { name, node, slider: null, value: null };
    }
    const value = make("span", "tkco-value", node);
    const track = make("div", "tkco-track", node);
    const range = {
      type: "range",
      min: "0",
      max: values.length - 1,
      step: "1",
      "aria-label": `${name}, ${dial}`,
    };
    const slider = make("input", "", track, range);
    slider.style.accentColor = colour;
    slider.dataset.name = name;
    this.tick(track, "tkco-paper", paper / (values.length - 1), "the paper's value");
    if (validated !== null) {
      this.tick(track, "tkco-validated", validated / (values.length - 1), "best on validation images");
    }
    return { name, node, slider, value };
  }

  /**
   * @param {Element} track
   * @param {string} name
   * @param {number} share
   * @param {string} words
   */
  tick(track, name, share, words) {
    const tick = make("i", name, track, { title: words });
    tick.style.left = `calc(8px + ${100 * share}% - ${16 * share}px)`;
  }

  /**
   * The method in whose row something is.
   * @param {Element} target
   */
  nameOf(target) {
    return this.rows.find(({ node }) => node.contains(target))?.name;
  }

  /** @param {number} by */
  step(by) {
    const able = this.rows.filter(({ slider }) => slider);
    const now = able.findIndex(({ node }) => node.contains(this.view.active));
    const to = able[(now + by + able.length) % able.length];
    to?.slider?.focus();
    if (to) this.look(to.name);
  }

  /** @param {On} on */
  listen(on) {
    this.node.addEventListener(
      "input",
      (event) => {
        const slider = /** @type {HTMLInputElement} */ (targetOf(event));
        const { name } = slider.dataset;
        if (name) this.turn(name, Number(slider.value));
      },
      on,
    );
    this.node.addEventListener(
      "focusin",
      (event) => {
        const { name } = targetOf(event).dataset;
        if (name) this.look(name);
      },
      on,
    );
  }
}
