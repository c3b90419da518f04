// Accuracies before and after as a table with a small plot.

/** @import { GroupRow, RowAfter } from "./types.d.ts" */

import { make } from "./dom.js";
import { points, share } from "./numbers.js";
import "./labs.css";

/** @param {number} value */
const place = (value) => `${(100 * value).toFixed(2)}%`;

export class GroupTable {
  /** @param {Element} parent */
  constructor(parent) {
    const frame = make("div", "tkl-groups-frame", parent);
    this.node = make("table", "tkl-groups", frame, { "aria-label": "accuracies" });
    /** What is painted. */
    this.key = "";
  }

  /**
   * @param {GroupRow[]} rows
   * @param {string} first what the first column holds
   * @param {string} was the name of what was before
   * @param {string} now the name of what is after
   * @param {string} other the name of what stands beside it
   */
  paint(rows, first, was = "before", now = "after", other = "") {
    const key = JSON.stringify([rows, first, was, now, other]);
    if (key === this.key) return;
    this.key = key;
    this.node.replaceChildren();
    const head = make("tr", "", this.node);
    const isFolded = rows.some(({ folded }) => folded !== undefined);
    const columns = [first, "n", was, now, "change in points [95 %]"];
    if (isFolded) columns.splice(4, 0, "folded");
    const isBeside = rows.some(({ beside }) => beside !== undefined);
    this.node.classList.toggle("tkl-both", isBeside);
    if (isBeside) columns.push(other, "change in points [95 %]");
    for (const words of columns) {
      make("th", "", head, { scope: "col" }).textContent = words;
    }
    make("td", "", head);
    rows.forEach((row, i) => {
      const firstOfOthers = row.other && !rows[i - 1]?.other;
      this.paintRow(row, make("tr", firstOfOthers ? "tkl-rule" : "", this.node), isFolded, isBeside);
    });
  }

  /**
   * @param {GroupRow} row
   * @param {HTMLTableRowElement} line
   * @param {boolean} isFolded whether there is a column of the folded model
   * @param {boolean} isBeside and of another edit
   */
  paintRow({ name, n, sizes, before, after, low, high, folded, beside }, line, isFolded, isBeside) {
    make("th", "", line, { scope: "row" }).textContent = name;
    for (const words of [sizes ?? String(n), share(before), share(after)])
      make("td", "", line).textContent = words;
    if (isFolded) make("td", "", line).textContent = folded === undefined ? "" : share(folded);
    paintChange(before, { after, low, high }, line);
    if (isBeside && beside) {
      make("td", "", line).textContent = share(beside.after);
      paintChange(before, beside, line);
    } else if (isBeside) make("td", "", line, { colspan: "2" });
    const plot = make("div", "tkl-plot", make("td", "", line), { "aria-hidden": "true" });
    const bar = make("i", "", plot);
    bar.style.left = place(Math.min(before, after));
    bar.style.width = place(Math.abs(after - before));
    make("i", "tkl-before", plot).style.left = place(before);
    if (beside) make("i", "tkl-beside", plot).style.left = place(beside.after);
    make("i", "tkl-after", plot).style.left = place(after);
  }
}

/**
 * @param {number} before
 * @param {RowAfter} what
 * @param {HTMLTableRowElement} line
 */
function paintChange(before, { after, low, high }, line) {
  const change = make("td", "", line);
  let kind = "";
  if (low > 0) kind = "tkl-up"; // a colour says that the interval leaves zero out
  if (high < 0) kind = "tkl-down";
  make("b", kind, change).textContent = points(after - before);
  make("small", "", change).textContent = ` [${points(low)}, ${points(high)}]`;
}
