// HeadGrid: a layer × head map as an accessible grid.

/** @import { Head, Key, Place, Rgb, Stop } from "../base/types.d.ts" */

import { css } from "../base/colours.js";
import { choice, offer } from "../base/controls.js";
import { floats, make, targetOf, write } from "../base/dom.js";
import { Frame } from "../base/frame.js";
import { keep } from "../base/keep.js";
import { alike, upTo, within } from "../base/numbers.js";
import { csvOf } from "./csv.js";
import { First } from "./first.js";
import { colorOf, inkOn, markOf, words } from "./values.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Click", "select one head"],
  ["Shift-click, Space or Enter", "add or remove it"],
  ["Arrows, Home, End, Page up, Page down", "move"],
  ["Shift + arrows", "add while moving"],
  ["Escape", "clear the selection"],
  ["Click a number, P or Shift + P", "pin a layer or a head: it comes first"],
  ["?", "show or hide this list"],
];
const PAINTED_FROM = [
  "_data",
  "_shape",
  "_layers",
  "_scores",
  "_limits",
  "_says",
  "_picked",
  "_pointed",
  "score",
  "unit",
  "pinned_layers",
  "pinned_heads",
];
const REPORT_EVERY = 100; // milliseconds: hovering must not flood the kernel
const WIDTH = 600;
const HEIGHT = 520;

/** @typedef {{row: number, column: number}} Spot a cell by the row and column of the table, pinned or not */

/**
 * What is pinned first, the rest as it was.
 * @param {number} n
 * @param {number[]} pinned
 */
const pinnedFirst = (n, pinned) => [...pinned, ...upTo(n).filter((i) => !pinned.includes(i))];

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkhg", KEYS);
    /** @type {Spot} the cell in the tab order */
    this.focus = { row: 0, column: 0 };
    /** @type {HTMLElement[]} in the order of the table */
    this.cells = [];
    /** Rows and columns of the table in the order they are painted. */
    this.rowOrder = upTo(0);
    this.columnOrder = upTo(0);
    /** What the cells are built for. */
    this.built = "";
    this.values = new Float32Array();
    /** @type {Head | null} what is to be reported as hovered */
    this.next = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    const map = make("div", "tkhg-map", this.body);
    make("div", "tkhg-axis tkhg-axis-y", map).textContent = "layer";
    this.grid = make("div", "tkhg-grid", map, { role: "grid", "aria-multiselectable": "true" });
    make("div", "tkhg-axis tkhg-axis-x", map).textContent = "head";
    this.bar = make("div", "tkhg-bar", this.body, { "aria-hidden": "true" });
    this.says = make("div", "tkhg-says", this.body);
    this.first = new First(this.body, (head, more) => this.pickFrom(head, more));
    this.chooser = choice(null, "Score", []);
    this.tools.insertBefore(this.chooser, this.help);
    this.csv = this.tool("CSV", "Save the values as CSV");
    this.tip = make("div", "tkhg-tip", this.root, { role: "tooltip", hidden: "" });
  }

  // what the model holds

  /** @returns {{rows: number, columns: number}} */
  get shape() {
    return this.get("_shape");
  }

  /** @returns {Head[]} */
  get picked() {
    return this.get("_picked");
  }

  /** @returns {number[]} */
  get layers() {
    return this.get("_layers");
  }

  /** @returns {string[]} */
  get scores() {
    return this.get("_scores");
  }

  /** Which of the scores is shown. */
  get shown() {
    return Math.max(0, this.scores.indexOf(this.get("score")));
  }

  /**
   * @param {Spot} spot
   * @returns {Head}
   */
  headAt({ row, column }) {
    return [this.layers[row], column];
  }

  /**
   * @param {number} i a cell's place in the table
   * @returns {Spot}
   */
  spotOf(i) {
    const { columns } = this.shape;
    return { row: Math.floor(i / columns), column: i % columns };
  }

  /** @param {Spot} spot */
  cellAt({ row, column }) {
    return this.cells[row * this.shape.columns + column];
  }

  // build

  /** What the cells are built for, in words. */
  plan() {
    const traits = ["_shape", "_layers", "pinned_layers", "pinned_heads"];
    return JSON.stringify(traits.map((name) => this.get(name)));
  }

  build() {
    const { rows, columns } = this.shape;
    const layers = /** @type {number[]} */ (this.get("pinned_layers")).map((layer) =>
      this.layers.indexOf(layer),
    );
    const pinnedRows = layers.filter((row) => row >= 0);
    const pinnedColumns = /** @type {number[]} */ (this.get("pinned_heads")).filter((head) => head < columns);
    const gap = pinnedColumns.length > 0 && pinnedColumns.length < columns ? pinnedColumns.length : -1;
    this.rowOrder = pinnedFirst(rows, pinnedRows);
    this.columnOrder = pinnedFirst(columns, pinnedColumns);
    this.cells = Array(rows * columns);
    this.grid.replaceChildren();
    this.fit(rows, columns, gap);
    this.grid.setAttribute("aria-rowcount", String(rows));
    this.grid.setAttribute("aria-colcount", String(columns));
    this.rowOrder.forEach((row, i) => {
      this.buildRow(row, i < pinnedRows.length, i > 0 && i === pinnedRows.length, gap);
    });
    this.buildFoot(columns, pinnedColumns.length, gap);
    this.focus = {
      row: Math.min(this.focus.row, rows - 1),
      column: Math.min(this.focus.column, columns - 1),
    };
    this.built = this.plan();
  }

  /**
   * The size of the cells.
   * @param {number} rows
   * @param {number} columns
   * @param {number} gap the painted column before which there is one, or −1
   */
  fit(rows, columns, gap) {
    const size = Math.round(within(Math.min(HEIGHT / rows, WIDTH / columns), 14, 34));
    this.root.style.setProperty("--tk-cell", `${size}px`);
    /** @param {number} n */
    const tracks = (n) => (n ? `repeat(${n}, minmax(12px, ${size}px))` : "");
    const parts = gap > 0 ? `${tracks(gap)} 4px ${tracks(columns - gap)}` : tracks(columns);
    this.grid.style.gridTemplateColumns = `max-content ${parts}`;
  }

  /**
   * @param {number} row
   * @param {boolean} pinned
   * @param {boolean} belowPinned
   * @param {number} gap
   */
  buildRow(row, pinned, belowPinned, gap) {
    const layer = String(this.layers[row]);
    const line = make("div", "tkhg-row", this.grid, { role: "row" });
    const label = make("div", "tkhg-layer", line, { role: "rowheader", title: "click to pin this layer" });
    label.textContent = layer;
    label.dataset.layer = layer;
    label.classList.toggle("tkhg-pinned", pinned);
    this.columnOrder.forEach((column, j) => {
      if (j === gap) make("div", "", line, { "aria-hidden": "true" });
      const attributes = { role: "gridcell", tabindex: "-1", "aria-colindex": column + 1 };
      const cell = make("div", "tkhg-cell", line, attributes);
      cell.dataset.row = String(row);
      cell.dataset.col = String(column);
      cell.classList.toggle("tkhg-below", belowPinned);
      this.cells[row * this.shape.columns + column] = cell;
    });
  }

  /**
   * @param {number} columns
   * @param {number} pinned how many of the first are pinned
   * @param {number} gap
   */
  buildFoot(columns, pinned, gap) {
    const foot = make("div", "tkhg-row", this.grid, { "aria-hidden": "true" });
    make("div", "", foot);
    let every = 4;
    if (columns <= 24) every = 2;
    if (columns <= 16) every = 1;
    this.columnOrder.forEach((column, j) => {
      if (j === gap) make("div", "", foot);
      const label = make("div", "tkhg-column", foot, { title: "click to pin this head" });
      const left = j >= pinned && column % every !== 0;
      label.textContent = left ? "" : String(column);
      label.dataset.head = String(column);
      label.classList.toggle("tkhg-pinned", j < pinned);
    });
  }

  // paint

  paint() {
    const { rows, columns } = this.shape;
    const all = floats(this.get("_data"));
    const size = rows * columns;
    if (all.length !== size * this.scores.length || this.layers.length !== rows) return; // the rest of one update is on its way
    this.values = all.subarray(this.shown * size, (this.shown + 1) * size);
    const focused = this.cells.some((cell) => cell === this.active);
    if (this.built !== this.plan()) {
      this.build();
      if (focused) this.cellAt(this.focus).focus();
    }
    this.paintFrame();
    this.paintChooser();
    /** @type {number} */
    const limit = this.get("_limits")[this.shown];
    /** @type {Rgb[]} */
    const palette = this.get("_palette")[this.theme];
    this.paintCells(limit, palette);
    this.paintBar(limit, palette);
    this.first.paint(this.values, (i) => this.headAt(this.spotOf(i)), this.picked);
    const names = [this.get("title"), this.scores[this.shown]].filter(Boolean);
    this.grid.setAttribute("aria-label", names.join(", ") || "layer by head map");
    this.painted();
  }

  /**
   * @param {number} limit
   * @param {Rgb[]} palette
   */
  paintCells(limit, palette) {
    const missing = this.get("_palette").nan[this.theme];
    const picked = new Set(this.picked.map(String));
    const pointed = this.get("_pointed");
    this.cells.forEach((cell, i) => {
      const value = this.values[i];
      const spot = this.spotOf(i);
      const head = this.headAt(spot);
      const rgb = colorOf(value, limit, palette, missing);
      const inTabOrder = spot.row === this.focus.row && spot.column === this.focus.column;
      cell.style.backgroundColor = css(rgb);
      cell.style.color = inkOn(rgb);
      cell.textContent = markOf(value, limit);
      cell.classList.toggle("tkhg-pointed", alike(head, pointed));
      cell.setAttribute("aria-selected", String(picked.has(String(head))));
      cell.setAttribute("aria-label", `layer ${head[0]}, head ${head[1]}, ${words(value)}`);
      cell.tabIndex = inTabOrder ? 0 : -1;
    });
  }

  paintChooser() {
    const { scores } = this;
    this.chooser.hidden = scores.length < 2;
    offer(
      this.chooser,
      scores.map((name) => [name, this.get("_labels")[name] ?? name]),
    );
    this.chooser.value = scores[this.shown];
  }

  /**
   * @param {number} limit
   * @param {Rgb[]} palette
   */
  paintBar(limit, palette) {
    this.bar.replaceChildren();
    const strip = make("div", "tkhg-strip", this.bar);
    strip.style.background = `linear-gradient(to top, ${palette.map(css).join(", ")})`;
    const ticks = make("div", "tkhg-ticks", this.bar);
    for (const value of [limit, 0, -limit]) {
      make("span", "", ticks).textContent = value ? words(value, 2) : "0";
    }
    make("div", "tkhg-unit", this.bar).textContent = this.get("unit");
    const says = this.get("_says")[this.scores[this.shown]];
    write(this.says, says ?? "");
    this.says.hidden = !says;
    if (!says) return;
    ticks.firstElementChild?.append(" guilty");
    ticks.lastElementChild?.append(" needed");
  }

  // what the user does

  /** @param {Head[]} heads */
  pick(heads) {
    this.set({ _picked: heads });
  }

  /** @param {Head} head */
  toggle(head) {
    const rest = this.picked.filter((other) => !alike(other, head));
    const wasPicked = rest.length < this.picked.length;
    this.pick(wasPicked ? rest : [...this.picked, head]);
  }

  /**
   * @param {"pinned_layers" | "pinned_heads"} name
   * @param {number} value
   */
  pin(name, value) {
    /** @type {number[]} */
    const pinned = this.get(name);
    const rest = pinned.filter((other) => other !== value);
    this.set({ [name]: pinned.includes(value) ? rest : [...pinned, value] });
  }

  /** Save the values as CSV; the browser writes the file, so that this works without a kernel too. */
  save() {
    const size = this.shape.rows * this.shape.columns;
    const heads = upTo(size).map((i) => this.headAt(this.spotOf(i)));
    const text = csvOf(this.scores, floats(this.get("_data")), heads, this.picked);
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    make("a", "", null, { href: url, download: "heads.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  /**
   * The cell that an event happened to, and where it is.
   * @param {Event} event
   */
  cellOf(event) {
    const cell = /** @type {HTMLElement | null | undefined} */ (targetOf(event).closest?.(".tkhg-cell"));
    if (!cell || !this.grid.contains(cell)) return null;
    return { cell, row: Number(cell.dataset.row), column: Number(cell.dataset.col) };
  }

  /** @param {Spot} spot */
  move(spot) {
    const { rows, columns } = this.shape;
    this.focus = { row: within(spot.row, 0, rows - 1), column: within(spot.column, 0, columns - 1) };
    this.cellAt(this.focus).focus();
    this.showTip(this.focus);
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const { layer, head: column } = targetOf(event).dataset;
    if (layer !== undefined) {
      this.pin("pinned_layers", Number(layer));
      return;
    }
    if (column !== undefined) {
      this.pin("pinned_heads", Number(column));
      return;
    }
    const found = this.cellOf(event);
    if (!found) return;
    const head = this.headAt(found);
    this.move(found);
    this.pickFrom(head, event.shiftKey || event.ctrlKey || event.metaKey);
  }

  /**
   * @param {Head} head
   * @param {boolean} more beside what is selected
   */
  pickFrom(head, more) {
    if (more) {
      this.toggle(head);
      return;
    }
    const alone = this.picked.length === 1 && alike(this.picked[0], head);
    this.pick(alone ? [] : [head]);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (!this.cellOf(event)) return;
    const [layer, head] = this.headAt(this.focus);
    const to = this.led(event.key);
    if (event.key === "p") this.done(event, () => this.pin("pinned_layers", layer));
    else if (event.key === "P") this.done(event, () => this.pin("pinned_heads", head));
    else if (to) this.done(event, () => this.travel(to, event.shiftKey));
    else if (event.key === "Enter" || event.key === " ") this.done(event, () => this.toggle([layer, head]));
    else if (event.key === "Escape") this.done(event, () => this.pick([]));
  }

  /**
   * Where a key leads from the cell that has the focus: as painted, with what is pinned first.
   * @param {string} key
   * @returns {Spot | undefined}
   */
  led(key) {
    const { rows, columns } = this.shape;
    const line = this.rowOrder.indexOf(this.focus.row);
    const place = this.columnOrder.indexOf(this.focus.column);
    /** @type {Record<string, [line: number, place: number]>} */
    const ways = {
      ArrowUp: [line - 1, place],
      ArrowDown: [line + 1, place],
      ArrowLeft: [line, place - 1],
      ArrowRight: [line, place + 1],
      Home: [line, 0],
      End: [line, columns - 1],
      PageUp: [0, place],
      PageDown: [rows - 1, place],
    };
    const way = ways[key];
    if (!way) return undefined;
    return {
      row: this.rowOrder[within(way[0], 0, rows - 1)],
      column: this.columnOrder[within(way[1], 0, columns - 1)],
    };
  }

  /**
   * @param {Spot} to
   * @param {boolean} extend the selection, by where it began and where it ends
   */
  travel(to, extend) {
    const from = this.headAt(this.focus);
    this.move(to);
    if (!extend) return;
    const picked = new Set(this.picked.map(String));
    const added = [from, this.headAt(this.focus)].filter((head) => !picked.has(String(head)));
    this.pick([...this.picked, ...added]);
  }

  /** @param {Spot} spot */
  showTip(spot) {
    const cell = this.cellAt(spot);
    const [layer, head] = this.headAt(spot);
    const value = this.values[spot.row * this.shape.columns + spot.column];
    this.tip.replaceChildren();
    make("b", "", this.tip).textContent = `L${layer}.H${head}`;
    make("span", "", this.tip).textContent = ` ${words(value)} ${this.get("unit")}`;
    this.tip.hidden = false;
    const inner = cell.getBoundingClientRect();
    const outer = this.root.getBoundingClientRect();
    const left = inner.left - outer.left + inner.width / 2;
    this.tip.style.left = `${within(left, 40, outer.width - 60)}px`;
    this.tip.style.top = `${inner.top - outer.top - 6}px`;
  }

  /** @param {MouseEvent} event */
  onHover(event) {
    const found = this.cellOf(event);
    if (!found) {
      this.onLeave();
      return;
    }
    this.showTip(found);
    this.report(this.headAt(found));
  }

  /**
   * However the focus came here: by a click, a key, a screen reader.
   * @param {FocusEvent} event
   */
  onFocus(event) {
    const found = this.cellOf(event);
    if (!found) return;
    for (const cell of this.cells) cell.tabIndex = cell === found.cell ? 0 : -1;
    this.focus = { row: found.row, column: found.column };
  }

  /** @param {FocusEvent} event */
  onBlur(event) {
    if (!this.root.contains(/** @type {Node | null} */ (event.relatedTarget))) this.onLeave();
  }

  onLeave() {
    this.tip.hidden = true;
    this.report(null);
  }

  /** @param {Head | null} head */
  report(head) {
    this.next = head;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (!alike(this.get("hovered"), this.next)) this.set({ hovered: this.next });
    }, REPORT_EVERY);
  }
}

/**
 * @param {Place} place
 * @returns {Stop}
 */
function render({ model, el }) {
  const view = new View(model, el);
  const stop = keep(view, PAINTED_FROM, (on) => {
    view.chooser.addEventListener("change", () => view.set({ score: view.chooser.value }), on);
    view.csv.addEventListener("click", () => view.save(), on);
    view.grid.addEventListener("click", (event) => view.onClick(event), on);
    view.grid.addEventListener("mouseover", (event) => view.onHover(event), on);
    view.grid.addEventListener("mouseleave", () => view.onLeave(), on);
    view.grid.addEventListener("focusin", (event) => view.onFocus(event), on);
    view.root.addEventListener("focusout", (event) => view.onBlur(event), on);
  });
  return () => {
    stop();
    clearTimeout(view.timer);
  };
}

export default { render };
