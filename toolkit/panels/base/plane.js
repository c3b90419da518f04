// The plane of success and locality: the grid as it fills, its frontier, where one has been, other methods.

/** @import { Range } from "./axis.js" */
/** @import { On } from "./types.d.ts" */

import { inPercent, linesOf, rangeOf } from "./axis.js";
import { contextOf, make } from "./dom.js";

const HINT =
  "Large dot: the edit looked at; large ring: the one beside it. Rings: visited. Dots: the grid; dark α > β, pale β > α.";
const WIDTH = 360;
const HEIGHT = 250;
const EDGE = { left: 42, right: 8, top: 10, bottom: 34 };
const ROOM = { least: 0.02, share: 0.08 }; // at the ends of an axis
const MOST_LINES = 6;
const NEAR = 10; // pixels from the pointer within which a spot is meant
const DEEP = 0.05; // how far below all spots a band is followed: what nobody would take makes the rest small
const PATIENCE = 99; // frames within which a host puts the canvas into the page

/**
 * @typedef {object} Spot one point of the plane
 * @property {"cell" | "seen" | "kept" | "mark" | "beside" | "now"} kind
 * @property {number} x
 * @property {number} y
 * @property {boolean} [old] of other settings
 * @property {string} [color]
 * @property {string} [name]
 * @property {string} [words]
 * @property {() => void} [go] goes to the edit it stands for
 */

/**
 * @typedef {object} Band what can be reached: for every x the y of the best, and the least and the most of them
 * @property {number[]} x
 * @property {number[]} y
 * @property {number[]} low
 * @property {number[]} high
 * @property {string} colour
 * @property {boolean} strong
 * @property {boolean} old of other settings
 */

/** @typedef {[x: number, y: number]} Point */
/** @typedef {{x: Range, y: Range, toX: (x: number) => number, toY: (y: number) => number}} Scale */

/**
 * A line through points of a canvas.
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 */
function line(context, points) {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}

export class Plane {
  /** @param {Element} parent */
  constructor(parent) {
    /** @type {Spot[]} */
    this.spots = [];
    /** @type {Band[]} */
    this.bands = [];
    /** Which of them is pointed at; −1 for none. */
    this.at = -1;
    /** What the axes are called. */
    this.names = { x: "", y: "" };
    /** @type {Scale | undefined} */
    this.scale = undefined;
    this.node = make("canvas", "tked-plane", parent, { tabindex: "0", role: "application" });
    this.node.style.width = `${WIDTH}px`;
    this.node.style.height = `${HEIGHT}px`;
    this.tip = make("div", "tkl-soft", parent, { "aria-live": "polite" });
    this.tip.textContent = HINT;
  }

  /**
   * @param {Spot[]} spots
   * @param {{x: string, y: string}} names
   * @param {Band[]} bands
   */
  paint(spots, names, bands = []) {
    this.bands = bands;
    const was = this.spots[this.at]?.words; // a point is known by its words: its place in the list changes
    this.spots = spots.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
    this.names = names;
    this.at = was ? this.spots.findIndex(({ words }) => words === was) : -1;
    this.tip.textContent = this.spots[this.at]?.words || HINT;
    this.settle(PATIENCE);
  }

  /**
   * Draw once the page holds the canvas: before, its colours are not known, and hosts add a view after its first paint.
   * @param {number} left frames to wait for it
   */
  settle(left) {
    if (this.node.isConnected || !left) this.draw();
    else requestAnimationFrame(() => this.settle(left - 1));
  }

  /** @returns {Scale} */
  scaleOf() {
    const deepest = Math.min(...this.spots.map((spot) => spot.y)) - DEEP;
    const ends = this.bands.flatMap((band) => {
      const near = band.x.map((x, i) => ({ x, y: band.high[i] }));
      return near.filter((end) => end.y >= deepest);
    });
    const all = [...this.spots, ...ends];
    const x = rangeOf(
      all.map((one) => one.x),
      ROOM,
    );
    const y = rangeOf(
      all.map((one) => one.y),
      ROOM,
    );
    const wide = WIDTH - EDGE.left - EDGE.right;
    const tall = HEIGHT - EDGE.top - EDGE.bottom;
    return {
      x,
      y,
      toX: (value) => EDGE.left + ((value - x.low) / (x.high - x.low)) * wide,
      toY: (value) => HEIGHT - EDGE.bottom - ((value - y.low) / (y.high - y.low)) * tall,
    };
  }

  /** Cells that no other beats in both, from the right to the left. */
  frontier() {
    const cells = this.spots.filter(({ kind, old }) => kind === "cell" && !old);
    cells.sort((a, b) => b.x - a.x || b.y - a.y);
    const found = [];
    let best = Number.NEGATIVE_INFINITY;
    for (const cell of cells) {
      if (cell.y <= best) continue;
      best = cell.y;
      found.push(cell);
    }
    return found;
  }

  draw() {
    const density = window.devicePixelRatio || 1;
    this.node.width = WIDTH * density;
    this.node.height = HEIGHT * density;
    const context = contextOf(this.node);
    context.scale(density, density);
    context.clearRect(0, 0, WIDTH, HEIGHT);
    context.font = "10px system-ui, sans-serif";
    const style = getComputedStyle(this.node);
    /** @param {string} name */
    const colour = (name) => style.getPropertyValue(`--tk-${name}`);
    if (!this.spots.length) {
      context.fillStyle = colour("soft");
      context.fillText("no other classes held out:", 40, HEIGHT / 2);
      context.fillText("hold some out to see what the edit costs", 40, HEIGHT / 2 + 14);
      return;
    }
    this.scale = this.scaleOf();
    this.drawAxes(context, this.scale, colour("soft"), colour("line"));
    this.drawBands(context, this.scale);
    this.drawSpots(context, this.scale, colour);
    const words = `${this.names.x} against ${this.names.y}; ${this.spots.length} points, arrows and Enter`;
    this.node.setAttribute("aria-label", words);
  }

  /**
   * Inside the axes: what each reaches, and between which ends.
   * @param {CanvasRenderingContext2D} context
   * @param {Scale} scale
   */
  drawBands(context, { toX, toY }) {
    context.save();
    context.beginPath();
    context.rect(EDGE.left, EDGE.top, WIDTH - EDGE.left - EDGE.right, HEIGHT - EDGE.top - EDGE.bottom);
    context.clip();
    for (const band of this.bands) {
      const faint = band.old ? 0.3 : 1;
      /** @type {(values: number[]) => Point[]} */
      const through = (values) => values.map((value, i) => [toX(band.x[i]), toY(value)]);
      context.globalAlpha = 0.14 * faint;
      context.fillStyle = band.colour;
      context.beginPath();
      for (const [x, y] of [...through(band.high), ...through(band.low).reverse()]) context.lineTo(x, y);
      context.fill();
      context.globalAlpha = faint * (band.strong ? 1 : 0.75);
      context.strokeStyle = band.colour;
      context.lineWidth = band.strong ? 2.5 : 1.2;
      line(context, through(band.y));
    }
    context.restore();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scale} scale
   * @param {(name: string) => string} colour
   */
  drawSpots(context, scale, colour) {
    /** @type {(spot: Spot) => Point} */
    const placed = (spot) => [scale.toX(spot.x), scale.toY(spot.y)];
    /** @type {(spots: Spot[], ink: string) => void} */
    const through = (spots, ink) => {
      context.strokeStyle = ink;
      line(context, spots.map(placed));
    };
    /** @type {(spot: Spot, radius: number, fill: string | undefined, stroke: string | undefined) => void} */
    const dot = (spot, radius, fill, stroke) => {
      const [x, y] = placed(spot);
      context.globalAlpha = spot.old ? 0.3 : 1;
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      if (fill) {
        context.fillStyle = fill;
        context.fill();
      }
      if (stroke) {
        context.strokeStyle = stroke;
        context.stroke();
      }
      context.globalAlpha = 1;
    };
    context.lineWidth = 1.5;
    const front = this.frontier();
    through(front, colour("alert"));
    for (const spot of this.ofKind("cell")) {
      const best = front.includes(spot);
      dot(spot, best ? 3.5 : 2.5, spot.color, best ? colour("alert") : undefined);
    }
    const seen = this.ofKind("seen");
    through(seen, colour("line"));
    for (const spot of seen) dot(spot, 2.5, colour("paper"), colour("after"));
    for (const spot of this.ofKind("mark", "kept")) {
      this.drawCross(context, placed(spot), spot.name ?? "", colour(spot.kind === "kept" ? "after" : "soft"));
    }
    for (const spot of this.ofKind("beside")) dot(spot, 5, colour("paper"), colour("after"));
    for (const spot of this.ofKind("now")) dot(spot, 6, colour("after"), colour("paper"));
    const pointed = this.spots[this.at];
    if (pointed) dot(pointed, 8, undefined, colour("ring"));
  }

  /** @param {Spot["kind"][]} kinds */
  ofKind(...kinds) {
    return this.spots.filter(({ kind }) => kinds.includes(kind));
  }

  /**
   * A cross with a name, which stays inside the plane.
   * @param {CanvasRenderingContext2D} context
   * @param {Point} at
   * @param {string} name
   * @param {string} ink
   */
  drawCross(context, [x, y], name, ink) {
    context.strokeStyle = ink;
    context.fillStyle = ink;
    for (const slope of [-4, 4]) {
      line(context, [
        [x - 4, y - slope],
        [x + 4, y + slope],
      ]);
    }
    const wide = context.measureText(name).width;
    context.fillText(name, Math.min(x + 6, WIDTH - wide - 4), y - 5);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scale} scale
   * @param {string} soft the colour of words
   * @param {string} thin the colour of lines
   */
  drawAxes(context, { x, y, toX, toY }, soft, thin) {
    context.strokeStyle = thin;
    context.fillStyle = soft;
    context.lineWidth = 1;
    context.textAlign = "center";
    const foot = HEIGHT - EDGE.bottom;
    for (const value of linesOf(x, MOST_LINES)) {
      const at = Math.round(toX(value)) + 0.5;
      line(context, [
        [at, EDGE.top],
        [at, foot],
      ]);
      context.fillText(inPercent(value), at, foot + 12);
    }
    context.textAlign = "right";
    for (const value of linesOf(y, MOST_LINES)) {
      const at = Math.round(toY(value)) + 0.5;
      line(context, [
        [EDGE.left, at],
        [WIDTH - EDGE.right, at],
      ]);
      context.fillText(inPercent(value), EDGE.left - 5, at + 3);
    }
    context.textAlign = "center";
    context.fillText(`${this.names.x}, % →`, EDGE.left + (WIDTH - EDGE.left) / 2, HEIGHT - 6);
    context.save();
    context.translate(10, EDGE.top + foot / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(`${this.names.y}, % →`, 0, 0);
    context.restore();
    context.textAlign = "left";
  }

  /**
   * Which spot is under the pointer, if there is one to go to; else −1.
   * @param {MouseEvent} event
   */
  near(event) {
    const { scale } = this;
    if (!scale) return -1;
    const box = this.node.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    let nearest = NEAR ** 2;
    let found = -1;
    this.spots.forEach((spot, i) => {
      const far = (scale.toX(spot.x) - x) ** 2 + (scale.toY(spot.y) - y) ** 2;
      if (!spot.go || far >= nearest) return;
      nearest = far;
      found = i;
    });
    return found;
  }

  /** @param {number} i */
  show(i) {
    if (i === this.at) return;
    this.at = i;
    this.tip.textContent = this.spots[i]?.words || HINT;
    this.draw();
  }

  /** @param {On} on */
  listen(on) {
    this.node.addEventListener("pointermove", (event) => this.scale && this.show(this.near(event)), on);
    this.node.addEventListener("pointerleave", () => this.show(-1), on);
    this.node.addEventListener("click", (event) => this.spots[this.near(event)]?.go?.(), on);
  }

  /**
   * Walk to a spot, or go to its edit; whether the key was of that kind.
   * @param {KeyboardEvent} event
   */
  key(event) {
    const chosen = event.key === "Enter" || event.key === " ";
    const pointed = this.spots[this.at];
    if (chosen && pointed?.go) {
      pointed.go();
      return true;
    }
    const forth = event.key === "ArrowRight" || event.key === "ArrowUp";
    const back = event.key === "ArrowLeft" || event.key === "ArrowDown";
    if (!forth && !back) return false;
    return this.walk(forth ? 1 : -1);
  }

  /**
   * To the next spot one can go to, round and round; whether there is one.
   * @param {1 | -1} by
   */
  walk(by) {
    const ways = [...this.spots.keys()].filter((i) => this.spots[i].go);
    if (!ways.length) return false;
    const now = ways.indexOf(this.at);
    const nowhere = now < 0;
    const from = nowhere && by < 0 ? 0 : now; // the first step leads to the first spot, or to the last
    this.show(ways[(from + by + ways.length) % ways.length]);
    return true;
  }
}
