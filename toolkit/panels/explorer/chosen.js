// What is chosen, in a row: each a name, a value, and a button that lets it go.

/** @import { Bytes, Pair } from "../base/types.d.ts" */

import { make, write } from "../base/dom.js";
import { SheetUrl } from "../base/sheet.js";

/** @typedef {"pair" | "image" | "heads" | "off" | "text" | "edit"} What */

const NAMES = /** @type {Record<What, string>} */ ({
  pair: "error",
  image: "image",
  heads: "heads",
  off: "switched off",
  text: "text",
  edit: "edit",
});

/**
 * @typedef {object} ImageSaid
 * @property {string} group
 * @property {string} truth
 * @property {string} guess
 */

/**
 * @typedef {object} Now what is chosen, in words
 * @property {string} image
 * @property {ImageSaid | null} of what is known of the image
 * @property {string} heads
 * @property {string} off how many are not as they are
 * @property {string} text
 * @property {string} edit
 */

const NAMED = 4; // heads that are named in a chip

/**
 * Heads by name; of many the first, and how many more.
 * @param {string} [heads]
 */
function fewer(heads = "") {
  const names = heads.split(" ");
  if (names.length <= NAMED) return heads;
  return `${names.slice(0, NAMED - 1).join(" ")} and ${names.length - NAMED + 1} more`;
}

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
   * @param {Partial<Now>} now empty at first
   * @param {Bytes} thumb
   */
  paint(pair, now, thumb) {
    const { of } = now;
    /** @type {Record<What, string | undefined>} */
    const said = {
      pair: pair ? `${pair[0]} → ${pair[1]}` : "all mistakes",
      image: of ? `${of.group} → ${of.guess}` : now.image,
      heads: fewer(now.heads),
      off: now.off,
      text: now.text,
      edit: now.edit,
    };
    for (const { what, node, value, drop } of this.chips) {
      const words = said[what] || "";
      write(value, words);
      value.title = this.whole(what, now) || words;
      node.hidden = !words;
      const chosen = what === "pair" ? pair !== null : words !== "";
      drop.hidden = what === "edit" || !chosen; // an edit is another one, or none
    }
    const url = this.thumb.of(thumb);
    this.picture.hidden = !url;
    this.picture.style.backgroundImage = url ? `url("${url}")` : "";
  }

  /**
   * All of what a chip may tell a part of.
   * @param {What} what
   * @param {Partial<Now>} now
   */
  whole(what, now) {
    if (what === "image") return now.image;
    return what === "heads" ? now.heads : "";
  }

  /**
   * What is to be let go by a click, if anything is.
   * @param {Element} target
   */
  dropped(target) {
    return this.chips.find(({ drop }) => drop === target)?.what;
  }
}
