// The confusion as a picker of errors: a cell true × predicted chooses the images W, C and A.

/** @import { ErrorsSent, MistakeRow, Pair } from "./types.d.ts" */

import { make, targetOf } from "./dom.js";
import { alike } from "./numbers.js";
import "./labs.css";
import "./confusion.css";

/** @typedef {{number: HTMLElement, change: HTMLElement}} CellParts */

export class ErrorPicker {
  /** @param {Element} parent */
  constructor(parent) {
    this.node = make("div", "tkc", parent, {
      role: "group",
      "aria-label": "errors: true class taken for another",
    });
    this.pooled = make("button", "", null, { type: "button" });
    this.pooled.textContent = "all mistakes";
    /** @type {string[]} */
    this.names = [];
    /** @type {HTMLButtonElement[]} */
    this.cells = [];
    /** @type {Map<Element, Pair>} what a cell stands for */
    this.pairs = new Map();
    /** @type {Map<Element, CellParts>} what of a cell is written to */
    this.parts = new Map();
    this.matrix = true;
    /** What is built. */
    this.built = "";
  }

  /**
   * @param {string[]} names of a matrix
   * @param {MistakeRow[] | undefined} rows of a list
   */
  shape(names, rows) {
    const key = JSON.stringify(rows ? rows.map(({ truth, guess }) => [truth, guess]) : names);
    if (this.built === key) return;
    this.built = key;
    this.names = names;
    const held = this.focused;
    const pooled = this.pooled === held;
    const pair = held ? this.pairs.get(held) : undefined;
    this.node.replaceChildren();
    this.cells = [];
    this.pairs.clear();
    this.matrix = !rows;
    if (rows) this.buildList(rows);
    else this.buildMatrix(names);
    this.node.append(this.pooled);
    if (pooled) this.pooled.focus();
    else if (pair) this.focus(pair);
  }

  /** What has the focus, here or elsewhere. */
  get focused() {
    return /** @type {Document | ShadowRoot} */ (this.node.getRootNode()).activeElement;
  }

  /**
   * The cell of a pair, or where it has none any more, the first that can be chosen.
   * @param {Pair} pair
   */
  focus(pair) {
    const open = this.cells.filter((cell) => !cell.disabled);
    (open.find((cell) => alike(this.pairs.get(cell), pair)) ?? open[0] ?? this.pooled).focus();
  }

  /** @param {string[]} names */
  buildMatrix(names) {
    const table = make("table", "tkc-table", this.node, { "aria-label": "errors" });
    const head = make("tr", "", table);
    make("th", "tkc-corner", head).textContent = "true ↓ predicted →";
    for (const name of names) make("th", "", head, { scope: "col", title: name }).textContent = name;
    for (const truth of names) {
      const line = make("tr", "", table);
      make("th", "", line, { scope: "row", title: truth }).textContent = truth;
      for (const guess of names) this.buildCell(make("td", "", line), truth, guess);
    }
  }

  /**
   * The kinds of mistakes that Python chose, where there are too many classes for a matrix.
   * @param {MistakeRow[]} rows
   */
  buildList(rows) {
    const list = make("div", "tkc-list", this.node, { role: "list", "aria-label": "kinds of mistakes" });
    for (const { truth, guess } of rows)
      this.buildCell(make("div", "", list, { role: "listitem" }), truth, guess);
  }

  /**
   * @param {Element} parent
   * @param {string} truth
   * @param {string} guess
   */
  buildCell(parent, truth, guess) {
    const cell = make("button", "tkc-cell", parent, { type: "button" });
    cell.disabled = truth === guess;
    if (!this.matrix) make("span", "", cell).textContent = `${truth} → ${guess}`;
    this.parts.set(cell, { number: make("b", "", cell), change: make("small", "", cell) });
    this.cells.push(cell);
    this.pairs.set(cell, [truth, guess]);
  }

  /**
   * @param {ErrorsSent} errors
   * @param {Pair | null} chosen
   */
  paint({ names, before, after, rows }, chosen) {
    this.shape(names, rows);
    const perRow = names.length;
    const most = Math.max(1, ...(rows ?? []).map((row) => row.after));
    this.cells.forEach((cell, i) => {
      const first = i - (i % perRow);
      const total = rows ? most : before.slice(first, first + perRow).reduce((sum, n) => sum + n, 0);
      const counts = rows ? rows[i] : { before: before[i], after: after[i] };
      this.paintCell(cell, counts.before, counts.after, total);
      cell.setAttribute("aria-pressed", String(alike(this.pairs.get(cell), chosen)));
    });
    this.pooled.setAttribute("aria-pressed", String(!chosen));
  }

  /**
   * @param {HTMLButtonElement} cell
   * @param {number} before
   * @param {number} after
   * @param {number} total what fills it
   */
  paintCell(cell, before, after, total) {
    const [truth, guess] = /** @type {Pair} */ (this.pairs.get(cell));
    const { number, change } = /** @type {CellParts} */ (this.parts.get(cell));
    const grown = after > before;
    number.textContent = String(after);
    change.textContent = "";
    change.className = "";
    if (after !== before) {
      const better = grown === cell.disabled; // on the diagonal more is better, elsewhere less
      change.textContent = ` ${grown ? "+" : "−"}${Math.abs(after - before)}`;
      change.className = better ? "tkl-up" : "tkl-down";
    }
    cell.style.setProperty("--share", String(total ? after / total : 0));
    cell.title = `${truth} taken for ${guess}: ${after}, before ${before}`;
    cell.setAttribute("aria-label", cell.title);
  }

  /**
   * What a click chose: a pair, null for all, or undefined for neither.
   * @param {Element} target
   */
  clicked(target) {
    if (target === this.pooled) return null;
    const cell = target.closest(".tkc-cell");
    return cell ? this.pairs.get(cell) : undefined;
  }

  /**
   * Walk through the matrix by arrows; whether the key was of that kind.
   * @param {KeyboardEvent} event
   */
  moved(event) {
    const at = this.cells.findIndex((cell) => cell === targetOf(event));
    const perRow = this.matrix ? this.names.length : 1;
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow };
    const step = steps[event.key];
    if (at < 0 || !step) return false;
    for (let to = at + step; to >= 0 && to < this.cells.length; to += step) {
      if (!this.cells[to].disabled) {
        this.cells[to].focus();
        break;
      }
    }
    return true;
  }
}

/**
 * Which of how many kinds of mistakes are listed; "" of a matrix.
 * @param {ErrorsSent} errors
 */
export function errorsWords({ rows, of = 0, find = "" }) {
  if (!rows) return "";
  const looked = find ? ` with “${find}”` : "";
  return `${rows.length} of ${of.toLocaleString("en")} kinds of mistakes${looked}`;
}
