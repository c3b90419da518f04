// The plane of success and locality: the grid as it fills, its frontier, where one has been, other methods.

import { make } from "./common.js";

const HINT = "Rings: visited. Dots: the grid; orange α > β, blue β > α. Line: its frontier.";
const [W, H] = [316, 230];
const EDGE = { left: 42, right: 8, top: 10, bottom: 34 };

function line(g, points) {
  // through points of a canvas
  g.beginPath();
  for (const point of points) g.lineTo(...point);
  g.stroke();
}

export class Plane {
  constructor(view, parent) {
    Object.assign(this, { view, spots: [], at: -1 });
    this.node = make("canvas", "tked-plane", parent, { tabindex: "0", role: "application" });
    this.node.style.width = `${W}px`;
    this.node.style.height = `${H}px`;
    this.tip = make("div", "tkl-soft", parent, { "aria-live": "polite" });
    this.tip.textContent = HINT;
  }

  // spots: {kind, x, y, words, go}; kinds: cell, seen, kept, mark, now
  paint(spots, names) {
    const was = this.spots[this.at]?.words; // a point is known by its words: its place in the list changes
    Object.assign(this, {
      spots: spots.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)),
      names,
    });
    this.at = was ? this.spots.findIndex(({ words }) => words === was) : -1;
    this.tip.textContent = this.spots[this.at]?.words || HINT;
    this.settle(99);
  }

  settle(left) {
    // colours are known once the page holds the canvas: hosts add a view after its first paint
    if (this.node.isConnected || !left) this.draw();
    else requestAnimationFrame(() => this.settle(left - 1));
  }

  scale() {
    const ends = ["x", "y"].map((axis) => {
      const all = this.spots.map((spot) => spot[axis]);
      const [low, high] = [Math.min(...all), Math.max(...all)];
      const room = Math.max(0.02, 0.08 * (high - low));
      return [low - room, high + room];
    });
    const [wide, tall] = [W - EDGE.left - EDGE.right, H - EDGE.top - EDGE.bottom];
    return {
      ends,
      px: (x) => EDGE.left + ((x - ends[0][0]) / (ends[0][1] - ends[0][0])) * wide,
      py: (y) => H - EDGE.bottom - ((y - ends[1][0]) / (ends[1][1] - ends[1][0])) * tall,
    };
  }

  frontier() {
    // cells no other beats in both
    const cells = this.spots
      .filter(({ kind, old }) => kind === "cell" && !old)
      .sort((a, b) => b.x - a.x || b.y - a.y);
    let best = -Infinity;
    return cells.filter(({ y }) => y > best && ((best = y), true));
  }

  draw() {
    const density = window.devicePixelRatio || 1;
    Object.assign(this.node, { width: W * density, height: H * density });
    const g = this.node.getContext("2d");
    g.scale(density, density);
    g.clearRect(0, 0, W, H);
    g.font = "10px system-ui, sans-serif";
    const style = getComputedStyle(this.node);
    const [soft, thin, after, ring, alert, paper] = ["soft", "line", "after", "ring", "alert", "paper"].map(
      (name) => style.getPropertyValue(`--tk-${name}`),
    );
    if (!this.spots.length) {
      g.fillStyle = soft;
      g.fillText("no other classes held out", 40, H / 2);
      return;
    }
    const { ends, px, py } = this.scale();
    this.place = { px, py };
    this.axes(g, ends, px, py, soft, thin);
    const dot = (spot, radius, fill, stroke) => {
      g.globalAlpha = spot.old ? 0.3 : 1;
      g.beginPath();
      g.arc(px(spot.x), py(spot.y), radius, 0, 7);
      if (fill) {
        g.fillStyle = fill;
        g.fill();
      }
      if (stroke) {
        g.strokeStyle = stroke;
        g.stroke();
      }
      g.globalAlpha = 1;
    };
    g.lineWidth = 1.5;
    const through = (spots, color) => {
      g.strokeStyle = color;
      line(
        g,
        spots.map((spot) => [px(spot.x), py(spot.y)]),
      );
    };
    const front = this.frontier();
    through(front, alert);
    for (const spot of this.spots) {
      if (spot.kind === "cell")
        dot(spot, front.includes(spot) ? 3.5 : 2.5, spot.color, front.includes(spot) ? alert : null);
    }
    const seen = this.spots.filter(({ kind }) => kind === "seen");
    through(seen, thin);
    for (const spot of seen) dot(spot, 2.5, paper, after);
    for (const spot of this.spots.filter(({ kind }) => kind === "mark" || kind === "kept")) {
      g.strokeStyle = g.fillStyle = spot.kind === "kept" ? after : soft;
      const [x, y] = [px(spot.x), py(spot.y)];
      for (const s of [-4, 4])
        line(g, [
          [x - 4, y - s],
          [x + 4, y + s],
        ]);
      const wide = g.measureText(spot.name).width;
      g.fillText(spot.name, Math.min(x + 6, W - wide - 4), y - 5);
    }
    for (const spot of this.spots.filter(({ kind }) => kind === "now")) dot(spot, 6, after, paper);
    if (this.spots[this.at]) dot(this.spots[this.at], 8, null, ring);
    this.node.setAttribute(
      "aria-label",
      `${this.names.join(" against ")}; ${this.spots.length} points, arrows and Enter`,
    );
  }

  axes(g, ends, px, py, soft, thin) {
    g.strokeStyle = thin;
    g.fillStyle = soft;
    g.lineWidth = 1;
    ends.forEach(([low, high], axis) => {
      const step = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5].find((s) => (high - low) / s <= 6) || 1;
      for (let v = Math.ceil(low / step) * step; v <= high; v += step) {
        const at = Math.round(axis ? py(v) : px(v)) + 0.5;
        line(
          g,
          axis
            ? [
                [EDGE.left, at],
                [W - EDGE.right, at],
              ]
            : [
                [at, EDGE.top],
                [at, H - EDGE.bottom],
              ],
        );
        g.textAlign = axis ? "right" : "center";
        g.fillText(
          Number((100 * v).toFixed(1)),
          axis ? EDGE.left - 5 : at,
          axis ? at + 3 : H - EDGE.bottom + 12,
        );
      }
    });
    g.textAlign = "center";
    g.fillText(`${this.names[0]}, % →`, EDGE.left + (W - EDGE.left) / 2, H - 6);
    g.save();
    g.translate(10, EDGE.top + (H - EDGE.bottom) / 2);
    g.rotate(-Math.PI / 2);
    g.fillText(`${this.names[1]}, % →`, 0, 0);
    g.restore();
    g.textAlign = "left";
  }

  near(event) {
    // the spot under the pointer, if there is one to go to
    const box = this.node.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [best, found] = [100, -1];
    this.spots.forEach((spot, i) => {
      const far = (this.place.px(spot.x) - x) ** 2 + (this.place.py(spot.y) - y) ** 2;
      if (spot.go && far < best) [best, found] = [far, i];
    });
    return found;
  }

  show(i) {
    if (i === this.at) return;
    this.at = i;
    this.tip.textContent = this.spots[i]?.words || HINT;
    this.draw();
  }

  listen(on) {
    this.node.addEventListener("pointermove", (e) => this.place && this.show(this.near(e)), on);
    this.node.addEventListener("pointerleave", () => this.show(-1), on);
    this.node.addEventListener(
      "click",
      (e) => {
        const spot = this.place && this.spots[this.near(e)];
        if (spot) spot.go();
      },
      on,
    );
  }

  key(event) {
    const ways = this.spots.map((spot, i) => i).filter((i) => this.spots[i].go);
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (by && ways.length) {
      const now = ways.indexOf(this.at);
      this.show(ways[(now + by + ways.length + (now < 0 && by < 0 ? 1 : 0)) % ways.length]);
      return true;
    }
    if ((event.key === "Enter" || event.key === " ") && this.spots[this.at]?.go) {
      this.spots[this.at].go();
      return true;
    }
    return false;
  }
}
