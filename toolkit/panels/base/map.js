// A small map of heads to click and to walk through by keyboard.

import { make } from "./common.js";
import "./map.css";

export class HeadMap {
  constructor(view, parent) {
    this.view = view;
    this.cells = [];
    this.node = make("div", "tkm-map", parent, { role: "grid" });
  }

  shape(layers, heads) {
    const key = `${layers}/${heads}`;
    if (this.built === key) return;
    Object.assign(this, { built: key, layers, heads, cells: [] });
    const size = Math.round(Math.max(9, Math.min(24, 330 / layers.length, 300 / heads)));
    this.node.style.setProperty("--tk-cell", `${size}px`);
    this.node.replaceChildren();
    this.node.style.gridTemplateColumns = `max-content repeat(${heads}, ${size}px)`;
    for (const layer of layers) {
      const line = make("div", "", this.node, { role: "row" });
      make("div", "tkm-layer", line, { role: "rowheader" }).textContent = size < 12 && layer % 2 ? "" : layer;
      for (let head = 0; head < heads; head++) {
        const cell = make("div", "tkm-cell", line, { role: "gridcell", tabindex: "-1" });
        cell.at = [layer, head];
        this.cells.push(cell);
      }
    }
    const foot = make("div", "", this.node, { "aria-hidden": "true" });
    make("div", "", foot);
    const every = heads <= 16 && size >= 16 ? 1 : 4;
    for (let head = 0; head < heads; head++)
      make("div", "tkm-layer tkm-foot", foot).textContent = head % every ? "" : head;
  }

  // colours: a palette [[r, g, b], …] and where in it (0 … 1); words: of the value
  paint(current, palette, place, words, more = () => {}) {
    const there = this.cells.some((cell) => String(cell.at) === String(current)); // else the first is in the tab order
    this.cells.forEach((cell, i) => {
      const on = String(cell.at) === String(current);
      const at = Math.max(0, Math.min(1, place(i))) * (palette.length - 1);
      const [low, high] = [palette[Math.floor(at)], palette[Math.ceil(at)]];
      cell.style.backgroundColor = `rgb(${low.map((c, k) => Math.round(c + (high[k] - c) * (at % 1))).join(" ")})`;
      cell.setAttribute("aria-selected", on);
      cell.tabIndex = on || !(there || i) ? 0 : -1;
      const name = `L${cell.at[0]}.H${cell.at[1]}`;
      const said = words(i);
      cell.title = `${name}, ${said[0]}`;
      cell.setAttribute("aria-label", `${name}, ${said[1] || said[0]}`);
      more(cell, i);
    });
  }

  get focused() {
    return this.node.contains(this.view.root.getRootNode().activeElement);
  }

  focus(head) {
    this.cells.find((cell) => String(cell.at) === String(head))?.focus();
  }

  inside(row, head) {
    // the nearest head there is
    const layer = this.layers[Math.max(0, Math.min(this.layers.length - 1, row))];
    return [layer, Math.max(0, Math.min(this.heads - 1, head))];
  }

  moved(key, [layer, head]) {
    // where an arrow leads, if it is one
    const row = this.layers.indexOf(layer);
    const to = {
      ArrowUp: [row - 1, head],
      ArrowDown: [row + 1, head],
      ArrowLeft: [row, head - 1],
      ArrowRight: [row, head + 1],
      Home: [row, 0],
      End: [row, 1e6],
    }[key];
    return to && this.inside(...to);
  }
}
