// Thumbnails of the images that became right, and of those that became wrong.

/** @import { Frame } from "./frame.js" */
/** @import { Bytes, Flip, FlipsSent, Tile } from "./types.d.ts" */

import { make } from "./dom.js";
import { SheetUrl } from "./sheet.js";
import { paintTiles } from "./tiles.js";
import "./labs.css";

/** @typedef {{words: string, heading: HTMLElement, tiles: HTMLElement}} Kind */

/**
 * @param {Flip} flip
 * @returns {Tile}
 */
function tileOf({ id, group, change }) {
  const became = change.replace(/.*→ ?/, "→\u00a0"); // the arrow stays with what it points at
  return {
    id,
    title: `${id}\n${group}: ${change}`,
    label: `${group}, ${change}`,
    caption: `${group}: ${became}`,
  };
}

export class Flips {
  /**
   * @param {Frame} view
   * @param {Element} parent
   */
  constructor(view, parent) {
    this.view = view;
    this.sheet = new SheetUrl();
    this.right = this.build(parent, "became right");
    this.wrong = this.build(parent, "became wrong");
    /** @type {unknown[]} what is painted */
    this.key = [];
  }

  /**
   * @param {Element} parent
   * @param {string} words
   * @returns {Kind}
   */
  build(parent, words) {
    const heading = make("div", "tkl-label", parent);
    const tiles = make("div", "tkm-thumbs", parent, {
      role: "listbox",
      "aria-label": `images that ${words}`,
    });
    return { words, heading, tiles };
  }

  get nodes() {
    return [this.right.heading, this.right.tiles, this.wrong.heading, this.wrong.tiles];
  }

  /**
   * @param {FlipsSent} flips
   * @param {Bytes} bytes the sheet
   * @param {string | null} chosen
   * @param {string} against another edit that answers are compared with; "" for the model as it is
   */
  paint(flips, bytes, chosen, against = "") {
    const key = [flips, bytes, chosen, against];
    if (key.every((part, i) => part === this.key[i])) return;
    this.key = key;
    const { right, wrong, n, columns, side } = flips;
    this.view.root.style.setProperty("--tk-tile", `${side}px`);
    const url = this.sheet.of(bytes);
    const total = right.length + wrong.length;
    const sheet = { url, total, columns, side };
    const gained = against ? `right here, wrong with ${against}` : this.right.words;
    const lost = against ? `wrong here, right with ${against}` : this.wrong.words;
    const after = { ...sheet, offset: right.length };
    this.paintKind(this.right, gained, right.map(tileOf), n.right, { ...sheet, offset: 0 }, chosen);
    this.paintKind(this.wrong, lost, wrong.map(tileOf), n.wrong, after, chosen);
  }

  /**
   * @param {Kind} kind
   * @param {string} words what became of them
   * @param {Tile[]} shown
   * @param {number} n how many there are, shown or not
   * @param {Parameters<typeof paintTiles>[2]} sheet
   * @param {string | null} chosen
   */
  paintKind({ heading, tiles }, words, shown, n, sheet, chosen) {
    const part = shown.length < n ? `, the first ${shown.length}` : "";
    heading.textContent = `${n} ${words}${part}`;
    paintTiles(tiles, shown, sheet, chosen);
  }
}
