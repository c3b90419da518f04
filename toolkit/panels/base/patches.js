// An image under its map: grey below, the map in colour, clear at zero; and the scale beneath it.

/** @import { Frame } from "./frame.js" */
/** @import { Box, Bytes, Cell, Look, PatchMap, Rest, Rgb } from "./types.d.ts" */

import { rgbAt } from "./colours.js";
import { contextOf, floats, make, write } from "./dom.js";
import { signed, upTo, within } from "./numbers.js";
import "./patches.css";

const TALL = 420; // the tallest a picture is drawn
const LEAST = 96; // pixels of the map's shorter side below which only its surroundings are shown
const STOPS = 17; // of the scale's gradient

/** @typedef {Frame & {paint: () => void, pinned: Cell | null, pointed: Cell | null}} PaneView */

/**
 * Where a value is in a palette whose middle is zero, and how opaque it is.
 * @param {number} value
 * @param {number} limit
 * @param {Rgb[]} palette
 */
function inked(value, limit, palette) {
  const part = value / limit;
  const rgb = rgbAt(palette, (part + 1) / 2);
  return { rgb, opacity: Math.sqrt(Math.min(1, Math.abs(part))) };
}

/**
 * A value between the centres of cells, bilinear; flat beyond the outermost.
 * @param {Float32Array} values
 * @param {Cell} grid
 * @param {number} y in cells
 * @param {number} x
 */
function between(values, [rows, columns], y, x) {
  const row = within(y - 0.5, 0, rows - 1);
  const column = within(x - 0.5, 0, columns - 1);
  const top = Math.floor(row);
  const left = Math.floor(column);
  const bottom = Math.min(top + 1, rows - 1);
  const right = Math.min(left + 1, columns - 1);
  const down = row - top;
  const along = column - left;
  const above = values[top * columns + left] * (1 - along) + values[top * columns + right] * along;
  const below = values[bottom * columns + left] * (1 - along) + values[bottom * columns + right] * along;
  return above * (1 - down) + below * down;
}

/**
 * A canvas of the map alone.
 * @param {Float32Array} values
 * @param {Cell} grid
 * @param {number} limit
 * @param {Rgb[]} palette
 * @param {Look} look
 */
function colours(values, grid, limit, palette, { opacity, raw }) {
  const fine = raw ? 1 : Math.max(4, Math.ceil(160 / Math.max(...grid)));
  const [rows, columns] = grid.map((n) => n * fine);
  const canvas = make("canvas", "", null, { width: columns, height: rows });
  const context = contextOf(canvas);
  const image = context.createImageData(columns, rows);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const at = y * columns + x;
      const value = raw ? values[at] : between(values, grid, (y + 0.5) / fine, (x + 0.5) / fine);
      const ink = inked(value, limit, palette);
      image.data.set([...ink.rgb, 255 * opacity * ink.opacity], 4 * at);
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * A picture without its colours.
 * @param {HTMLImageElement} picture
 */
function greyOf(picture) {
  const grey = make("canvas", "", null, { width: picture.width, height: picture.height });
  const context = contextOf(grey);
  context.drawImage(picture, 0, 0);
  const image = context.getImageData(0, 0, picture.width, picture.height);
  const { data } = image;
  for (let i = 0; i < data.length; i += 4) {
    const light = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    data.fill(light, i, i + 3);
  }
  context.putImageData(image, 0, 0);
  return grey;
}

/**
 * What of a picture is shown: all of it; of a strip in which the map would be lost, what is around the map.
 * @param {PatchMap} map
 * @param {number} wide
 * @returns {Box}
 */
function windowOf({ size, box }, wide) {
  const { width, height } = size;
  const { left, top, right, bottom } = box;
  const shorter = Math.min(right - left, bottom - top);
  if (shorter * Math.min(wide / width, TALL / height) >= LEAST) {
    return { left: 0, top: 0, right: width, bottom: height };
  }
  const beside = (right - left) / 2;
  const above = (bottom - top) / 2;
  return {
    left: Math.max(0, left - beside),
    top: Math.max(0, top - above),
    right: Math.min(width, right + beside),
    bottom: Math.min(height, bottom + above),
  };
}

/**
 * What the map leaves out, in few words: all MLPs as one, and nothing that is next to nothing.
 * @param {Rest[]} rest
 */
function restInWords(rest) {
  const mlps = rest.filter(({ name }) => name.startsWith("MLP"));
  const others = rest.filter(({ name }) => !name.startsWith("MLP"));
  const sum = mlps.reduce((total, { value }) => total + value, 0);
  const together = mlps.length ? [{ name: `${mlps.length} MLPs`, value: sum }] : [];
  const told = [...others, ...together].filter(
    ({ name, value }) => name === "rounding" || Math.abs(value) >= 5e-5,
  );
  return told.map(({ name, value }) => `${name} ${signed(value)}`).join(", ");
}

export class Pane {
  /**
   * @param {PaneView} view
   * @param {Element} parent
   */
  constructor(view, parent) {
    this.view = view;
    this.node = make("figure", "tkt-pane", parent);
    this.caption = make("figcaption", "tkt-caption", this.node);
    const attributes = { tabindex: "0", role: "application", "aria-roledescription": "map" };
    this.canvas = make("canvas", "tkt-canvas", this.node, attributes);
    const bar = make("div", "tkt-bar", this.node, { "aria-hidden": "true" });
    this.strip = make("div", "tkt-strip", bar);
    this.ticks = make("div", "tkt-ticks", bar);
    this.sums = make("div", "tkt-sums", this.node);
    this.rest = make("div", "tkt-rest", this.node);
    /** @type {Bytes | undefined} the picture's file */
    this.bytes = undefined;
    /** @type {HTMLImageElement | null} */
    this.picture = null;
    /** @type {HTMLCanvasElement | null} */
    this.grey = null;
    /** @type {PatchMap | null} */
    this.map = null;
    /** @type {HTMLCanvasElement | null} the map alone */
    this.layer = null;
    /** @type {Box} what of the picture is shown */
    this.seen = { left: 0, top: 0, right: 1, bottom: 1 };
    /** Pixels of the page, and of the canvas, for one of the picture. */
    this.zoom = 1;
    this.scale = 1;
    /** @type {unknown[]} what is painted */
    this.key = [];
  }

  /**
   * Read the picture, unless it is there; the view is painted again when it is.
   * @param {Bytes | undefined} bytes
   */
  load(bytes) {
    if (this.bytes === bytes || !bytes?.byteLength) return;
    this.bytes = bytes;
    this.picture = null; // another image's picture must not lie under this map
    this.grey = null;
    const url = URL.createObjectURL(new Blob([bytes]));
    const image = new Image();
    image.onload = () => {
      URL.revokeObjectURL(url);
      if (this.bytes !== bytes) return;
      this.picture = image;
      this.grey = greyOf(image);
      this.view.paint();
    };
    image.src = url;
  }

  /**
   * @param {PatchMap} map
   * @param {Bytes | undefined} bytes the picture's file
   * @param {number} limit the value at the end of the scale
   * @param {Rgb[]} palette
   * @param {Look} look
   */
  paint(map, bytes, limit, palette, look) {
    this.node.hidden = !map.values;
    if (!map.values) return;
    this.load(bytes);
    const key = [map, this.grey, limit, palette, look.opacity, look.raw, look.wide];
    if (!key.every((part, i) => part === this.key[i])) {
      this.key = key;
      this.map = map;
      this.fit(map, look.wide);
      this.layer = colours(floats(map.values), map.grid, limit, palette, look);
      this.paintScale(limit, palette, look.opacity);
      this.paintWords(map, look);
    }
    this.draw(look);
  }

  /**
   * The size of the canvas.
   * @param {PatchMap} map
   * @param {number} wide
   */
  fit(map, wide) {
    this.seen = windowOf(map, wide);
    const { left, top, right, bottom } = this.seen;
    const width = right - left;
    const height = bottom - top;
    this.zoom = Math.min(wide / width, TALL / height);
    const density = this.zoom * (window.devicePixelRatio || 1);
    this.canvas.width = Math.max(1, Math.round(width * density));
    this.canvas.height = Math.max(1, Math.round(height * density));
    this.canvas.style.width = `${width * this.zoom}px`;
    this.scale = this.canvas.width / width;
  }

  /**
   * The map's box in what is shown of the picture.
   * @param {PatchMap} map
   * @param {number} scale
   */
  placeOf({ box }, scale) {
    const left = (box.left - this.seen.left) * scale;
    const top = (box.top - this.seen.top) * scale;
    const width = (box.right - this.seen.left) * scale - left;
    const height = (box.bottom - this.seen.top) * scale - top;
    return { left, top, width, height };
  }

  /** @param {Look} look */
  draw({ opacity, raw, paper }) {
    const { canvas, layer, map } = this;
    if (!map || !layer) return;
    const context = contextOf(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    this.drawPicture(context, map, opacity);
    const { left, top, width, height } = this.placeOf(map, this.scale);
    context.save();
    context.globalAlpha = 0.6;
    context.fillStyle = paper;
    context.beginPath();
    context.rect(0, 0, canvas.width, canvas.height);
    context.rect(left, top, width, height);
    context.fill("evenodd"); // what the model did not see
    context.restore();
    context.imageSmoothingEnabled = !raw;
    context.drawImage(layer, left, top, width, height);
    if (this.view.pinned) this.drawCell(context, map, this.view.pinned, []);
    if (this.view.pointed) this.drawCell(context, map, this.view.pointed, [4, 3]);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {PatchMap} map
   * @param {number} opacity of the map: the picture under it is grey
   */
  drawPicture(context, map, opacity) {
    const { canvas, picture, grey } = this;
    context.imageSmoothingEnabled = Boolean(picture && picture.width > canvas.width);
    if (!picture || !grey) return;
    const fileX = picture.width / map.size.width;
    const fileY = picture.height / map.size.height;
    const { left, top, right, bottom } = this.seen;
    context.drawImage(
      opacity ? grey : picture,
      left * fileX,
      top * fileY,
      (right - left) * fileX,
      (bottom - top) * fileY,
      0,
      0,
      canvas.width,
      canvas.height,
    );
  }

  /**
   * A frame around a patch, to be seen on light and dark.
   * @param {CanvasRenderingContext2D} context
   * @param {PatchMap} map
   * @param {Cell} cell
   * @param {number[]} dashes
   */
  drawCell(context, map, [row, column], dashes) {
    const { left, top, width, height } = this.placeOf(map, this.scale);
    const cellHeight = height / map.grid[0];
    const cellWidth = width / map.grid[1];
    for (const { ink, thick } of [
      { ink: "#000", thick: 4 },
      { ink: "#fff", thick: 2 },
    ]) {
      context.strokeStyle = ink;
      context.lineWidth = thick;
      context.setLineDash(dashes);
      context.strokeRect(left + column * cellWidth, top + row * cellHeight, cellWidth, cellHeight);
    }
  }

  /**
   * The scale under the picture.
   * @param {number} limit
   * @param {Rgb[]} palette
   * @param {number} opacity
   */
  paintScale(limit, palette, opacity) {
    const stops = upTo(STOPS).map((i) => {
      const ink = inked(i / 8 - 1, 1, palette);
      return `rgb(${ink.rgb.join(" ")} / ${opacity * ink.opacity})`;
    });
    this.strip.style.background = `linear-gradient(to right, ${stops.join(", ")}), #808080`;
    this.ticks.replaceChildren();
    const digits = limit < 0.01 ? 4 : 3;
    for (const value of [-limit, 0, limit]) {
      make("span", "", this.ticks).textContent = value ? signed(value, digits) : "0";
    }
  }

  /**
   * @param {PatchMap} map
   * @param {Look} look
   */
  paintWords(map, look) {
    const state = map.state === "base" ? "" : `${map.state}: `; // first: it is what two panes differ in
    const change = map.minus ? "change in " : "";
    const heads = map.heads ? `, heads ${map.heads}` : "";
    write(this.caption, `${state}${change}${map.method} of ${map.target}${heads}`);
    this.caption.title = this.caption.textContent;
    const total = signed(map.total);
    const sums = map.additive
      ? `patches ${signed(map.sum)}, rest ${signed(map.left)}: cosine ${total}`
      : `score ${total}; the map sums to nothing`;
    write(this.sums, look.raw ? sums : `${sums}; smoothed between patches`);
    write(this.rest, restInWords(map.rest));
    this.rest.title = map.rest.map(({ name, value }) => `${name} ${signed(value, 6)}`).join("\n");
    const grid = map.grid.join(" by ");
    const words = `${this.caption.textContent}; ${sums}; ${grid} patches; arrows move, Enter pins`;
    this.canvas.setAttribute("aria-label", words);
  }

  /**
   * The patch under the pointer.
   * @param {MouseEvent} event
   * @returns {Cell | null}
   */
  cellAt(event) {
    if (!this.map) return null;
    const { left, top, width, height } = this.placeOf(this.map, this.zoom);
    const [rows, columns] = this.map.grid;
    const row = Math.floor(((event.offsetY - top) / height) * rows);
    const column = Math.floor(((event.offsetX - left) / width) * columns);
    const inside = row >= 0 && column >= 0 && row < rows && column < columns;
    return inside ? [row, column] : null;
  }
}
