// The table that goes into a paper: every method where its dial stands, with what it was told and what it gives at the price.

import { make } from "../base/dom.js";
import { points } from "../base/numbers.js";

/**
 * @typedef {object} TableSent
 * @property {string} name
 * @property {number | null} worst
 * @property {number | null} low limits of the change
 * @property {number | null} high
 * @property {number | null} others
 * @property {number | null} others_low
 * @property {number | null} others_high
 * @property {number} images
 * @property {number} words
 * @property {number} groups
 * @property {boolean} given whether its heads were located elsewhere
 * @property {string} chosen
 * @property {string} value
 * @property {number | null} [price]
 * @property {string} [price_at]
 */

const COLUMNS = ["method", "dial", "worst group, % [95 %]", "others, % [95 %]"];
/** @type {Record<string, [letter: string, words: string]>} */
const CHOSEN = {
  paper: ["p", "where the paper has it"],
  validation: ["v", "chosen on validation images"],
  "chosen here": ["here", "chosen here, on the images that judge"],
};

/** @param {number} value */
const digits = (value) => (100 * value).toFixed(1);

/**
 * What a method was told, in few letters.
 * @param {TableSent} row
 */
function toldOf({ images, words, groups, given }) {
  const told = [images && `${images} img`, words && `${words} words`, groups && "g", given && "heads"];
  return told.filter(Boolean).join(" + ") || "–";
}

export class CompareTable {
  /** @param {Element} parent */
  constructor(parent) {
    const frame = make("div", "tkl-groups-frame", parent);
    this.node = make("table", "tkco-table", frame, { "aria-label": "the methods where their dials stand" });
    /** What is painted. */
    this.key = "";
  }

  /**
   * @param {TableSent[]} rows
   * @param {{worst: number | null, others: number | null}} origin
   * @param {string} focus
   * @param {string | null} price
   */
  paint(rows, origin, focus, price) {
    const key = JSON.stringify([rows, origin, focus, price]);
    if (key === this.key) return;
    this.key = key;
    this.node.replaceChildren();
    if (!rows.length) return;
    const head = make("tr", "", this.node);
    const columns = [...COLUMNS, ...(price === null ? [] : [`at ${price}`]), "told"];
    for (const words of columns) make("th", "", head, { scope: "col" }).textContent = words;
    const best = Math.max(...rows.map(({ price: at }) => at ?? -1));
    for (const row of rows) this.paintRow(row, origin, focus, price !== null, best);
  }

  /**
   * @param {TableSent} row
   * @param {{worst: number | null, others: number | null}} origin
   * @param {string} focus
   * @param {boolean} priced
   * @param {number} best at the price
   */
  paintRow(row, origin, focus, priced, best) {
    const line = make("tr", row.name === focus ? "tkco-on" : "", this.node, { "data-name": row.name });
    make("th", "", line, { scope: "row" }).textContent = row.name;
    const dial = this.cell(line, row.value);
    const [letter, words] = CHOSEN[row.chosen] ?? [row.chosen, row.chosen];
    make("small", "", dial, { title: words }).textContent = ` ${letter}`;
    this.measure(line, origin.worst, row.worst, row.low, row.high);
    this.measure(line, origin.others, row.others, row.others_low, row.others_high);
    if (priced) this.price(line, row, best);
    this.cell(line, toldOf(row));
  }

  /**
   * The best worst group at the price.
   * @param {Element} line
   * @param {TableSent} row
   * @param {number} best of all methods
   */
  price(line, row, best) {
    const at = row.price ?? null;
    const cell = this.cell(line, at === null ? "none" : digits(at));
    cell.title = row.price_at ? `at ${row.price_at}` : "no value of the dial keeps the others there";
    cell.classList.toggle("tkco-best", at !== null && at === best);
  }

  /**
   * @param {Element} line
   * @param {string} words
   */
  cell(line, words) {
    const cell = make("td", "", line);
    cell.textContent = words;
    return cell;
  }

  /**
   * A measure, its change from the model as it is, and the limits of that.
   * @param {Element} line
   * @param {number | null} before
   * @param {number | null} after
   * @param {number | null} low
   * @param {number | null} high
   */
  measure(line, before, after, low, high) {
    const cell = make("td", "", line);
    if (before === null || after === null || low === null || high === null) {
      cell.textContent = "–";
      return;
    }
    let kind = "";
    if (low > 0) kind = "tkl-up"; // a colour says that the interval leaves zero out
    if (high < 0) kind = "tkl-down";
    cell.append(`${digits(after)} `);
    make("b", kind, cell).textContent = points(after - before);
    make("small", "", cell).textContent = ` [${points(low)}, ${points(high)}]`;
  }
}
