// Accuracies before and after as a table with a small plot.

/** @import { GroupRow } from "./types.d.ts" */

import { make } from "./dom.js";
import { points, share } from "./numbers.js";
import "./labs.css";

/** @param {number} value */
const place = (value) => `${(100 * value).toFixed(2)}%`;

export class GroupTable {
  /** @param {Element} parent */
  constructor(parent) {
    this.node = make("table", "tkl-groups", parent, { "aria-label": "accuracies" });
    /** What is painted. */
    this.key = "";
  }

  /**
   * @param {GroupRow[]} rows
   * @param {string} first what the first column holds
   * @param {string} was the name of what was before
   * @param {string} now the name of what is after
   */
  paint(rows, first, was = "before", now = "after") {
    const key = JSON.stringify([rows, first, was, now]);
    if (key === this.key) return;
    this.key = key;
    this.node.replaceChildren();
    const head = make("tr", "", this.node);
    for (const words of [first, "n", was, now, "change in points [95 %]"]) {
      make("th", "", head, { scope: "col" }).textContent = words;
    }
    make("td", "", head);
    rows.forEach((row, i) => {
      const firstOfOthers = row.other && !rows[i - 1]?.other;
      this.paintRow(row, make("tr", firstOfOthers ? "tkl-rule" : "", this.node));
    });
  }

  /**
   * @param {GroupRow} row
   * @param {HTMLTableRowElement} line
   */
  paintRow({ name, n, before, after, low, high }, line) {
    make("th", "", line, { scope: "row" }).textContent = name;
    for (const words of [String(n), share(before), share(after)]) make("td", "", line).textContent = words;
    const change = make("td", "", line);
    let kind = "";
    if (after > before) kind = "tkl-up";
    if (after < before) kind = "tkl-down";
    make("b", kind, change).textContent = points(after - before);
    make("small", "", change).textContent = ` [${points(low)}, ${points(high)}]`;
    const plot = make("div", "tkl-plot", make("td", "", line), { "aria-hidden": "true" });
    const bar = make("i", "", plot);
    bar.style.left = place(Math.min(before, after));
    bar.style.width = place(Math.abs(after - before));
    make("i", "tkl-before", plot).style.left = place(before);
    make("i", "tkl-after", plot).style.left = place(after);
  }
}
