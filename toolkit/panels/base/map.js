// A small map of heads to click and to walk through by keyboard.

/** @import { Frame } from "./frame.js" */
/** @import { Head, Rgb } from "./types.d.ts" */

import { css, rgbAt } from "./colours.js";
import { make } from "./dom.js";
import { alike, within } from "./numbers.js";
import "./map.css";

const WIDTH = 300; // pixels for all heads of a layer
const HEIGHT = 330; // and for all layers

export class HeadMap {
  /**
   * @param {Frame} view
   * @param {Element} parent
   * @param {number} largest side of a cell, in pixels
   */
  constructor(view, parent, largest = 24) {
    this.view = view;
    this.largest = largest;
    this.node = make("div", "tkm-map", parent, { role: "grid" });
    /** @type {HTMLElement[]} */
    this.cells = [];
    /** @type {Head[]} the head of every cell */
    this.at = [];
    /** @type {number[]} */
    this.layers = [];
    this.heads = 0;
    /** The shape that is built. */
    this.built = "";
  }

  /**
   * @param {number[]} layers
   * @param {number} heads
   */
  shape(layers, heads) {
    const key = `${layers}/${heads}`;
    if (this.built === key) return;
    this.built = key;
    this.layers = layers;
    this.heads = heads;
    const held = this.focused ? this.headOf(/** @type {Element} */ (this.view.active)) : undefined;
    this.cells = [];
    this.at = [];
    const size = Math.round(within(Math.min(HEIGHT / layers.length, WIDTH / heads), 9, this.largest));
    this.node.style.setProperty("--tk-cell", `${size}px`);
    this.node.replaceChildren();
    this.node.style.gridTemplateColumns = `max-content repeat(${heads}, ${size}px)`;
    for (const layer of layers) this.buildRow(layer, size);
    this.buildFoot(size);
    if (held) (this.cells[this.indexOf(held)] ?? this.cells[0])?.focus();
  }

  /**
   * @param {number} layer
   * @param {number} size
   */
  buildRow(layer, size) {
    const line = make("div", "", this.node, { role: "row" });
    const crowded = size < 12 && layer % 2 === 1;
    make("div", "tkm-layer", line, { role: "rowheader" }).textContent = crowded ? "" : String(layer);
    for (let head = 0; head < this.heads; head++) {
      this.cells.push(make("div", "tkm-cell", line, { role: "gridcell", tabindex: "-1" }));
      this.at.push([layer, head]);
    }
  }

  /** @param {number} size */
  buildFoot(size) {
    const foot = make("div", "", this.node, { "aria-hidden": "true" });
    make("div", "", foot);
    const every = this.heads <= 16 && size >= 16 ? 1 : 4;
    for (let head = 0; head < this.heads; head++) {
      make("div", "tkm-layer tkm-foot", foot).textContent = head % every ? "" : String(head);
    }
  }

  /**
   * @param {Head} current
   * @param {Rgb[]} palette
   * @param {(i: number) => number} place where in the palette a cell is, from 0 to 1
   * @param {(i: number) => string | {title: string, label: string}} words what its value is, seen and heard
   * @param {(cell: HTMLElement, i: number) => void} more what else is to be painted of a cell
   */
  paint(current, palette, place, words, more = () => {}) {
    const there = this.indexOf(current) >= 0;
    this.cells.forEach((cell, i) => {
      const [layer, head] = this.at[i];
      const name = `L${layer}.H${head}`;
      const on = alike(this.at[i], current);
      const inTabOrder = there ? on : i === 0;
      const told = words(i);
      const { title, label } = typeof told === "string" ? { title: told, label: told } : told;
      cell.style.backgroundColor = css(rgbAt(palette, place(i)));
      cell.setAttribute("aria-selected", String(on));
      cell.tabIndex = inTabOrder ? 0 : -1;
      cell.title = `${name}, ${title}`;
      cell.setAttribute("aria-label", `${name}, ${label}`);
      more(cell, i);
    });
  }

  /**
   * Where a head's cell is in the list of cells; −1 if it has none.
   * @param {Head} head
   */
  indexOf(head) {
    return this.at.findIndex((one) => alike(one, head));
  }

  /**
   * The head whose cell an event happened to, if it did.
   * @param {Element} target
   */
  headOf(target) {
    const cell = target.closest?.(".tkm-cell");
    return this.at[this.cells.findIndex((one) => one === cell)];
  }

  get focused() {
    return this.node.contains(this.view.active);
  }

  /** @param {Head} head */
  focus(head) {
    this.cells[this.indexOf(head)]?.focus();
  }

  /**
   * Where an arrow leads, if it is one: never out of the map.
   * @param {string} key
   * @param {Head} head
   * @returns {Head | undefined}
   */
  moved(key, [layer, head]) {
    const row = this.layers.indexOf(layer);
    /** @type {Record<string, [row: number, head: number]>} */
    const ways = {
      ArrowUp: [row - 1, head],
      ArrowDown: [row + 1, head],
      ArrowLeft: [row, head - 1],
      ArrowRight: [row, head + 1],
      Home: [row, 0],
      End: [row, this.heads - 1],
    };
    const to = ways[key];
    if (!to) return undefined;
    const inside = within(to[0], 0, this.layers.length - 1);
    return [this.layers[inside], within(to[1], 0, this.heads - 1)];
  }
}
