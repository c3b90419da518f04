// A curve of shares beside a list, a dot per row: drawn as SVG, so that it is sharp and can be read out.

import { drawn } from "./tiles.js";

export const percent = (x) => (Number.isFinite(x) ? `${(100 * x).toFixed(x < 0.0995 ? 1 : 0)} %` : "–");

export function paintCurve(svg, shares, row) {
  const [width, height] = [120, row * Math.max(1, shares.length) + 14];
  svg.replaceChildren();
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.setAttribute("aria-label", `variance explained: ${shares.map(percent).join(", ")}`);
  const x = (share) => 8 + share * (width - 36);
  for (const share of [0, 0.5, 1]) {
    drawn("line", svg, {
      x1: x(share),
      x2: x(share),
      y1: 0,
      y2: height - 14,
      stroke: "var(--tk-line)",
    });
    drawn("text", svg, {
      x: x(share),
      y: height - 3,
      "text-anchor": "middle",
    }).textContent = `${100 * share}%`;
  }
  const points = shares.map((share, i) => [x(share), row * (i + 0.5)]);
  const line = points.map((p) => p.join(",")).join(" ");
  drawn("polyline", svg, {
    points: line,
    fill: "none",
    stroke: "var(--tk-curve)",
    "stroke-width": 1.6,
  });
  points.forEach(([cx, cy], i) => {
    const dot = drawn("circle", svg, { cx, cy, r: 3, fill: "var(--tk-curve)" });
    drawn("title", dot, {}).textContent = `${percent(shares[i])} explained`;
  });
  const last = points.at(-1);
  if (last) drawn("text", svg, { x: last[0] + 6, y: last[1] + 3 }).textContent = percent(shares.at(-1));
}
