// A small map of heads to click and to walk through by keyboard.

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
    this.view.root.style.setProperty("--tk-cell", `${size}px`);
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
    for (let head = 0; head < heads; head++) make("div", "tkm-layer tkm-foot", foot).textContent = head % every ? "" : head;
  }

  // colours: a palette [[r, g, b], …] and where in it (0 … 1); words: of the value
  paint(current, palette, place, words, more = () => {}) {
    this.cells.forEach((cell, i) => {
      const on = String(cell.at) === String(current);
      const at = Math.max(0, Math.min(1, place(i))) * (palette.length - 1);
      const [low, high] = [palette[Math.floor(at)], palette[Math.ceil(at)]];
      cell.style.backgroundColor = `rgb(${low.map((c, k) => Math.round(c + (high[k] - c) * (at % 1))).join(" ")})`;
      cell.setAttribute("aria-selected", on);
      cell.tabIndex = on ? 0 : -1;
      const name = `L${cell.at[0]}.H${cell.at[1]}`;
      const said = words(i);
      cell.title = `${name}, ${said[0]}`;
      cell.setAttribute("aria-label", `${name}, ${said[1] || said[0]}`);
      more(cell, i);
    });
  }

  get focused() { return this.node.contains(this.view.root.getRootNode().activeElement); }

  focus(head) { this.cells.find((cell) => String(cell.at) === String(head))?.focus(); }

  inside(row, head) { // the nearest head there is
    const layer = this.layers[Math.max(0, Math.min(this.layers.length - 1, row))];
    return [layer, Math.max(0, Math.min(this.heads - 1, head))];
  }

  moved(key, [layer, head]) { // where an arrow leads, if it is one
    const row = this.layers.indexOf(layer);
    const to = { ArrowUp: [row - 1, head], ArrowDown: [row + 1, head], ArrowLeft: [row, head - 1], ArrowRight: [row, head + 1],
      Home: [row, 0], End: [row, 1e6] }[key];
    return to && this.inside(...to);
  }
}

export const floats = (bytes) => new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));

export function drawn(tag, parent, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

// Thumbnails from one sheet: tiles [{id, title, label, caption}], the first of them at `offset` in the sheet.
export function paintTiles(line, tiles, offset, n, { columns, side }, url, chosen) {
  while (line.children.length > tiles.length) line.lastChild.remove();
  while (line.children.length < tiles.length) make("div", "tkm-thumb", line, { role: "option" });
  tiles.forEach(({ id, title, label, caption }, i) => {
    const tile = line.children[i];
    const at = offset + i;
    tile.image = id;
    tile.textContent = url ? "" : id;
    tile.style.backgroundImage = url ? `url("${url}")` : "";
    tile.style.backgroundSize = `${columns * side}px ${Math.ceil(n / columns) * side}px`;
    tile.style.backgroundPosition = `${-(at % columns) * side}px ${-Math.floor(at / columns) * side}px`;
    tile.title = title;
    tile.setAttribute("aria-label", label);
    tile.setAttribute("aria-selected", id === chosen);
    tile.tabIndex = i === 0 ? 0 : -1;
    if (caption) make("span", "tkm-caption", tile).textContent = caption;
  });
}

export function tileKey(view, event) { // walk along thumbnails, choose one; whether the key was of that kind
  const tile = event.target.closest?.(".tkm-thumb");
  const to = { ArrowLeft: tile?.previousSibling, ArrowRight: tile?.nextSibling }[event.key];
  const chosen = event.key === "Enter" || event.key === " ";
  if (!tile || !(to || chosen)) return false;
  view.done(event, () => (chosen ? tile.click() : to.focus()));
  return true;
}

// The picture of a sheet as an object URL, made anew when the bytes change.
export class SheetUrl {
  of(bytes) {
    if (this.bytes !== bytes) {
      this.bytes = bytes;
      this.drop();
      this.url = bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : "";
    }
    return this.url;
  }

  drop() { if (this.url) URL.revokeObjectURL(this.url); }
}
