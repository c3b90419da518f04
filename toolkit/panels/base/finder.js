// Of more classes than fit: a text in their names, and which of them come first.

/** @import { On } from "./types.d.ts" */

import { choice } from "./controls.js";
import { make, write } from "./dom.js";
import "./labs.css";

export class Finder {
  /**
   * @param {Element} parent
   * @param {Record<string, string>} ranks what can come first; none: that cannot be chosen
   * @param {string} what is found
   * @param {string} example of what can be typed
   */
  constructor(parent, ranks = {}, what = "classes", example = ": crane, or crane → heron") {
    this.node = make("div", "tkl-line tkl-finder", parent, { role: "search", hidden: "" });
    this.find = make("input", "", this.node, {
      type: "text",
      maxlength: "300",
      "aria-label": `find ${what}`,
      placeholder: `find ${what}${example}`,
    });
    this.rank = choice(null, "which come first", Object.entries(ranks));
    if (this.rank.options.length) this.node.append(this.rank);
    this.words = make("span", "tkl-soft", this.node, { role: "status" });
  }

  /**
   * @param {boolean} needed whether there is more than fits
   * @param {string} find
   * @param {string} rank
   * @param {string} words
   * @param {Element | null} active what has the focus: what is being typed is left alone
   */
  paint(needed, find, rank, words, active) {
    this.node.hidden = !needed;
    if (active !== this.find) this.find.value = find;
    if (rank) this.rank.value = rank;
    write(this.words, words);
  }

  /**
   * @param {{set(values: Record<string, unknown>): void}} view
   * @param {On} on
   */
  listen(view, on) {
    this.find.addEventListener("input", () => view.set({ find: this.find.value }), on);
    this.rank.addEventListener("change", () => view.set({ rank: this.rank.value }), on);
  }
}
