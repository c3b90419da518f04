// The confusion as a picker of errors: a cell true × predicted chooses the images W, C and A.

/** @import { Confusion, Pair } from "./types.d.ts" */

import { make, targetOf } from "./dom.js";
import { alike } from "./numbers.js";
import "./labs.css";
import "./confusion.css";

const MATRIX = 12; // classes; of more, Python sends the most frequent mistakes alone

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
    this.matrix = true;
    /** @type {HTMLElement | undefined} where the cells are if they are no matrix */
    this.list = undefined;
    /** The names and, of a list, the cells that are built. */
    this.built = "";
    this.listed = "";
  }

  /** @param {string[]} names */
  shape(names) {
    const key = JSON.stringify(names);
    if (this.built === key) return;
    this.built = key;
    this.names = names;
    this.node.replaceChildren();
    this.forget();
    this.matrix = names.length <= MATRIX;
    if (this.matrix) this.buildMatrix(names);
    else this.list = make("div", "tkc-list", this.node);
    this.node.append(this.pooled);
  }

  forget() {
    this.cells = [];
    this.pairs.clear();
    this.listed = "";
  }

  /** @param {string[]} names */
  buildMatrix(names) {
    const table = make("table", "tkc-table", this.node, { "aria-label": "errors" });
    const head = make("tr", "", table);
    make("th", "tkc-corner", head).textContent = "true ↓ predicted →";
    for (const name of names) make("th", "", head, { scope: "col", title: name }).textContent = name;
    names.forEach((name, truth) => {
      const line = make("tr", "", table);
      make("th", "", line, { scope: "row", title: name }).textContent = name;
      names.forEach((_, guess) => {
        this.buildCell(make("td", "", line), truth, guess);
      });
    });
  }

  /**
   * @param {Element} parent
   * @param {number} truth
   * @param {number} guess
   */
  buildCell(parent, truth, guess) {
    const cell = make("button", "tkc-cell", parent, { type: "button" });
    cell.disabled = truth === guess;
    make("b", "", cell);
    make("small", "", cell);
    this.cells.push(cell);
    this.pairs.set(cell, [this.names[truth], this.names[guess]]);
  }

  /**
   * The cells that Python chose, where there are too many classes for a matrix.
   * @param {number[]} at
   * @param {HTMLElement} list
   */
  buildList(at, list) {
    if (this.listed === String(at)) return;
    this.forget();
    this.listed = String(at);
    list.replaceChildren();
    for (const cell of at) {
      this.buildCell(list, Math.floor(cell / this.names.length), cell % this.names.length);
    }
  }

  /**
   * @param {Confusion} confusion
   * @param {Pair | null} chosen
   */
  paint({ names, before, after, at = [] }, chosen) {
    this.shape(names);
    if (!this.matrix && this.list) this.buildList(at, this.list);
    const perRow = names.length;
    this.cells.forEach((cell, i) => {
      const first = i - (i % perRow);
      const row = this.matrix ? before.slice(first, first + perRow) : [];
      const total = row.reduce((sum, n) => sum + n, 0);
      this.paintCell(cell, before[i], after[i], total);
      cell.setAttribute("aria-pressed", String(alike(this.pairs.get(cell), chosen)));
    });
    this.pooled.setAttribute("aria-pressed", String(!chosen));
  }

  /**
   * @param {HTMLButtonElement} cell
   * @param {number} before
   * @param {number} after
   * @param {number} total of its row; 0 where there is none
   */
  paintCell(cell, before, after, total) {
    const [truth, guess] = /** @type {Pair} */ (this.pairs.get(cell));
    const [number, change] = cell.children;
    const grown = after > before;
    number.textContent = this.matrix ? String(after) : `${truth} → ${guess} ${after}`;
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
