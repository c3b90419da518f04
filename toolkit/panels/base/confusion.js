// The confusion as a picker of errors: a cell true × predicted chooses the images W, C and A.

import { make } from "./common.js";
import "./labs.css";
import "./confusion.css";

const MATRIX = 12; // classes; of more, Python sends the most frequent mistakes alone

export class ErrorPicker {
  constructor(view, parent) {
    this.view = view;
    this.node = make("div", "tkc", parent, {
      role: "group",
      "aria-label": "errors: true class taken for another",
    });
    this.pooled = make("button", "", null, { type: "button" });
    this.pooled.textContent = "all mistakes";
  }

  shape(names) {
    const key = JSON.stringify(names);
    if (this.built === key) return;
    this.built = key;
    this.names = names;
    this.node.replaceChildren();
    this.cells = [];
    this.matrix = names.length <= MATRIX;
    if (this.matrix) this.buildMatrix(names);
    else this.list = make("div", "tkc-list", this.node);
    this.node.append(this.pooled);
  }

  buildMatrix(names) {
    const table = make("table", "tkc-table", this.node, { "aria-label": "errors" });
    const head = make("tr", "", table);
    make("th", "tkc-corner", head).textContent = "true ↓ predicted →";
    for (const name of names) make("th", "", head, { scope: "col", title: name }).textContent = name;
    names.forEach((name, y) => {
      const line = make("tr", "", table);
      make("th", "", line, { scope: "row", title: name }).textContent = name;
      names.forEach((_, g) => this.cells.push(this.cell(make("td", "", line), y, g)));
    });
  }

  cell(parent, y, g) {
    const cell = make("button", "tkc-cell", parent, { type: "button" });
    cell.pair = [this.names[y], this.names[g]];
    cell.disabled = y === g;
    make("b", "", cell);
    make("small", "", cell);
    return cell;
  }

  paint({ names, before, after, at }, pair) {
    this.shape(names);
    if (!this.matrix && String(at) !== this.shown) {
      this.shown = String(at);
      this.list.replaceChildren();
      this.cells = at.map((cell) =>
        this.cell(this.list, Math.floor(cell / names.length), cell % names.length),
      );
    }
    const c = names.length;
    this.cells.forEach((cell, i) => {
      const [old, now] = [before[i], after[i]];
      const first = i - (i % c);
      const total = this.matrix ? before.slice(first, first + c).reduce((a, b) => a + b, 0) : 0;
      const [number, change] = cell.children;
      number.textContent = this.matrix ? now : `${cell.pair.join(" → ")} ${now}`;
      change.textContent = now === old ? "" : ` ${now > old ? "+" : "−"}${Math.abs(now - old)}`;
      change.className = now === old ? "" : now > old === cell.disabled ? "tkl-up" : "tkl-down";
      cell.style.setProperty("--share", total ? now / total : 0);
      cell.setAttribute("aria-pressed", String(cell.pair) === String(pair));
      cell.title = `${cell.pair[0]} taken for ${cell.pair[1]}: ${now}, before ${old}`;
      cell.setAttribute("aria-label", cell.title);
    });
    this.pooled.setAttribute("aria-pressed", !pair);
  }

  clicked(target) {
    // a pair, null for all, or undefined for neither
    if (target === this.pooled) return null;
    return target.closest(".tkc-cell")?.pair;
  }

  moved(event) {
    // arrows walk through the matrix
    const at = this.cells.indexOf(event.target);
    const c = this.matrix ? this.names.length : 1;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -c, ArrowDown: c }[event.key];
    if (at < 0 || !by) return false;
    for (let to = at + by; to >= 0 && to < this.cells.length; to += by) {
      if (!this.cells[to].disabled) {
        this.cells[to].focus();
        break;
      }
    }
    return true;
  }
}
