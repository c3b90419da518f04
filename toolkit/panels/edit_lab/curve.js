// How an edit went, step by step: accuracies and the objective.

/** @import { CurveSent } from "./sent.d.ts" */

import { drawn } from "../base/dom.js";
import { share, whole } from "../base/numbers.js";

const LEFT = 34;
const WIDE = 200;
const FOOT = 160;
const TALL = 148;
const APART = 10; // pixels between two names
const LINES = /** @type {const} */ ([
  { name: "success", words: "target classes", dash: "", color: "var(--tk-after)" },
  { name: "worst", words: "worst group", dash: "4 3", color: "var(--tk-after)" },
  { name: "locality", words: "other classes", dash: "", color: "var(--tk-alert)" },
]);

/** @typedef {(number | null)[]} Values at every step that was measured; null where unknown */

/** @typedef {{values: Values, words: string, dash: string, color: string}} Line */

/**
 * The lines with their names, from the top down by where they end.
 * @param {CurveSent} curve
 * @returns {Line[]}
 */
function linesOf(curve) {
  const most = Math.max(...curve.total);
  const objective = curve.total.map((value) => value / most);
  const lines = [
    ...LINES.map(({ name, words, dash, color }) => ({ values: curve[name], words, dash, color })),
    { values: objective, words: "objective", dash: "1 3", color: "var(--tk-soft)" },
  ];
  return lines.sort((a, b) => (b.values.at(-1) ?? 0) - (a.values.at(-1) ?? 0));
}

export class StepsCurve {
  /** @param {Element} parent */
  constructor(parent) {
    this.node = drawn("svg", parent, { width: 310, height: 190, role: "img" });
    /** @type {CurveSent | undefined} what is painted */
    this.painted = undefined;
  }

  /** @param {CurveSent} curve empty while there is none */
  paint(curve) {
    if (!curve.step || curve === this.painted) return;
    this.painted = curve;
    this.node.replaceChildren();
    const last = curve.step.at(-1) || 1;
    this.drawScale(last);
    /** @type {number[]} where names stand already */
    const taken = [];
    for (const line of linesOf(curve)) this.drawLine(line, curve.step, last, taken);
    const ends = LINES.map(({ name, words }) => {
      const end = curve[name].at(-1) ?? null;
      return `${words} ${end === null ? "unknown" : share(end)}`;
    });
    this.node.setAttribute("aria-label", `after ${last} steps: ${ends.join(", ")}`);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {"start" | "middle" | "end"} anchor
   * @param {string} words
   */
  write(x, y, anchor, words) {
    drawn("text", this.node, { x, y, "text-anchor": anchor }).textContent = words;
  }

  /** @param {number} last step */
  drawScale(last) {
    for (const part of [0, 0.5, 1]) {
      const y = toY(part);
      drawn("line", this.node, { x1: LEFT, x2: LEFT + WIDE, y1: y, y2: y, stroke: "var(--tk-line)" });
      this.write(LEFT - 4, y + 3, "end", whole(part));
      this.write(LEFT + part * WIDE, FOOT + 14, "middle", String(Math.round(part * last)));
    }
    this.write(LEFT + WIDE / 2, FOOT + 27, "middle", "steps of Adam");
  }

  /**
   * A line and its name, below those that stand there.
   * @param {Line} line
   * @param {number[]} steps
   * @param {number} last
   * @param {number[]} taken
   */
  drawLine({ values, words, dash, color }, steps, last, taken) {
    const points = [];
    for (const [i, value] of values.entries()) {
      if (value !== null) points.push({ x: LEFT + (steps[i] / last) * WIDE, y: toY(value) });
    }
    const end = points.at(-1);
    if (!end) return;
    drawn("polyline", this.node, {
      points: points.map(({ x, y }) => `${x},${y}`).join(" "),
      fill: "none",
      stroke: color,
      "stroke-width": 1.6,
      "stroke-dasharray": dash,
    });
    let at = end.y + 3;
    while (taken.some((other) => Math.abs(other - at) < APART)) at += APART;
    taken.push(at);
    this.write(LEFT + WIDE + 4, at, "start", words);
  }
}

/** @param {number} value */
const toY = (value) => FOOT - TALL * value;
