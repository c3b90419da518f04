// Accuracies before and after as a table with a small plot, and thumbnails of what flipped. After heads.js.

import { make } from "./common.js";
import { SheetUrl, paintTiles } from "./tiles.js";
import "./labs.css";

export const share = (x) => `${(100 * x).toFixed(1)} %`;
export const points = (x) => `${x < 0 ? "−" : "+"}${Math.abs(100 * x).toFixed(1)}`;
const at = (x) => `${(100 * x).toFixed(2)}%`;

export class GroupTable {
  constructor(parent) {
    this.node = make("table", "tkl-groups", parent, { "aria-label": "accuracies" });
  }

  paint(rows, first, was = "before", now = "after") {
    const key = JSON.stringify([rows, first, was, now]);
    if (key === this.key) return;
    this.key = key;
    this.node.replaceChildren();
    const head = make("tr", "", this.node);
    for (const words of [first, "n", was, now, "change in points [95 %]"])
      make("th", "", head, { scope: "col" }).textContent = words;
    make("td", "", head);
    rows.forEach(({ name, n, before, after, low, high, other }, i) => {
      const line = make("tr", other && !rows[i - 1]?.other ? "tkl-rule" : "", this.node);
      make("th", "", line, { scope: "row" }).textContent = name;
      for (const words of [n, share(before), share(after)]) make("td", "", line).textContent = words;
      const change = make("td", "", line);
      make("b", after > before ? "tkl-up" : after < before ? "tkl-down" : "", change).textContent = points(
        after - before,
      );
      make("small", "", change).textContent = ` [${points(low)}, ${points(high)}]`;
      const plot = make("div", "tkl-plot", make("td", "", line), { "aria-hidden": "true" });
      const bar = make("i", "", plot);
      bar.style.left = at(Math.min(before, after));
      bar.style.width = at(Math.abs(after - before));
      for (const [x, kind] of [
        [before, "before"],
        [after, "after"],
      ])
        make("i", `tkl-${kind}`, plot).style.left = at(x);
    });
  }
}

export class Flips {
  constructor(view, parent) {
    Object.assign(this, { view, sheet: new SheetUrl(), kinds: {} });
    for (const [name, words] of [
      ["right", "became right"],
      ["wrong", "became wrong"],
    ]) {
      const heading = make("div", "tkl-label", parent);
      const tiles = make("div", "tkm-thumbs", parent, {
        role: "listbox",
        "aria-label": `images that ${words}`,
      });
      this.kinds[name] = { words, heading, tiles };
    }
  }

  get nodes() {
    return Object.values(this.kinds).flatMap(({ heading, tiles }) => [heading, tiles]);
  }

  paint(flips, bytes, chosen) {
    const key = [flips, bytes, chosen];
    if (key.every((part, i) => part === this.key?.[i])) return;
    this.key = key;
    const { right, wrong, n, columns, side } = flips;
    this.view.root.style.setProperty("--tk-tile", `${side}px`);
    const url = this.sheet.of(bytes);
    [
      ["right", right, 0],
      ["wrong", wrong, right.length],
    ].forEach(([name, found, offset], i) => {
      const { words, heading, tiles } = this.kinds[name];
      heading.textContent = `${n[i]} ${words}${found.length < n[i] ? `, the first ${found.length}` : ""}`;
      const shown = found.map(([id, group, change]) => ({
        id,
        title: `${id}\n${group}: ${change}`,
        label: `${group}, ${change}`,
        caption: `${group}: ${change.replace(/.*→/, "→")}`,
      }));
      paintTiles(tiles, shown, offset, right.length + wrong.length, { columns, side }, url, chosen);
    });
  }
}
