// HeadGrid: a layer × head map as an accessible grid. Paints from the model's traits alone, so that a second display, a
// reload or a saved state shows the same picture. Every text goes through textContent.

const KEYS = [
  ["Click", "select one head"],
  ["Shift-click, Space or Enter", "add or remove it"],
  ["Arrows, Home, End, Page up, Page down", "move"],
  ["Shift + arrows", "add while moving"],
  ["Escape", "clear the selection"],
  ["?", "show or hide this list"],
];

function make(tag, name, parent, attributes = {}) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.append(node);
  return node;
}

export function hostIsDark() {
  const { body, documentElement: html } = document;
  const light = body.dataset.jpThemeLight;
  if (light !== undefined) return light === "false";
  for (const node of [body, html]) {
    if (/\b(vscode-dark|vscode-high-contrast|dark|dark-theme)\b/.test(node.className)) return true;
    if (/\b(vscode-light|light)\b/.test(node.className)) return false;
    const named = node.dataset.theme || node.getAttribute("theme");
    if (named) return named === "dark";
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

export function colorOf(value, limit, palette, missing) {
  if (Number.isNaN(value)) return missing;
  const t = (Math.min(1, Math.max(-1, value / limit)) + 1) / 2 * (palette.length - 1);
  const i = Math.min(Math.floor(t), palette.length - 2);
  return palette[i].map((c, k) => Math.floor(c + (palette[i + 1][k] - c) * (t - i) + 0.5));
}

export function markOf(value, limit) {
  if (Number.isNaN(value)) return "×";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  return Math.abs(value) > limit * (1 + 1e-6) ? (value > 0 ? "+" : "−") : "";
}

export function words(value) {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  const text = Number(value.toPrecision(4)).toString().replace("-", "−");
  return value > 0 ? "+" + text : text;
}

const css = (rgb) => `rgb(${rgb.join(", ")})`;
const ink = (rgb) => (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 140 ? "#14171c" : "#ffffff");
const same = (a, b) => a[0] === b[0] && a[1] === b[1];

class View {
  constructor(model, el) {
    this.model = model;
    this.seq = 0;
    this.focus = [0, 0];
    this.cells = [];
    this.root = make("div", "tkhg", el, { role: "group" });
    const head = make("div", "tkhg-head", this.root);
    this.title = make("div", "tkhg-title", head);
    this.help = make("button", "tkhg-help", head, { type: "button", "aria-label": "Keys", "aria-expanded": "false" });
    this.help.textContent = "?";
    this.description = make("div", "tkhg-description", this.root);
    const body = make("div", "tkhg-body", this.root);
    const map = make("div", "tkhg-map", body);
    make("div", "tkhg-axis tkhg-axis-y", map).textContent = "layer";
    this.grid = make("div", "tkhg-grid", map, { role: "grid", "aria-multiselectable": "true" });
    make("div", "tkhg-axis tkhg-axis-x", map).textContent = "head";
    this.bar = make("div", "tkhg-bar", body, { "aria-hidden": "true" });
    this.keys = make("dl", "tkhg-keys", this.root, { hidden: "" });
    for (const [key, does] of KEYS) {
      make("dt", "", this.keys).textContent = key;
      make("dd", "", this.keys).textContent = does;
    }
    this.summary = make("div", "tkhg-summary", this.root, { "aria-live": "polite" });
    this.error = make("div", "tkhg-error", this.root, { role: "alert", hidden: "" });
    this.tip = make("div", "tkhg-tip", this.root, { role: "tooltip", hidden: "" });
  }

  get picked() { return this.model.get("_picked"); }

  pick(heads) {
    this.model.set("_picked", heads);
    this.model.save_changes();
  }

  toggle(head) {
    const rest = this.picked.filter((p) => !same(p, head));
    this.pick(rest.length < this.picked.length ? rest : [...this.picked, head]);
  }

  headAt(row, col) { return [this.model.get("_layers")[row], col]; }

  read() {
    const data = this.model.get("_data");
    const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    return new Float32Array(bytes);
  }

  build(rows, cols, layers) {
    this.cells = [];
    this.grid.replaceChildren();
    const size = Math.round(Math.max(14, Math.min(34, 520 / rows, 600 / cols)));
    this.root.style.setProperty("--tk-cell", `${size}px`);
    this.grid.style.gridTemplateColumns = `max-content repeat(${cols}, minmax(12px, ${size}px))`;
    this.grid.setAttribute("aria-rowcount", rows);
    this.grid.setAttribute("aria-colcount", cols);
    for (let r = 0; r < rows; r++) {
      const line = make("div", "tkhg-row", this.grid, { role: "row" });
      make("div", "tkhg-layer", line, { role: "rowheader" }).textContent = layers[r];
      for (let c = 0; c < cols; c++) {
        const cell = make("div", "tkhg-cell", line, { role: "gridcell", tabindex: "-1" });
        cell.dataset.row = r;
        cell.dataset.col = c;
        this.cells.push(cell);
      }
    }
    const last = make("div", "tkhg-row", this.grid, { "aria-hidden": "true" });
    make("div", "", last);
    const every = cols <= 16 ? 1 : cols <= 24 ? 2 : 4;
    for (let c = 0; c < cols; c++) make("div", "tkhg-column", last).textContent = c % every ? "" : c;
    this.focus = [Math.min(this.focus[0], rows - 1), Math.min(this.focus[1], cols - 1)];
    this.built = `${rows},${cols},${layers}`;
  }

  paint() {
    const m = this.model;
    const [rows, cols] = m.get("_shape");
    const layers = m.get("_layers");
    const values = this.read();
    if (values.length !== rows * cols || layers.length !== rows) return; // the rest of one update is still on its way
    if (this.built !== `${rows},${cols},${layers}`) this.build(rows, cols, layers);
    const chosen = m.get("theme");
    const theme = chosen === "auto" ? (hostIsDark() ? "dark" : "light") : chosen;
    this.root.dataset.theme = theme;
    const limit = m.get("limit");
    const palette = m.get("_palette")[theme];
    const missing = m.get("_palette").nan[theme];
    const picked = new Set(this.picked.map(String));
    this.values = values;
    this.cells.forEach((cell, i) => {
      const head = this.headAt(Math.floor(i / cols), i % cols);
      const rgb = colorOf(values[i], limit, palette, missing);
      const on = picked.has(String(head));
      cell.style.backgroundColor = css(rgb);
      cell.style.color = ink(rgb);
      cell.textContent = markOf(values[i], limit);
      cell.setAttribute("aria-selected", on);
      cell.setAttribute("aria-label", `layer ${head[0]}, head ${head[1]}, ${words(values[i])}`);
      cell.tabIndex = Math.floor(i / cols) === this.focus[0] && i % cols === this.focus[1] ? 0 : -1;
    });
    this.title.textContent = m.get("title");
    this.grid.setAttribute("aria-label", m.get("title") || "layer by head map");
    this.description.textContent = m.get("description");
    this.summary.textContent = m.get("summary");
    this.error.textContent = m.get("error");
    this.error.hidden = !m.get("error");
    this.paintBar(limit, palette);
    this.root.dataset.seq = ++this.seq;
  }

  paintBar(limit, palette) {
    this.bar.replaceChildren();
    const strip = make("div", "tkhg-strip", this.bar);
    strip.style.background = `linear-gradient(to top, ${palette.map(css).join(", ")})`;
    const ticks = make("div", "tkhg-ticks", this.bar);
    for (const v of [limit, 0, -limit]) make("span", "", ticks).textContent = v ? words(v) : "0";
    make("div", "tkhg-unit", this.bar).textContent = this.model.get("unit");
  }

  cellOf(event) {
    const cell = event.target.closest?.(".tkhg-cell");
    return cell && this.grid.contains(cell) ? cell : null;
  }

  move(row, col) {
    const [rows, cols] = this.model.get("_shape");
    this.focus = [Math.max(0, Math.min(rows - 1, row)), Math.max(0, Math.min(cols - 1, col))];
    const cell = this.cells[this.focus[0] * cols + this.focus[1]];
    cell.focus();
    this.showTip(cell);
  }

  onClick(event) {
    const cell = this.cellOf(event);
    if (!cell) return;
    const [row, col] = [Number(cell.dataset.row), Number(cell.dataset.col)];
    const head = this.headAt(row, col);
    this.move(row, col);
    if (event.shiftKey || event.ctrlKey || event.metaKey) this.toggle(head);
    else this.pick(this.picked.length === 1 && same(this.picked[0], head) ? [] : [head]);
  }

  onKey(event) {
    if (event.key !== "Tab") event.stopPropagation(); // the notebook would take letters for its own commands
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "?") return this.done(event, () => this.toggleHelp());
    if (!this.cellOf(event)) return;
    const [r, c] = this.focus;
    const [rows, cols] = this.model.get("_shape");
    const to = {
      ArrowUp: [r - 1, c], ArrowDown: [r + 1, c], ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1],
      Home: [r, 0], End: [r, cols - 1], PageUp: [0, c], PageDown: [rows - 1, c],
    }[event.key];
    if (to) return this.done(event, () => this.travel(to, event.shiftKey));
    if (event.key === "Enter" || event.key === " ") return this.done(event, () => this.toggle(this.headAt(r, c)));
    if (event.key === "Escape") return this.done(event, () => this.pick([]));
  }

  done(event, act) {
    event.preventDefault();
    act();
  }

  travel(to, extend) {
    const from = this.headAt(...this.focus);
    this.move(...to);
    if (!extend) return;
    const added = [from, this.headAt(...this.focus)].filter((h) => !this.picked.some((p) => same(p, h)));
    this.pick([...this.picked, ...added]);
  }

  toggleHelp() {
    this.keys.hidden = !this.keys.hidden;
    this.help.setAttribute("aria-expanded", !this.keys.hidden);
  }

  showTip(cell) {
    const [row, col] = [Number(cell.dataset.row), Number(cell.dataset.col)];
    const [layer, head] = this.headAt(row, col);
    const value = this.values[row * this.model.get("_shape")[1] + col];
    this.tip.replaceChildren();
    make("b", "", this.tip).textContent = `L${layer}.H${head}`;
    make("span", "", this.tip).textContent = ` ${words(value)} ${this.model.get("unit")}`;
    this.tip.hidden = false;
    const [a, b] = [cell.getBoundingClientRect(), this.root.getBoundingClientRect()];
    const left = a.left - b.left + a.width / 2;
    this.tip.style.left = `${Math.max(40, Math.min(b.width - 60, left))}px`;
    this.tip.style.top = `${a.top - b.top - 6}px`;
  }

  onHover(event) {
    const cell = this.cellOf(event);
    if (!cell) return this.onLeave();
    this.showTip(cell);
    this.report(this.headAt(Number(cell.dataset.row), Number(cell.dataset.col)));
  }

  onFocus(event) { // however the focus came here: a click, a key, a screen reader
    const cell = this.cellOf(event);
    if (!cell) return;
    const [row, col] = [Number(cell.dataset.row), Number(cell.dataset.col)];
    for (const other of this.cells) other.tabIndex = other === cell ? 0 : -1;
    this.focus = [row, col];
  }

  onLeave() {
    this.tip.hidden = true;
    this.report(null);
  }

  report(head) { // at most ten times a second: hovering must not flood the kernel
    this.next = head;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (String(this.model.get("hovered")) === String(this.next)) return;
      this.model.set("hovered", this.next);
      this.model.save_changes();
    }, 100);
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  const stop = new AbortController();
  const on = { signal: stop.signal };
  view.grid.addEventListener("click", (e) => view.onClick(e), on);
  view.grid.addEventListener("mouseover", (e) => view.onHover(e), on);
  view.grid.addEventListener("mouseleave", () => view.onLeave(), on);
  view.grid.addEventListener("focusin", (e) => view.onFocus(e), on);
  view.root.addEventListener("keydown", (e) => view.onKey(e), on);
  view.root.addEventListener("focusout", (e) => { if (!view.root.contains(e.relatedTarget)) view.onLeave(); }, on);
  view.help.addEventListener("click", () => view.toggleHelp(), on);
  let asked = false;
  const repaint = () => { // one picture per frame, however many traits changed
    if (asked) return;
    asked = true;
    queueMicrotask(() => { asked = false; view.paint(); });
  };
  const names = ["_data", "_shape", "_layers", "_picked", "limit", "title", "unit", "description", "summary", "error", "theme"];
  for (const name of names) model.on(`change:${name}`, repaint);
  const host = new MutationObserver(repaint);
  const watched = { attributes: true, attributeFilter: ["class", "data-jp-theme-light", "data-jp-theme-name", "data-theme", "theme"] };
  for (const node of [document.body, document.documentElement]) host.observe(node, watched);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint, on);
  view.paint();
  return () => {
    stop.abort();
    host.disconnect();
    clearTimeout(view.timer);
    for (const name of names) model.off(`change:${name}`, repaint);
  };
}

export default { render };
