// The plane of cures: a path each from one origin, a mark on it that can be dragged, and the line of a price.

/** @import { Range } from "../base/axis.js" */
/** @import { On } from "../base/types.d.ts" */

import { inPercent, linesOf, rangeOf } from "../base/axis.js";
import { drawn, make, targetOf } from "../base/dom.js";
import { within } from "../base/numbers.js";

const WIDTH = 600;
const HEIGHT = 330;
const EDGE = { left: 46, right: 14, top: 12, bottom: 38 };
const ROOM = { least: 0.01, share: 0.07 }; // at the ends of an axis
const MOST_LINES = 7;
const LABEL = 12; // pixels between two names, one under the other
const LONGEST = 20; // letters of a name
const GRAB = 16; // pixels from a mark within which it is meant
const DEEP = 0.12; // how far below the origin a path is followed: what ruins the others would make the rest small

/**
 * @typedef {object} Drawn a method as it is drawn
 * @property {string} name
 * @property {string} colour
 * @property {string} shape the d of a path around 0, 0
 * @property {(number | null)[]} x
 * @property {(number | null)[]} y
 * @property {number} at position of its dial
 * @property {boolean} focus
 * @property {boolean} against
 */

/**
 * @typedef {object} Picture what the plane shows
 * @property {Drawn[]} methods
 * @property {{x: number | null, y: number | null}} origin
 * @property {{x: string, y: string}} names
 * @property {number | null} price
 * @property {{low: number, high: number} | null} across limits of the one in focus
 * @property {{low: number, high: number} | null} up
 * @property {Point[]} draws the one in focus made from other draws
 * @property {Point[]} placebo and told nothing
 */

/** @typedef {{x: number | null, y: number | null}} Point */

export class ComparePlane {
  /**
   * @param {Element} parent
   * @param {(name: string) => void} look called with the method whose mark was taken
   * @param {(name: string, at: number) => void} turn called with where its dial is to stand
   * @param {(price: number) => void} ask called with a price
   */
  constructor(parent, look, turn, ask) {
    this.look = look;
    this.turn = turn;
    this.ask = ask;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.node = svg;
    svg.setAttribute("class", "tkco-plane");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("role", "img");
    parent.append(svg);
    this.tip = make("div", "tkco-soft", parent);
    /** The id of what keeps paths inside the axes. */
    this.insideId = `tkco-${Math.random().toString(36).slice(2, 8)}`;
    /** The same as a reference: a bundle holds no "url(#", which hosts that rewrite links break. */
    this.inside = `#${this.insideId}`;
    /** @type {Picture | undefined} */
    this.picture = undefined;
    /** What is dragged: a method's name, or the price. @type {string | null} */
    this.held = null;
    /** @type {Range} */
    this.x = { low: 0, high: 1 };
    /** @type {Range} */
    this.y = { low: 0, high: 1 };
  }

  /** @param {number} value */
  toX(value) {
    const wide = WIDTH - EDGE.left - EDGE.right;
    return EDGE.left + ((value - this.x.low) / (this.x.high - this.x.low)) * wide;
  }

  /** @param {number} value */
  toY(value) {
    const tall = HEIGHT - EDGE.top - EDGE.bottom;
    return HEIGHT - EDGE.bottom - ((value - this.y.low) / (this.y.high - this.y.low)) * tall;
  }

  /** @param {Picture} picture */
  paint(picture) {
    this.picture = picture;
    this.node.replaceChildren();
    const { methods, origin, names, price } = picture;
    if (origin.x === null || origin.y === null || !methods.length) {
      this.tip.textContent = methods.length ? "no images of both kinds are held out: nothing to draw" : "";
      return;
    }
    if (this.held === null) this.scale(picture, { x: origin.x, y: origin.y }); // it rests while one drags
    this.paintInside();
    this.paintAxes(names);
    this.paintPrice(price);
    for (const one of methods) this.paintPath(one);
    this.paintCloud(picture);
    this.paintCross(picture);
    this.paintOrigin(origin.x, origin.y);
    for (const one of methods) this.paintMark(one);
    this.paintNames(methods);
    const words = `${names.x} against ${names.y}: ${methods.length} methods, each a path from the model as it is`;
    this.node.setAttribute("aria-label", words);
  }

  /**
   * @param {Picture} picture
   * @param {{x: number, y: number}} origin
   */
  scale({ methods, price, draws, placebo }, origin) {
    const marks = methods.map(({ y, at }) => y[at]).filter((value) => value !== null);
    const deepest = Math.min(origin.y - DEEP, ...marks);
    const ends = methods.flatMap(({ x, y }) => {
      const pairs = x.map((value, i) => ({ x: value, y: y[i] }));
      return pairs.filter((one) => one.x !== null && one.y !== null && one.y >= deepest);
    });
    for (const one of [...draws, ...placebo]) {
      if (one.x !== null && one.y !== null && one.y >= deepest) ends.push(one);
    }
    const across = ends.map((one) => Number(one.x));
    const up = ends.map((one) => Number(one.y));
    this.x = rangeOf([origin.x, ...across], ROOM);
    this.y = rangeOf([origin.y, ...up, ...(price === null ? [] : [price])], ROOM);
  }

  /** What is far below the axes is not drawn over their numbers. */
  paintInside() {
    const clip = drawn("clipPath", drawn("defs", this.node, {}), { id: this.insideId });
    const width = WIDTH - EDGE.left - EDGE.right;
    const height = HEIGHT - EDGE.top - EDGE.bottom;
    drawn("rect", clip, { x: EDGE.left, y: EDGE.top, width, height });
  }

  /** @param {{x: string, y: string}} names */
  paintAxes(names) {
    const foot = HEIGHT - EDGE.bottom;
    for (const value of linesOf(this.x, MOST_LINES)) {
      const x = this.toX(value);
      drawn("line", this.node, { x1: x, x2: x, y1: EDGE.top, y2: foot, class: "tkco-grid" });
      this.word(inPercent(value), x, foot + 13, "middle");
    }
    for (const value of linesOf(this.y, MOST_LINES)) {
      const y = this.toY(value);
      drawn("line", this.node, { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y, y2: y, class: "tkco-grid" });
      this.word(inPercent(value), EDGE.left - 5, y + 3, "end");
    }
    this.word(`${names.x}, % →`, (EDGE.left + WIDTH - EDGE.right) / 2, HEIGHT - 6, "middle");
    const up = this.word(`${names.y}, % →`, 0, 0, "middle");
    up.setAttribute("transform", `translate(12 ${(EDGE.top + foot) / 2}) rotate(-90)`);
  }

  /**
   * @param {string} words
   * @param {number} x
   * @param {number} y
   * @param {string} anchor
   */
  word(words, x, y, anchor) {
    const text = drawn("text", this.node, { x, y, "text-anchor": anchor });
    text.textContent = words;
    return text;
  }

  /** @param {number | null} price */
  paintPrice(price) {
    if (price === null) return;
    const y = this.toY(price);
    drawn("line", this.node, { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y, y2: y, class: "tkco-price" });
    this.word(`price: others at ${inPercent(price)} % or more`, EDGE.left + 4, y - 4, "start");
  }

  /** @param {Drawn} one */
  paintPath({ x, y, colour, focus, against }) {
    const points = [];
    for (const [i, value] of x.entries()) {
      const up = y[i];
      if (value !== null && up !== null) points.push(`${this.toX(value)},${this.toY(up)}`);
    }
    const strong = focus || against;
    const line = drawn("polyline", this.node, {
      points: points.join(" "),
      class: "tkco-path",
      stroke: colour,
    });
    line.setAttribute("clip-path", `url(${this.inside})`);
    line.classList.toggle("tkco-strong", strong);
    if (against) line.setAttribute("stroke-dasharray", "5 3");
    if (!focus) return;
    for (const point of points) {
      const [cx, cy] = point.split(",");
      drawn("circle", this.node, { cx, cy, r: 1.8, fill: colour });
    }
  }

  /** @param {Picture} picture */
  paintCloud({ methods, draws, placebo }) {
    const colour = methods.find((one) => one.focus)?.colour ?? "";
    for (const { x, y } of placebo) {
      if (x === null || y === null) continue;
      const dot = { cx: this.toX(x), cy: this.toY(y), r: 3, class: "tkco-placebo" };
      drawn("circle", this.node, { ...dot, "clip-path": `url(${this.inside})` });
    }
    for (const { x, y } of draws) {
      if (x === null || y === null) continue;
      const ring = { cx: this.toX(x), cy: this.toY(y), r: 4, class: "tkco-draw", stroke: colour };
      drawn("circle", this.node, { ...ring, "clip-path": `url(${this.inside})` });
    }
  }

  /** @param {Picture} picture */
  paintCross({ methods, across, up }) {
    const focus = methods.find((one) => one.focus);
    const x = focus?.x[focus.at];
    const y = focus?.y[focus.at];
    if (!focus || x === null || x === undefined || y === null || y === undefined) return;
    const ink = { class: "tkco-cross", stroke: focus.colour };
    if (across) {
      const ends = { x1: this.toX(across.low), x2: this.toX(across.high) };
      drawn("line", this.node, { ...ends, y1: this.toY(y), y2: this.toY(y), ...ink });
    }
    if (up) {
      const ends = { y1: this.toY(up.low), y2: this.toY(up.high) };
      drawn("line", this.node, { ...ends, x1: this.toX(x), x2: this.toX(x), ...ink });
    }
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  paintOrigin(x, y) {
    for (const r of [3, 7])
      drawn("circle", this.node, { cx: this.toX(x), cy: this.toY(y), r, class: "tkco-origin" });
  }

  /** @param {Drawn} one */
  paintMark({ name, x, y, at, colour, shape, focus }) {
    const [across, up] = [x[at], y[at]];
    if (across === null || up === null) return;
    const size = focus ? 1.35 : 1;
    const transform = `translate(${this.toX(across)} ${this.toY(up)}) scale(${size})`;
    const mark = drawn("path", this.node, { d: shape, transform, fill: colour, class: "tkco-mark" });
    mark.dataset.name = name;
    const title = drawn("title", mark, {});
    title.textContent = `${name}: ${inPercent(across)}, ${inPercent(up)} %`;
  }

  /**
   * Names beside the marks, none on another; one that would stand far from its mark is left out, but for that in focus:
   * the list has them all.
   * @param {Drawn[]} methods
   */
  paintNames(methods) {
    const placed = methods.flatMap(({ name, x, y, at, focus }) => {
      const [across, up] = [x[at], y[at]];
      if (across === null || up === null) return [];
      return [{ name, x: this.toX(across), y: this.toY(up) + 3, focus }];
    });
    placed.sort((a, b) => Number(b.focus) - Number(a.focus) || a.y - b.y);
    /** @type {{x: number, y: number, wide: number}[]} */
    const taken = placed.map(({ x, y }) => ({ x: x - 6, y, wide: 12 })); // no name on a mark
    for (const one of placed) {
      const words = one.name.length > LONGEST ? `${one.name.slice(0, LONGEST - 1)}…` : one.name;
      const wide = 5.6 * words.length;
      const place = this.free(one, wide, taken);
      if (!place) continue;
      taken.push({ ...place, wide });
      const text = this.word(words, place.x, place.y, "start");
      text.setAttribute("class", one.focus ? "tkco-name tkco-strong" : "tkco-name");
      text.dataset.name = one.name;
    }
  }

  /**
   * Where a name has room near its mark: to its right or left, a line higher or lower.
   * @param {{x: number, y: number, focus: boolean}} mark
   * @param {number} wide
   * @param {{x: number, y: number, wide: number}[]} taken
   */
  free({ x, y, focus }, wide, taken) {
    const sides = [x + 9, x - 9 - wide];
    const ways = [0, LABEL, -LABEL, 2 * LABEL].flatMap((by) => sides.map((left) => ({ x: left, y: y + by })));
    const inside = ways.filter((way) => {
      const high = way.y > EDGE.top + 6 && way.y < HEIGHT - EDGE.bottom - 2;
      return high && way.x > EDGE.left && way.x + wide < WIDTH - 2;
    });
    const open = inside.find((way) => {
      return taken.every((one) => {
        const beside = way.x < one.x + one.wide && one.x < way.x + wide;
        return !beside || Math.abs(way.y - one.y) >= LABEL - 1;
      });
    });
    return open ?? (focus ? inside[0] : undefined);
  }

  // what the pointer does

  /**
   * Where an event is, in units of the picture.
   * @param {PointerEvent} event
   */
  placeOf(event) {
    const box = this.node.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * WIDTH,
      y: ((event.clientY - box.top) / box.height) * HEIGHT,
    };
  }

  /**
   * The method whose mark is nearest to a place, if one is near; the price's line else.
   * @param {{x: number, y: number}} place
   */
  near({ x, y }) {
    let nearest = GRAB ** 2;
    let found = null;
    for (const one of this.picture?.methods ?? []) {
      const [across, up] = [one.x[one.at], one.y[one.at]];
      if (across === null || up === null) continue;
      const far = (this.toX(across) - x) ** 2 + (this.toY(up) - y) ** 2;
      if (far >= nearest) continue;
      nearest = far;
      found = one.name;
    }
    if (found !== null) return found;
    const price = this.picture?.price ?? null;
    return price !== null && Math.abs(this.toY(price) - y) < GRAB / 2 ? PRICE : null;
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    const named = targetOf(event).dataset?.name;
    this.held = named ?? this.near(this.placeOf(event));
    if (this.held === null) return;
    event.preventDefault();
    this.node.setPointerCapture(event.pointerId);
    if (this.held !== PRICE) this.look(this.held);
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const { held } = this;
    if (held === null) return;
    const place = this.placeOf(event);
    if (held === PRICE) {
      const tall = HEIGHT - EDGE.top - EDGE.bottom;
      const share = (HEIGHT - EDGE.bottom - place.y) / tall;
      const value = this.y.low + share * (this.y.high - this.y.low);
      this.ask(within(Number(value.toFixed(3)), 0, 1));
      return;
    }
    const one = this.picture?.methods.find(({ name }) => name === held);
    if (!one) return;
    let nearest = Number.POSITIVE_INFINITY;
    let at = one.at;
    for (const [i, across] of one.x.entries()) {
      const up = one.y[i];
      if (across === null || up === null) continue;
      const far = (this.toX(across) - place.x) ** 2 + (this.toY(up) - place.y) ** 2;
      if (far >= nearest) continue;
      nearest = far;
      at = i;
    }
    if (at !== one.at) this.turn(held, at);
  }

  onUp() {
    this.held = null;
    if (this.picture) this.paint(this.picture);
  }

  /** @param {On} on */
  listen(on) {
    this.node.addEventListener("pointerdown", (event) => this.onDown(event), on);
    this.node.addEventListener("pointermove", (event) => this.onMove(event), on);
    this.node.addEventListener("pointerup", () => this.onUp(), on);
    this.node.addEventListener("pointercancel", () => this.onUp(), on);
  }
}

const PRICE = "\u0000price"; // no method is called so
