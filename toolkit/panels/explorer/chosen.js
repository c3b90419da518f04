// What is chosen, in a row: each a name, a value, and a button that lets it go.

/** @import { Bytes, Pair } from "../base/types.d.ts" */

import { make, write } from "../base/dom.js";
import { SheetUrl } from "../base/sheet.js";

/** @typedef {"pair" | "image" | "heads" | "text" | "edit"} What */

const NAMES = /** @type {Record<What, string>} */ ({
  pair: "error",
  image: "image",
  heads: "heads",
  text: "text",
  edit: "edit",
});

/**
 * @typedef {object} Now what is chosen, as Python sends it
 * @property {string} [image]
 * @property {[truth: string, split: string, guess: string] | []} [of] what is known of the image
 * @property {string} [heads]
 * @property {string} [text]
 * @property {string} [edit]
 */

export class Chosen {
  constructor() {
    this.node = make("div", "tkex-bar", null, { role: "group", "aria-label": "what is chosen" });
    this.thumb = new SheetUrl();
    this.picture = make("i", "tkex-thumb", null, { "aria-hidden": "true" });
    const names = /** @type {[What, string][]} */ (Object.entries(NAMES));
    this.chips = names.map(([what, words]) => this.build(what, words));
  }

  /**
   * @param {What} what
   * @param {string} words
   */
  build(what, words) {
    const node = make("span", "tkex-chip", this.node);
    make("span", "tkex-soft", node).textContent = words;
    if (what === "image") node.append(this.picture);
    const value = make("b", "", node);
    const drop = make("button", "", node, { type: "button", "aria-label": `let the ${words} go` });
    drop.textContent = "×";
    return { what, node, value, drop };
  }

  /**
   * @param {Pair | null} pair
   * @param {Now} now
   * @param {Bytes} thumb
   */
  paint(pair, now, thumb) {
    const [truth, , guess] = now.of ?? [];
    /** @type {Record<What, string | undefined>} */
    const said = {
      pair: pair ? `${pair[0]} → ${pair[1]}` : "all mistakes",
      image: truth === undefined ? now.image : `${truth} → ${guess}`,
      heads: now.heads,
      text: now.text,
      edit: now.edit,
    };
    for (const { what, node, value, drop } of this.chips) {
      const words = said[what] || "";
      write(value, words || "none");
      value.title = what === "image" ? now.image || "" : words;
      node.dataset.none = String(!words);
      const chosen = what === "pair" ? pair !== null : words !== "";
      drop.hidden = what === "edit" || !chosen; // an edit is another one, or none
    }
    const url = this.thumb.of(thumb);
    this.picture.hidden = !url;
    this.picture.style.backgroundImage = url ? `url("${url}")` : "";
  }

  /**
   * What is to be let go by a click, if anything is.
   * @param {Element} target
   */
  dropped(target) {
    return this.chips.find(({ drop }) => drop === target)?.what;
  }
}
