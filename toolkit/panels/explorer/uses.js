// How the images are shared out, as a picture: nothing is chosen on what judges it.

import { make } from "../base/dom.js";

/**
 * @typedef {object} Use what some of the images serve for
 * @property {string} name
 * @property {number} n
 */

export class Uses {
  /** @param {Element} parent */
  constructor(parent) {
    this.node = make("div", "tkex-uses", parent, { hidden: "" });
    /** What is painted. */
    this.key = "";
  }

  /** @param {Use[]} uses */
  paint(uses) {
    const key = JSON.stringify(uses);
    if (key === this.key) return;
    this.key = key;
    this.node.hidden = !uses.length;
    const all = uses.reduce((sum, { n }) => sum + n, 0);
    this.node.replaceChildren();
    make("div", "", this.node).textContent = `${all.toLocaleString("en")} images, kept apart`;
    const bar = make("div", "tkex-uses-bar", this.node, { "aria-hidden": "true" });
    const list = make("ul", "", this.node);
    for (const { name, n } of uses) {
      make("i", "", bar).style.flexGrow = String(n);
      make("li", "", list).textContent = `${n.toLocaleString("en")} ${name}`;
    }
  }
}
