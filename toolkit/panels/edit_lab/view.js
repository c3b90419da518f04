// EditLab: α and β as dials and as a pad, the plane they move on, groups, the steps, what the edit did, who paid.

import { Asker, Frame, keep, make, write } from "../base/common.js";
import { drawn, tileKey } from "../base/tiles.js";
import { Flips, GroupTable, share } from "../base/labs.js";
import { LogDial, Pad, brief, told } from "../base/dials.js";
import { Plane } from "../base/plane.js";
import "./style.css";

const KEYS = [
  ["Pad, sliders: arrows", "α, β; shift: a decade"],
  ["Plane: arrows, Enter", "to a point, its edit"],
  ["u, r", "undo, redo"],
  ["k", "keep"],
  ["f", "frontier"],
  ["1", "Algorithm 1"],
  ["Escape", "stop"],
  ["?", "this list"],
];
const X = { success: "target classes", worst: "worst group", like: "same mistakes" };
const Y = { locality: "other classes", agreement: "predictions that stay" };
const ALL = ["success", "worst", "like", "locality", "agreement"];
const LINES = [
  ["success", "target classes", ""],
  ["worst", "worst group", "4 3"],
  ["locality", "other classes", ""],
];
const WAYS = ["diagonal", "rank 1", "rank 4", "rank 16", "full"];
const times = (x) => `×${x.toFixed(2)}`;
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const whole = (x) => `${Math.round(100 * x)} %`;

class View extends Frame {
  constructor(model, el) {
    super(model, el, "tked", KEYS);
    this.body.classList.add("tkl");
    this.asker = new Asker(model);
    for (const [name, text, label] of [
      ["undo", "↶", "Undo"],
      ["redo", "↷", "Redo"],
      ["keep", "keep", "Keep this edit"],
      ["stop", "stop", "End what is being worked out"],
    ])
      this[name] = this.tool(text, label);
    const side = make("div", "tkl-side", this.body);
    this.alpha = new LogDial(side, "α", "success", (alpha) => this.set({ alpha }));
    this.beta = new LogDial(side, "β", "locality", (beta) => this.set({ beta }));
    this.ratio = make("div", "tkl-soft", side);
    this.pad = new Pad(side, (alpha, beta) => this.set({ alpha, beta }));
    this.stepsName = make("span", "", make("label", "tkl-label", side));
    this.steps = make("input", "", this.stepsName.parentNode, {
      type: "range",
      min: "0",
      max: "1000",
      step: "10",
      "aria-label": "steps",
    });
    this.strategy = this.choice(side, "strategy", WAYS);
    this.scale = this.choice(side, "logit scale", []);
    const floor = make("label", "tkl-label tked-check", side);
    this.nonnegative = make("input", "", floor, { type: "checkbox" });
    floor.append(" keep θ ≥ 0");
    this.pair = this.choice(side, "mistakes", []);
    const heads = make("label", "tkl-label", side);
    heads.append("heads success learns to do without");
    this.typed = make("input", "", heads, {
      type: "text",
      "aria-label": "Heads",
      placeholder: "L3.H7",
      maxlength: "4000",
    });
    const line = make("div", "tkl-line", side);
    this.choose = this.button(line, "Algorithm 1");
    this.take = this.button(line, "take selected");
    const main = make("div", "tkl-main", this.body);
    const top = make("div", "tkl-line tked-top", main);
    this.plane = new Plane(this, make("div", "", top));
    const axes = make("div", "tkl-line", main);
    this.x = this.choice(axes, "across", Object.entries(X));
    this.y = this.choice(axes, "up", Object.entries(Y));
    this.fill = this.button(axes, "fill the frontier");
    this.curve = drawn("svg", top, { width: 310, height: 190, role: "img" });
    this.groups = new GroupTable(main);
    this.told = make("div", "tkl-soft tked-wide", main);
    this.words = make("div", "tked-words", main);
    this.flips = new Flips(this, main);
  }

  choice(parent, words, options) {
    const label = make("label", "tkl-label", parent);
    label.append(`${words} `);
    const select = make("select", "", label, { "aria-label": words });
    this.options(select, options);
    return select;
  }

  options(select, options) {
    const key = JSON.stringify(options);
    if (select.key === key) return;
    select.key = key;
    select.replaceChildren();
    for (const option of options) {
      const [value, words] = Array.isArray(option) ? option : [option, option];
      make("option", "", select, { value }).textContent = words;
    }
  }

  get(name) {
    return this.model.get(name);
  }

  get settings() {
    const values = ["alpha", "beta", "steps", "strategy", "scale", "nonnegative", "_chosen", "pair"].map(
      (name) => this.get(name),
    );
    values[5] = values[5] && values[3] === "diagonal"; // θ ≥ 0 is for the diagonal alone
    return values;
  }

  // paint

  paintDials() {
    const [alpha, beta] = [this.get("alpha"), this.get("beta")];
    this.alpha.paint(alpha);
    this.beta.paint(beta);
    const parts =
      alpha && beta
        ? `α : β = ${alpha >= beta ? `${brief(alpha / beta)} : 1` : `1 : ${brief(beta / alpha)}`}. `
        : "";
    const alone = alpha || beta ? "" : "Cross-entropy alone: standard fine-tuning. ";
    write(this.ratio, parts + alone);
    this.pad.paint(alpha, beta);
    const { scale } = this.get("_facts");
    this.steps.value = this.get("steps");
    this.stepsName.textContent = `${this.get("steps")} steps`;
    this.steps.setAttribute("aria-valuetext", this.stepsName.textContent);
    const strategy = this.get("strategy");
    this.options(this.strategy, [...new Set([...WAYS, strategy])]);
    this.strategy.value = strategy;
    const own = this.get("scale");
    this.options(this.scale, [
      ["", `checkpoint's ${brief(scale || 0)}`],
      ["1", "1 (R25)"],
      ...(own && own !== 1 ? [[String(own), told(own)]] : []),
    ]);
    this.scale.value = own === null ? "" : String(own);
    this.nonnegative.checked = this.get("nonnegative");
    this.nonnegative.parentNode.hidden = strategy !== "diagonal";
    const pairs = this.get("_pairs");
    const all = pairs.reduce((sum, row) => sum + row[2], 0);
    this.options(this.pair, [
      ["", `all ${all}`],
      ...pairs.map(([y, o, n], i) => [String(i), `${y} → ${o} (${n})`]),
    ]);
    const pair = this.get("pair");
    this.pair.value =
      pair === null ? "" : String(pairs.findIndex(([y, o]) => y === pair[0] && o === pair[1]));
    if (this.active !== this.typed) this.typed.value = this.get("_typed");
  }

  paintPlane() {
    const [x, y] = [this.x.value, this.y.value];
    const [front, trail, marks, kept, point] = ["_front", "_trail", "_marks", "_names", "_point"].map(
      (name) => this.get(name),
    );
    const shown = !same(this.get("_shown"), this.settings);
    const key = [
      x,
      y,
      front,
      trail,
      marks,
      kept,
      point,
      this.theme,
      shown,
      JSON.stringify(this.settings.slice(2)),
    ];
    if (key.every((part, i) => part === this.planeKey?.[i])) return;
    this.planeKey = key;
    const palette = this.get("_palette")[this.theme];
    const spots = [];
    const old = !same(front.of, [0, 0, ...this.settings.slice(2)]); // a grid of other settings
    const planes = this.get("_planes");
    const say = (one) =>
      Object.entries({ ...X, ...Y })
        .map(([name, words]) => (Number.isFinite(one[name]) ? `${words} ${share(one[name])}` : ""))
        .filter(Boolean)
        .join(", ");
    (front.alphas || []).forEach((alpha, i) =>
      front.betas.forEach((beta, j) => {
        const at = i * front.betas.length + j;
        const one = Object.fromEntries(ALL.map((name) => [name, front[name][at]]));
        const ratio = Math.max(
          -3,
          Math.min(3, Math.log10(Math.max(alpha, 1e-3)) - Math.log10(Math.max(beta, 1e-3))),
        );
        const color = palette[Math.round((0.5 + ratio / 6) * (palette.length - 1))];
        spots.push({
          kind: "cell",
          old,
          x: one[x],
          y: one[y],
          color: `rgb(${color.join(" ")})`,
          words: `${old ? "other settings: " : ""}α ${brief(alpha)}, β ${brief(beta)}: ${say(one)}`,
          go: () => this.ask("go", { cell: [alpha, beta] }),
        });
      }),
    );
    trail.forEach((row) => {
      const one = Object.fromEntries(ALL.map((name, i) => [name, row[4 + i] ?? NaN]));
      spots.push({
        kind: "seen",
        x: one[x],
        y: one[y],
        words: `visited: α ${brief(row[0])}, β ${brief(row[1])}, ${row[2]} steps, ${planes[row[3]]}: ${say(one)}`,
        go: () => this.ask("go", { row: row.slice(0, 4) }),
      });
    });
    marks.forEach((one) =>
      spots.push({
        kind: "mark",
        x: one[x] ?? NaN,
        y: one[y] ?? NaN,
        name: one.name,
        words: `${one.name}: ${say(one)}`,
      }),
    );
    kept.forEach((one) =>
      spots.push({
        kind: "kept",
        x: one[x] ?? NaN,
        y: one[y] ?? NaN,
        name: one.name,
        words: `kept as ${one.name}: ${say(one)}`,
        go: () => this.ask("go", { name: one.name }),
      }),
    );
    spots.push({ kind: "now", old: shown, x: point[x] ?? NaN, y: point[y] ?? NaN });
    this.plane.paint(spots, [X[x], Y[y]]);
  }

  paintCurve() {
    const curve = this.get("_curve");
    if (!curve.step || curve === this.drawnCurve) return;
    this.drawnCurve = curve;
    const last = curve.step[curve.step.length - 1] || 1;
    const [px, py] = [(t) => 34 + (t / last) * 200, (v) => 160 - 148 * v];
    this.curve.replaceChildren();
    const text = (x, y, anchor, words) => {
      drawn("text", this.curve, { x, y, "text-anchor": anchor }).textContent = words;
    };
    for (const v of [0, 0.5, 1]) {
      drawn("line", this.curve, {
        x1: 34,
        x2: 234,
        y1: py(v),
        y2: py(v),
        stroke: "var(--tk-line)",
      });
      text(30, py(v) + 3, "end", whole(v));
      text(px(v * last), 174, "middle", Math.round(v * last));
    }
    text(134, 187, "middle", "steps of Adam");
    const most = Math.max(...curve.total);
    const lines = [
      ...LINES.map(([name, words, dash]) => [
        curve[name],
        words,
        dash,
        name === "locality" ? "var(--tk-alert)" : "var(--tk-after)",
      ]),
      [curve.total.map((v) => v / most), "objective", "1 3", "var(--tk-soft)"],
    ];
    const taken = [];
    lines.sort((a, b) => (b[0].at(-1) ?? 0) - (a[0].at(-1) ?? 0)); // names from the top down
    for (const [values, words, dash, color] of lines) {
      const known = values.map((v, i) => [v, i]).filter(([v]) => v !== null);
      if (!known.length) continue;
      drawn("polyline", this.curve, {
        points: known.map(([v, i]) => `${px(curve.step[i])},${py(v)}`).join(" "),
        fill: "none",
        stroke: color,
        "stroke-width": 1.6,
        "stroke-dasharray": dash,
      });
      let at = py(known[known.length - 1][0]) + 3;
      while (taken.some((other) => Math.abs(other - at) < 10)) at += 10;
      taken.push(at);
      text(238, at, "start", words);
    }
    const name = LINES.map(
      ([name, words]) => `${words} ${curve[name].at(-1) === null ? "unknown" : share(curve[name].at(-1))}`,
    );
    this.curve.setAttribute("aria-label", `after ${last} steps: ${name.join(", ")}`);
  }

  paintWords() {
    const said = this.get("_words");
    if (said === this.said) return;
    this.said = said;
    const { down, up, heads, gap, negative, moved, pulls } = said;
    const list = (found) => found.map(([text, ratio]) => `“${text}” ${times(ratio)}`).join(", ") || "nothing";
    const rows = [];
    if (down) rows.push(["turned down", list(down)], ["turned up", list(up)]);
    if (heads)
      rows.push(["scales heads", heads.map(([name, ratio]) => `${name} ${times(ratio)}`).join(", ")]);
    if (pulls)
      rows.push([
        "pull on θ",
        `cross-entropy ${whole(pulls.ce)}, success ${whole(pulls.success)}, locality ${whole(pulls.locality)}`,
      ]);
    if (moved)
      rows.push([
        "dimensions",
        moved.map(([i, by]) => `${i} (${by < 0 ? "−" : "+"}${Math.abs(by).toFixed(2)})`).join(", ") +
          (negative === null ? "" : `; ${negative} below zero`),
      ]);
    if (gap !== undefined && gap !== null)
      rows.push(["left to gain", `${(100 * gap).toFixed(1)} % of the attainable fall`]);
    this.words.replaceChildren();
    for (const [name, words] of rows) {
      make("b", "", this.words).textContent = name;
      make("span", "", this.words).textContent = words;
    }
  }

  paint() {
    this.paintFrame();
    this.root.style.setProperty("--tk-after", `rgb(${this.get("_palette")[this.theme][2].join(" ")})`);
    this.paintDials();
    this.paintPlane();
    this.paintCurve();
    this.groups.paint(this.get("_groups"), "group");
    const { n, split, own, made, from, used, left } = this.get("_facts");
    const where = own
      ? `the ${made} images the edit is made from: hold others out`
      : `n = ${n}, split ${split}${used ? `; ${used} it is made from left out` : ""}${left ? `; ${left} with other labels left out` : ""}`;
    write(
      this.told,
      [
        this.get("_note"),
        ...this.get("_told"),
        `Measured on ${where}; made from ${made} images, split ${from}.`,
      ]
        .filter(Boolean)
        .join(" · "),
    );
    this.paintWords();
    this.flips.paint(this.get("_flips"), this.get("_sheet"), this.get("image"));
    this.paintState();
    this.painted();
  }

  paintState() {
    const [work, progress] = [this.get("_work"), this.get("_progress")];
    const stale = (nodes, on) => nodes.forEach((node) => node.classList.toggle("tk-stale", on));
    const other = work.includes("solve") || !same(this.get("_shown"), this.settings);
    stale([this.groups.node, this.told], other);
    stale(
      [this.words, this.curve],
      other || work.includes("words") || !same(this.get("_curve").of, this.settings),
    );
    stale(this.flips.nodes, other || work.includes("flips"));
    const [undo, redo] = this.get("_can");
    this.undo.disabled = !undo;
    this.redo.disabled = !redo;
    this.keep.disabled = other;
    const part = ["fill", "solve"].find(
      (name) => work.includes(name) && progress[name] > 0 && progress[name] < 1,
    );
    const again = !part && other && !work.includes("solve") && !this.get("error"); // it was ended
    this.stop.hidden = !part && !again;
    this.stop.textContent = "solve";
    if (part)
      this.stop.textContent = `${part === "fill" ? "frontier" : "solving"} ${whole(progress[part])} – stop`;
    this.fill.disabled = work.includes("fill") || !this.get("_facts").others;
    this.root.setAttribute("aria-busy", work.length > 0);
  }

  // what the user does

  ask(what, more = {}) {
    this.asker.ask({ do: what, ...more });
  }

  onClick({ target }) {
    const asks = new Map([
      [this.undo, "undo"],
      [this.redo, "redo"],
      [this.keep, "keep"],
      [this.stop, "stop"],
      [this.choose, "choose"],
      [this.take, "take"],
      [this.fill, "fill"],
    ]);
    if (target === this.stop && target.textContent === "solve") return this.ask("solve");
    if (asks.has(target)) return this.ask(asks.get(target));
    const tile = target.closest(".tkm-thumb");
    if (tile) this.set({ image: this.get("image") === tile.image ? null : tile.image });
  }

  onKey(event) {
    const { target } = event;
    if (target === this.pad.node && this.pad.key(event, [this.get("alpha"), this.get("beta")]))
      return event.preventDefault();
    if (target === this.plane.node && this.plane.key(event)) return event.preventDefault();
    if (tileKey(this, event)) return;
    const asks = { u: "undo", r: "redo", k: "keep", f: "fill", 1: "choose", Escape: "stop" };
    if (asks[event.key] && !this[asks[event.key]]?.disabled)
      this.done(event, () => this.ask(asks[event.key]));
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  const names = [
    "alpha",
    "beta",
    "steps",
    "strategy",
    "scale",
    "nonnegative",
    "pair",
    "image",
    "_chosen",
    "_typed",
    "_pairs",
    "_facts",
    "_shown",
    "_groups",
    "_told",
    "_point",
    "_trail",
    "_front",
    "_marks",
    "_curve",
    "_words",
    "_flips",
    "_sheet",
    "_names",
    "_can",
    "_progress",
    "_work",
    "_planes",
    "_note",
  ];
  const stop = keep(view, names, (on) => {
    view.root.addEventListener("click", (e) => view.onClick(e), on);
    for (const part of [view.alpha, view.beta, view.pad, view.plane]) part.listen(on);
    const read = (name, event, value, trait = name) =>
      view[name].addEventListener(event, ({ target }) => view.set({ [trait]: value(target) }), on);
    read("steps", "input", ({ value }) => Number(value));
    read("strategy", "change", ({ value }) => value);
    read("scale", "change", ({ value }) => (value ? Number(value) : null));
    read("nonnegative", "change", ({ checked }) => checked);
    read("pair", "change", ({ value }) => (value ? view.get("_pairs")[value].slice(0, 2) : null));
    read("typed", "change", ({ value }) => value, "_typed");
    for (const axis of [view.x, view.y]) axis.addEventListener("change", () => view.paintPlane(), on);
  });
  return () => {
    stop();
    view.flips.sheet.drop();
  };
}

export default { render };
