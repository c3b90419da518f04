// HeadGrid: a layer × head map as an accessible grid.

import { Frame, keep, make } from "../base/common.js";
import { colorOf, markOf, words } from "./colours.js";
import "./style.css";

const KEYS = [
  ["Click", "select one head"],
  ["Shift-click, Space or Enter", "add or remove it"],
  ["Arrows, Home, End, Page up, Page down", "move"],
  ["Shift + arrows", "add while moving"],
  ["Escape", "clear the selection"],
  ["Click a number, P or Shift + P", "pin a layer or a head: it comes first"],
  ["?", "show or hide this list"],
];

const css = (rgb) => `rgb(${rgb.join(", ")})`;
const ink = (rgb) => (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 140 ? "#14171c" : "#ffffff");
const same = (a, b) => a[0] === b[0] && a[1] === b[1];

class View extends Frame {
  constructor(model, el) {
    super(model, el, "tkhg", KEYS);
    this.focus = [0, 0];
    this.cells = [];
    const map = make("div", "tkhg-map", this.body);
    make("div", "tkhg-axis tkhg-axis-y", map).textContent = "layer";
    this.grid = make("div", "tkhg-grid", map, { role: "grid", "aria-multiselectable": "true" });
    make("div", "tkhg-axis tkhg-axis-x", map).textContent = "head";
    this.bar = make("div", "tkhg-bar", this.body, { "aria-hidden": "true" });
    this.chooser = make("select", "", null, { "aria-label": "Score" });
    this.tools.insertBefore(this.chooser, this.help);
    this.csv = this.tool("CSV", "Save the values as CSV");
    this.tip = make("div", "tkhg-tip", this.root, { role: "tooltip", hidden: "" });
  }

  get picked() {
    return this.model.get("_picked");
  }

  pick(heads) {
    this.set({ _picked: heads });
  }

  toggle(head) {
    const rest = this.picked.filter((p) => !same(p, head));
    this.pick(rest.length < this.picked.length ? rest : [...this.picked, head]);
  }

  headAt(row, col) {
    return [this.model.get("_layers")[row], col];
  }

  read() {
    // the map shown, out of all that were sent
    const data = this.model.get("_data");
    const all = new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
    const [rows, cols] = this.model.get("_shape");
    return { all, values: all.subarray(this.at * rows * cols, (this.at + 1) * rows * cols) };
  }

  get at() {
    return Math.max(0, this.model.get("_scores").indexOf(this.model.get("score")));
  }

  order(n, pinned) {
    // what is pinned first, the rest as it was
    const all = [...Array(n).keys()];
    return [...pinned, ...all.filter((i) => !pinned.includes(i))];
  }

  build(rows, cols, layers) {
    const m = this.model;
    const pinned = m
      .get("pinned_layers")
      .map((layer) => layers.indexOf(layer))
      .filter((i) => i >= 0);
    const pinnedHeads = m.get("pinned_heads").filter((c) => c < cols);
    this.rowOrder = this.order(rows, pinned);
    this.colOrder = this.order(cols, pinnedHeads);
    this.cells = Array(rows * cols);
    this.grid.replaceChildren();
    const size = Math.round(Math.max(14, Math.min(34, 520 / rows, 600 / cols)));
    this.root.style.setProperty("--tk-cell", `${size}px`);
    const [first, gap] = [pinnedHeads.length, pinnedHeads.length && pinnedHeads.length < cols];
    const columns = (n) => (n ? `repeat(${n}, minmax(12px, ${size}px))` : "");
    this.grid.style.gridTemplateColumns = `max-content ${columns(gap ? first : 0)} ${gap ? "4px" : ""} ${columns(gap ? cols - first : cols)}`;
    this.grid.setAttribute("aria-rowcount", rows);
    this.grid.setAttribute("aria-colcount", cols);
    this.rowOrder.forEach((r, i) => {
      const line = make("div", "tkhg-row", this.grid, { role: "row" });
      const label = make("div", "tkhg-layer", line, {
        role: "rowheader",
        title: "click to pin this layer",
      });
      label.textContent = layers[r];
      label.dataset.layer = layers[r];
      label.classList.toggle("tkhg-pinned", i < pinned.length);
      this.colOrder.forEach((c, j) => {
        if (gap && j === first) make("div", "", line, { "aria-hidden": "true" });
        const cell = make("div", "tkhg-cell", line, {
          role: "gridcell",
          tabindex: "-1",
          "aria-colindex": c + 1,
        });
        cell.dataset.row = r;
        cell.dataset.col = c;
        cell.classList.toggle("tkhg-below", i === pinned.length && i > 0);
        this.cells[r * cols + c] = cell;
      });
    });
    const last = make("div", "tkhg-row", this.grid, { "aria-hidden": "true" });
    make("div", "", last);
    const every = cols <= 16 ? 1 : cols <= 24 ? 2 : 4;
    this.colOrder.forEach((c, j) => {
      if (gap && j === first) make("div", "", last);
      const label = make("div", "tkhg-column", last, { title: "click to pin this head" });
      label.textContent = j >= pinnedHeads.length && c % every ? "" : c;
      label.dataset.head = c;
      label.classList.toggle("tkhg-pinned", j < pinnedHeads.length);
    });
    this.focus = [Math.min(this.focus[0], rows - 1), Math.min(this.focus[1], cols - 1)];
    this.built = this.plan(rows, cols, layers);
  }

  plan(rows, cols, layers) {
    return JSON.stringify([
      rows,
      cols,
      layers,
      this.model.get("pinned_layers"),
      this.model.get("pinned_heads"),
    ]);
  }

  paint() {
    const m = this.model;
    const [rows, cols] = m.get("_shape");
    const layers = m.get("_layers");
    const scores = m.get("_scores");
    const { all, values } = this.read();
    if (all.length !== rows * cols * scores.length || layers.length !== rows) return; // the rest of one update is on its way
    const active = this.cells.includes(this.grid.getRootNode().activeElement);
    if (this.built !== this.plan(rows, cols, layers)) {
      this.build(rows, cols, layers);
      if (active) this.cells[this.focus[0] * cols + this.focus[1]].focus();
    }
    this.paintFrame();
    this.paintChooser(scores);
    const limit = m.get("_limits")[this.at];
    const palette = m.get("_palette")[this.theme];
    const missing = m.get("_palette").nan[this.theme];
    const picked = new Set(this.picked.map(String));
    const pointed = String(m.get("_pointed"));
    this.values = values;
    this.cells.forEach((cell, i) => {
      const head = this.headAt(Math.floor(i / cols), i % cols);
      const rgb = colorOf(values[i], limit, palette, missing);
      const on = picked.has(String(head));
      cell.style.backgroundColor = css(rgb);
      cell.style.color = ink(rgb);
      cell.textContent = markOf(values[i], limit);
      cell.classList.toggle("tkhg-pointed", String(head) === pointed);
      cell.setAttribute("aria-selected", on);
      cell.setAttribute("aria-label", `layer ${head[0]}, head ${head[1]}, ${words(values[i])}`);
      cell.tabIndex = Math.floor(i / cols) === this.focus[0] && i % cols === this.focus[1] ? 0 : -1;
    });
    this.grid.setAttribute(
      "aria-label",
      [m.get("title"), scores[this.at]].filter(Boolean).join(", ") || "layer by head map",
    );
    this.paintBar(limit, palette);
    this.painted();
  }

  paintChooser(scores) {
    this.chooser.hidden = scores.length < 2;
    if (this.offered !== String(scores)) {
      this.offered = String(scores);
      this.chooser.replaceChildren(
        ...scores.map((name) => {
          const option = make("option", "", null, { value: name });
          option.textContent = name;
          return option;
        }),
      );
    }
    this.chooser.value = scores[this.at];
  }

  paintBar(limit, palette) {
    this.bar.replaceChildren();
    const strip = make("div", "tkhg-strip", this.bar);
    strip.style.background = `linear-gradient(to top, ${palette.map(css).join(", ")})`;
    const ticks = make("div", "tkhg-ticks", this.bar);
    for (const v of [limit, 0, -limit]) make("span", "", ticks).textContent = v ? words(v) : "0";
    make("div", "tkhg-unit", this.bar).textContent = this.model.get("unit");
  }

  pin(name, value) {
    const pinned = this.model.get(name);
    this.set({
      [name]: pinned.includes(value) ? pinned.filter((x) => x !== value) : [...pinned, value],
    });
  }

  save() {
    // the browser writes it: this works without a kernel too
    const scores = this.model.get("_scores");
    const [rows, cols] = this.model.get("_shape");
    const { all } = this.read();
    const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [["layer", "head", ...scores.map((name) => quoted(name || "value")), "selected"].join(",")];
    const picked = new Set(this.picked.map(String));
    for (let i = 0; i < rows * cols; i++) {
      const head = this.headAt(Math.floor(i / cols), i % cols);
      lines.push(
        [...head, ...scores.map((_, s) => all[s * rows * cols + i]), picked.has(String(head))].join(","),
      );
    }
    const url = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    make("a", "", null, { href: url, download: "heads.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
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
    const { layer, head: column } = event.target.dataset;
    if (layer !== undefined) return this.pin("pinned_layers", Number(layer));
    if (column !== undefined) return this.pin("pinned_heads", Number(column));
    const cell = this.cellOf(event);
    if (!cell) return;
    const [row, col] = [Number(cell.dataset.row), Number(cell.dataset.col)];
    const head = this.headAt(row, col);
    this.move(row, col);
    if (event.shiftKey || event.ctrlKey || event.metaKey) this.toggle(head);
    else this.pick(this.picked.length === 1 && same(this.picked[0], head) ? [] : [head]);
  }

  onKey(event) {
    if (!this.cellOf(event)) return;
    const [r, c] = this.focus;
    const [rows, cols] = this.model.get("_shape");
    const [i, j] = [this.rowOrder.indexOf(r), this.colOrder.indexOf(c)]; // as painted: what is pinned comes first
    const to = {
      ArrowUp: [i - 1, j],
      ArrowDown: [i + 1, j],
      ArrowLeft: [i, j - 1],
      ArrowRight: [i, j + 1],
      Home: [i, 0],
      End: [i, cols - 1],
      PageUp: [0, j],
      PageDown: [rows - 1, j],
    }[event.key]?.map(
      (at, k) => [this.rowOrder, this.colOrder][k][Math.max(0, Math.min([rows, cols][k] - 1, at))],
    );
    if (event.key === "p") return this.done(event, () => this.pin("pinned_layers", this.headAt(r, c)[0]));
    if (event.key === "P") return this.done(event, () => this.pin("pinned_heads", c));
    if (to) return this.done(event, () => this.travel(to, event.shiftKey));
    if (event.key === "Enter" || event.key === " ")
      return this.done(event, () => this.toggle(this.headAt(r, c)));
    if (event.key === "Escape") return this.done(event, () => this.pick([]));
  }

  travel(to, extend) {
    const from = this.headAt(...this.focus);
    this.move(...to);
    if (!extend) return;
    const added = [from, this.headAt(...this.focus)].filter((h) => !this.picked.some((p) => same(p, h)));
    this.pick([...this.picked, ...added]);
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

  onFocus(event) {
    // however the focus came here: a click, a key, a screen reader
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

  report(head) {
    // at most ten times a second: hovering must not flood the kernel
    this.next = head;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (String(this.model.get("hovered")) === String(this.next)) return;
      this.set({ hovered: this.next });
    }, 100);
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  const names = [
    "_data",
    "_shape",
    "_layers",
    "_scores",
    "_limits",
    "_picked",
    "_pointed",
    "score",
    "unit",
    "pinned_layers",
    "pinned_heads",
  ];
  const stop = keep(view, names, (on) => {
    view.chooser.addEventListener("change", () => view.set({ score: view.chooser.value }), on);
    view.csv.addEventListener("click", () => view.save(), on);
    view.grid.addEventListener("click", (e) => view.onClick(e), on);
    view.grid.addEventListener("mouseover", (e) => view.onHover(e), on);
    view.grid.addEventListener("mouseleave", () => view.onLeave(), on);
    view.grid.addEventListener("focusin", (e) => view.onFocus(e), on);
    view.root.addEventListener(
      "focusout",
      (e) => {
        if (!view.root.contains(e.relatedTarget)) view.onLeave();
      },
      on,
    );
  });
  return () => {
    stop();
    clearTimeout(view.timer);
  };
}

export default { render };
