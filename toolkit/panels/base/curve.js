// A curve of shares beside a list, a dot per row: drawn as SVG, so that it is sharp and can be read out.

import { drawn } from "./dom.js";
import { percent } from "./numbers.js";

const WIDTH = 120;
const FOOT = 14; // below the last row: the scale
const LEFT = 8;
const PLOT = WIDTH - 36;

/**
 * @param {SVGSVGElement} svg
 * @param {number[]} shares explained so far, row by row
 * @param {number} row height of a row
 */
export function paintCurve(svg, shares, row) {
  const height = row * Math.max(1, shares.length) + FOOT;
  svg.replaceChildren();
  svg.setAttribute("width", String(WIDTH));
  svg.setAttribute("height", String(height));
  svg.setAttribute("aria-label", `variance explained: ${shares.map(percent).join(", ")}`);
  paintScale(svg, height);
  const points = shares.map((share, i) => ({ x: across(share), y: row * (i + 0.5), share }));
  const line = points.map(({ x, y }) => `${x},${y}`).join(" ");
  drawn("polyline", svg, { points: line, fill: "none", stroke: "var(--tk-curve)", "stroke-width": 1.6 });
  for (const { x, y, share } of points) {
    const dot = drawn("circle", svg, { cx: x, cy: y, r: 3, fill: "var(--tk-curve)" });
    drawn("title", dot, {}).textContent = `${percent(share)} explained`;
  }
  const last = points.at(-1);
  if (last) drawn("text", svg, { x: last.x + 6, y: last.y + 3 }).textContent = percent(last.share);
}

/** @param {number} share */
const across = (share) => LEFT + share * PLOT;

/**
 * @param {SVGSVGElement} svg
 * @param {number} height
 */
function paintScale(svg, height) {
  for (const share of [0, 0.5, 1]) {
    const x = across(share);
    drawn("line", svg, { x1: x, x2: x, y1: 0, y2: height - FOOT, stroke: "var(--tk-line)" });
    const words = drawn("text", svg, { x, y: height - 3, "text-anchor": "middle" });
    words.textContent = `${100 * share}%`;
  }
}
