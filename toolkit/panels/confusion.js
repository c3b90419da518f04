// The confusion as a picker of errors: a cell true × predicted chooses the images W, C and A of everything that follows.

const MATRIX = 12; // classes; of more, the most frequent mistakes stand in a list

export class ErrorPicker {
  constructor(view, parent) {
    this.view = view;
    this.node = make("div", "tkc", parent, { role: "group", "aria-label": "errors: true class taken for another" });
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
    const table = make("table", "tkc-table", this.node);
    const head = make("tr", "", table);
    make("th", "tkc-corner", head).textContent = "true ↓ predicted →";
    for (const name of names) make("th", "", head, { scope: "col" }).textContent = name;
    names.forEach((name, y) => {
      const line = make("tr", "", table);
      make("th", "", line, { scope: "row" }).textContent = name;
      names.forEach((_, g) => this.cells.push(this.cell(make("td", "", line), y, g)));
    });
  }

  cell(parent, y, g) {
    const cell = make("button", "tkc-cell", parent, { type: "button" });
    cell.pair = [this.names[y], this.names[g]];
    cell.at = y * this.names.length + g;
    cell.disabled = y === g;
    make("b", "", cell);
    make("small", "", cell);
    return cell;
  }

  paint({ names, before, after }, pair) {
    this.shape(names);
    if (!this.matrix) this.paintList(before);
    const row = (at) => Math.floor(at / names.length);
    for (const cell of this.cells) {
      const [old, now] = [before[cell.at], after[cell.at]];
      const total = before.slice(row(cell.at) * names.length, (row(cell.at) + 1) * names.length).reduce((a, b) => a + b, 0);
      const [number, change] = cell.children;
      number.textContent = this.matrix ? now : `${cell.pair.join(" → ")} ${now}`;
      change.textContent = now === old ? "" : ` ${now > old ? "+" : "−"}${Math.abs(now - old)}`;
      change.className = now === old ? "" : (now > old) === cell.disabled ? "tkab-up" : "tkab-down";
      cell.style.setProperty("--share", total ? now / total : 0);
      cell.setAttribute("aria-pressed", String(cell.pair) === String(pair));
      cell.title = `${cell.pair[0]} taken for ${cell.pair[1]}: ${now}, before ${old}`;
      cell.setAttribute("aria-label", cell.title);
    }
    this.pooled.setAttribute("aria-pressed", !pair);
  }

  paintList(before) {
    const c = this.names.length;
    const wrong = before.map((n, at) => [n, at]).filter(([n, at]) => n && Math.floor(at / c) !== at % c);
    const shown = wrong.sort((a, b) => b[0] - a[0]).slice(0, 20).map(([, at]) => at);
    if (String(shown) === this.shown) return;
    this.shown = String(shown);
    this.list.replaceChildren();
    this.cells = shown.map((at) => this.cell(this.list, Math.floor(at / c), at % c));
  }

  clicked(target) { // a pair, null for all, or undefined for neither
    if (target === this.pooled) return null;
    return target.closest(".tkc-cell")?.pair;
  }

  moved(event) { // arrows walk through the matrix
    const at = this.cells.indexOf(event.target);
    const c = this.matrix ? this.names.length : 1;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -c, ArrowDown: c }[event.key];
    if (at < 0 || !by) return false;
    for (let to = at + by; to >= 0 && to < this.cells.length; to += by) {
      if (!this.cells[to].disabled) { this.cells[to].focus(); break; }
    }
    return true;
  }
}
