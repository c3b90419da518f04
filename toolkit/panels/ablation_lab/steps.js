// What switching the worst heads off does, one after the other: a curve, and a slider along it.

/** @import { Off, OrderCurveSent } from "./sent.d.ts" */

import { labelled } from "../base/controls.js";
import { drawn, make } from "../base/dom.js";
import { alike, share, upTo } from "../base/numbers.js";

const LEFT = 30;
const RIGHT = 320;
const FOOT = 130;
const TALL = 120;
const EVERY = 5; // steps with a number below

/** @param {number} value */
const toY = (value) => FOOT - TALL * value;

export class Steps {
  /** @param {Element} parent */
  constructor(parent) {
    const line = make("div", "tkl-line", parent);
    this.curve = drawn("svg", line, { width: 330, height: 150, role: "img" });
    const right = make("div", "", line);
    const label = labelled(right, "Switch off the worst heads of the map");
    this.slider = make("input", "", label, { type: "range", min: "0", step: "1", value: "0" });
    this.legend = make("div", "tkl-soft", right);
    /** @type {SVGCircleElement[]} step by step */
    this.dots = [];
    /** @type {OrderCurveSent | undefined} what is drawn */
    this.drawn = undefined;
  }

  /**
   * @param {OrderCurveSent} curve empty while nothing is known
   * @param {string} score
   * @param {Off[]} off the heads that are not as they are
   */
  paint(curve, score, off) {
    if (!curve.worst) return;
    if (curve !== this.drawn) this.draw(curve, score);
    const { order } = curve;
    const first = order.slice(0, off.length); // in whatever order they were switched off
    const own =
      off.length <= order.length &&
      off.every(({ head, strength }) => !strength && first.some((one) => alike(one, head)));
    this.dots.forEach((dot, step) => {
      dot.setAttribute("r", own && step === off.length ? "5" : "3");
    });
    if (own) this.slider.value = String(off.length);
    this.slider.setAttribute("aria-valuetext", `${own ? `${off.length} heads` : "another set"} off`);
  }

  /**
   * @param {OrderCurveSent} curve
   * @param {string} score
   */
  draw(curve, score) {
    const { worst, average, low, high, orders } = curve;
    this.drawn = curve;
    const steps = worst.length - 1;
    /** @param {number} step */
    const toX = (step) => LEFT + (step / Math.max(1, steps)) * (RIGHT - LEFT);
    /** @param {number[]} values */
    const points = (values) => values.map((value, step) => `${toX(step)},${toY(value)}`);
    this.curve.replaceChildren();
    this.drawScale(steps, toX);
    const band = [...points(low), ...points(high).reverse()].join(" ");
    drawn("polygon", this.curve, { points: band, fill: "var(--tk-soft)", opacity: 0.22 });
    drawn("polyline", this.curve, { points: points(average).join(" "), "stroke-dasharray": "4 3" });
    drawn("polyline", this.curve, { points: points(worst).join(" "), "stroke-width": 2 });
    this.dots = upTo(worst.length).map((step) => this.drawDot(curve, step, toX(step)));
    const words = `worst group with the worst heads by ${score} off: ${worst.map(share).join(", ")}`;
    this.curve.setAttribute("aria-label", words);
    this.slider.max = String(steps);
    const curves = `Worst group with the first t heads by ${score} off, in the sum; dashed: plain average.`;
    this.legend.textContent = `${curves} Grey: 10–90 % of ${orders} random orders of these heads.`;
  }

  /**
   * @param {number} steps
   * @param {(step: number) => number} toX
   */
  drawScale(steps, toX) {
    for (const value of [0, 0.5, 1]) {
      const y = toY(value);
      drawn("line", this.curve, { x1: LEFT, x2: RIGHT, y1: y, y2: y, stroke: "var(--tk-line)" });
      const words = drawn("text", this.curve, { x: LEFT - 4, y: y + 3, "text-anchor": "end" });
      words.textContent = `${100 * value}%`;
    }
    for (let step = 0; step <= steps; step += EVERY) {
      const words = drawn("text", this.curve, { x: toX(step), y: FOOT + 15, "text-anchor": "middle" });
      words.textContent = String(step);
    }
  }

  /**
   * @param {OrderCurveSent} curve
   * @param {number} step
   * @param {number} x
   */
  drawDot({ worst, average, order }, step, x) {
    const dot = drawn("circle", this.curve, { cx: x, cy: toY(worst[step]) });
    const last = step ? ` with L${order[step - 1].join(".H")} as the last` : "";
    const words = `${step} off${last}: worst group ${share(worst[step])}, average ${share(average[step])}`;
    drawn("title", dot, {}).textContent = words;
    return dot;
  }

  /**
   * The step whose dot was clicked, if one was.
   * @param {Element} target
   */
  stepOf(target) {
    const step = this.dots.findIndex((dot) => dot === target);
    return step < 0 ? undefined : step;
  }
}
