// The heads with the largest values, as a list: what the map says, to be read and clicked.

/** @import { Head } from "../base/types.d.ts" */

import { make } from "../base/dom.js";
import { alike } from "../base/numbers.js";
import { words } from "./values.js";

const MOST = 5;

/** @typedef {{head: Head, value: number}} Place */

/**
 * The heads with the largest positive values, the largest first.
 * @param {Float32Array} values
 * @param {(i: number) => Head} headOf
 * @returns {Place[]}
 */
function firstOf(values, headOf) {
  const order = [...values.keys()].filter((i) => values[i] > 0 && Number.isFinite(values[i]));
  order.sort((a, b) => values[b] - values[a]);
  return order.slice(0, MOST).map((i) => ({ head: headOf(i), value: values[i] }));
}

export class First {
  /**
   * @param {Element} parent
   * @param {(head: Head, more: boolean) => void} pick more: beside what is selected
   */
  constructor(parent, pick) {
    this.pick = pick;
    this.node = make("ol", "tkhg-first", parent, { "aria-label": "heads with the largest values" });
    /** @type {Place[]} */
    this.places = [];
    this.node.addEventListener("click", (event) => this.onClick(event));
  }

  /**
   * @param {Float32Array} values
   * @param {(i: number) => Head} headOf
   * @param {Head[]} picked
   */
  paint(values, headOf, picked) {
    this.places = firstOf(values, headOf);
    this.node.hidden = !this.places.length;
    while (this.node.children.length > this.places.length) this.node.lastElementChild?.remove();
    this.places.forEach(({ head, value }, i) => {
      const item = this.node.children[i] ?? make("li", "", this.node);
      const button = item.querySelector("button") ?? make("button", "", item, { type: "button" });
      const [layer, column] = head;
      button.textContent = `L${layer}.H${column}`;
      button.setAttribute("aria-pressed", String(picked.some((one) => alike(one, head))));
      const bar = item.querySelector("i") ?? make("i", "", item, { "aria-hidden": "true" });
      bar.style.width = `${(100 * value) / this.places[0].value}px`;
      const told = item.querySelector("span") ?? make("span", "", item);
      told.textContent = words(value, 2);
    });
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const at = [...this.node.children].findIndex((item) => item.contains(/** @type {Node} */ (event.target)));
    const onButton = /** @type {Element} */ (event.target).closest("button");
    if (at >= 0 && onButton)
      this.pick(this.places[at].head, event.shiftKey || event.ctrlKey || event.metaKey);
  }
}
