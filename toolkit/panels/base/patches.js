// An image under its map: grey below, the map in colour, clear at zero; and the scale beneath it. After tiles.js.

import { make, write } from "./common.js";
import { floats } from "./tiles.js";
import "./patches.css";

export const signed = (x, digits = 4) => {
  const size = Math.abs(x);
  const text =
    size >= 0.5 * 10 ** -digits || !size ? size.toFixed(digits) : size.toExponential(1).replace("-", "−");
  return (x < 0 ? "−" : "+") + text;
};

export function tint(t, palette) {
  // t from −1 to 1
  const at = ((Math.max(-1, Math.min(1, t)) + 1) / 2) * (palette.length - 1);
  const i = Math.min(Math.floor(at), palette.length - 2);
  return palette[i].map((c, k) => Math.round(c + (palette[i + 1][k] - c) * (at - i)));
}

function between(values, [rows, cols], y, x) {
  // bilinear between the cells' centres, flat beyond the outermost
  const [r, c] = [Math.max(0, Math.min(rows - 1, y - 0.5)), Math.max(0, Math.min(cols - 1, x - 0.5))];
  const [i, j] = [Math.floor(r), Math.floor(c)];
  const [k, l] = [Math.min(i + 1, rows - 1), Math.min(j + 1, cols - 1)];
  const top = values[i * cols + j] * (1 - c + j) + values[i * cols + l] * (c - j);
  return top * (1 - r + i) + (values[k * cols + j] * (1 - c + j) + values[k * cols + l] * (c - j)) * (r - i);
}

function colours(values, grid, limit, palette, opacity, raw) {
  // a canvas of the map alone
  const fine = raw ? 1 : Math.max(4, Math.ceil(160 / Math.max(...grid)));
  const [rows, cols] = grid.map((n) => n * fine);
  const canvas = make("canvas", "", null, { width: cols, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(cols, rows);
  for (let y = 0, at = 0; y < rows; y++)
    for (let x = 0; x < cols; x++, at += 4) {
      const value = raw ? values[y * cols + x] : between(values, grid, (y + 0.5) / fine, (x + 0.5) / fine);
      const t = value / limit;
      image.data.set([...tint(t, palette), 255 * opacity * Math.sqrt(Math.min(1, Math.abs(t)))], at);
    }
  context.putImageData(image, 0, 0);
  return canvas;
}

export class Pane {
  constructor(view, parent) {
    this.view = view;
    this.node = make("figure", "tkt-pane", parent);
    this.caption = make("figcaption", "tkt-caption", this.node);
    this.canvas = make("canvas", "tkt-canvas", this.node, {
      tabindex: "0",
      role: "application",
      "aria-roledescription": "map",
    });
    const bar = make("div", "tkt-bar", this.node, { "aria-hidden": "true" });
    this.strip = make("div", "tkt-strip", bar);
    this.ticks = make("div", "tkt-ticks", bar);
    this.sums = make("div", "tkt-sums", this.node);
    this.rest = make("div", "tkt-rest", this.node);
  }

  load(bytes) {
    // the picture, grey and in colour; painted again when it is there
    if (this.bytes === bytes || !bytes?.byteLength) return;
    this.bytes = bytes;
    this.picture = this.grey = null; // another image's picture must not lie under this map
    const url = URL.createObjectURL(new Blob([bytes]));
    const image = new Image();
    image.onload = () => {
      URL.revokeObjectURL(url);
      if (this.bytes !== bytes) return;
      this.picture = image;
      this.grey = make("canvas", "", null, { width: image.width, height: image.height });
      const context = this.grey.getContext("2d");
      context.drawImage(image, 0, 0);
      const all = context.getImageData(0, 0, image.width, image.height);
      for (let i = 0; i < all.data.length; i += 4)
        all.data.fill(0.299 * all.data[i] + 0.587 * all.data[i + 1] + 0.114 * all.data[i + 2], i, i + 3);
      context.putImageData(all, 0, 0);
      this.view.paint();
    };
    image.src = url;
  }

  paint(map, bytes, limit, palette, { opacity, raw, wide, paper }) {
    this.node.hidden = !map.values;
    if (!map.values) return;
    this.load(bytes);
    const key = [map, this.grey, limit, palette, opacity, raw, wide];
    if (!key.every((part, i) => part === this.key?.[i])) {
      this.key = key;
      this.map = map;
      this.values = floats(map.values);
      this.seen = this.window(map, wide);
      const [width, height] = [this.seen[2] - this.seen[0], this.seen[3] - this.seen[1]];
      this.zoom = Math.min(wide / width, 420 / height);
      const ratio = window.devicePixelRatio || 1;
      [this.canvas.width, this.canvas.height] = [width, height].map((n) =>
        Math.max(1, Math.round(n * this.zoom * ratio)),
      );
      this.canvas.style.width = `${width * this.zoom}px`;
      this.scale = this.canvas.width / width;
      this.layer = colours(this.values, map.grid, limit, palette, opacity, raw);
      this.words(map, limit, palette, opacity);
    }
    this.draw(opacity, raw, paper);
  }

  window({ size, box }, wide) {
    // the whole picture; of a strip in which the map would be lost, what is around the map
    const [width, height] = size;
    const [left, top, right, bottom] = box;
    if (Math.min(right - left, bottom - top) * Math.min(wide / width, 420 / height) >= 96)
      return [0, 0, width, height];
    const [x, y] = [(right - left) / 2, (bottom - top) / 2];
    return [
      Math.max(0, left - x),
      Math.max(0, top - y),
      Math.min(width, right + x),
      Math.min(height, bottom + y),
    ];
  }

  get place() {
    // the map's box in pixels of the picture shown
    const [x, y] = this.seen;
    return this.map.box.map((v, i) => v - (i % 2 ? y : x));
  }

  draw(opacity, raw, paper) {
    const { canvas, map, scale } = this;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = this.picture && this.picture.width > canvas.width;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (this.picture) {
      const [fx, fy] = [this.picture.width / map.size[0], this.picture.height / map.size[1]];
      const [x, y, r, b] = this.seen;
      context.drawImage(
        opacity ? this.grey : this.picture,
        x * fx,
        y * fy,
        (r - x) * fx,
        (b - y) * fy,
        0,
        0,
        canvas.width,
        canvas.height,
      );
    }
    const [left, top, right, bottom] = this.place.map((v) => v * scale);
    context.save();
    context.globalAlpha = 0.6;
    context.fillStyle = paper;
    context.beginPath();
    context.rect(0, 0, canvas.width, canvas.height);
    context.rect(left, top, right - left, bottom - top);
    context.fill("evenodd"); // what the model did not see
    context.restore();
    context.imageSmoothingEnabled = !raw;
    context.drawImage(this.layer, left, top, right - left, bottom - top);
    for (const [cell, pinned] of [
      [this.view.pinned, true],
      [this.view.pointed, false],
    ]) {
      if (!cell) continue;
      const [h, w] = [(bottom - top) / map.grid[0], (right - left) / map.grid[1]];
      for (const [ink, width] of [
        ["#000", 4],
        ["#fff", 2],
      ]) {
        context.strokeStyle = ink;
        context.lineWidth = width;
        context.setLineDash(pinned ? [] : [4, 3]);
        context.strokeRect(left + cell[1] * w, top + cell[0] * h, w, h);
      }
    }
  }

  words(map, limit, palette, opacity) {
    const stops = [...Array(17).keys()].map((i) => {
      const t = i / 8 - 1;
      return `rgb(${tint(t, palette).join(" ")} / ${opacity * Math.sqrt(Math.abs(t))})`;
    });
    this.strip.style.background = `linear-gradient(to right, ${stops.join(", ")}), #808080`;
    this.ticks.replaceChildren();
    for (const v of [-limit, 0, limit])
      make("span", "", this.ticks).textContent = v ? signed(v, limit < 0.01 ? 4 : 3) : "0";
    const state = map.state === "base" ? "" : `${map.state}: `; // first: it is what two panes differ in
    write(
      this.caption,
      `${state}${map.minus ? "change in " : ""}${map.method} of ${map.target}${map.heads ? `, heads ${map.heads}` : ""}`,
    );
    this.caption.title = this.caption.textContent;
    write(
      this.sums,
      map.additive
        ? `patches ${signed(map.sum)}, rest ${signed(map.left)}: cosine ${signed(map.total)}`
        : `score ${signed(map.total)}; the map sums to nothing`,
    );
    const mlps = map.rest.filter(([name]) => name.startsWith("MLP"));
    const rest = [
      ...map.rest.filter(([name]) => !name.startsWith("MLP")),
      ...(mlps.length ? [[`${mlps.length} MLPs`, mlps.reduce((sum, [, v]) => sum + v, 0)]] : []),
    ];
    write(
      this.rest,
      rest
        .filter(([name, v]) => name === "rounding" || Math.abs(v) >= 5e-5)
        .map(([name, v]) => `${name} ${signed(v)}`)
        .join(", "),
    );
    this.rest.title = map.rest.map(([name, v]) => `${name} ${signed(v, 6)}`).join("\n");
    this.canvas.setAttribute(
      "aria-label",
      `${this.caption.textContent}; ${this.sums.textContent}; ${map.grid.join(" by ")} patches; arrows move, Enter pins`,
    );
  }

  cellAt(event) {
    if (!this.map) return null;
    const [left, top, right, bottom] = this.place.map((v) => v * this.zoom);
    const [rows, cols] = this.map.grid;
    const row = Math.floor(((event.offsetY - top) / (bottom - top)) * rows);
    const col = Math.floor(((event.offsetX - left) / (right - left)) * cols);
    return row >= 0 && col >= 0 && row < rows && col < cols ? [row, col] : null;
  }
}
