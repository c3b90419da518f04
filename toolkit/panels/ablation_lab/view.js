// AblationLab: an error, a map of heads to switch off, every group before and after, the images that flipped.

import { Asker, Frame, keep, make } from "../base/common.js";
import { drawn, floats, tileKey } from "../base/tiles.js";
import { HeadMap } from "../base/map.js";
import { Flips, GroupTable, points, share } from "../base/labs.js";
import { ErrorPicker } from "../base/confusion.js";
import "./style.css";

const KEYS = [
  ["Map: arrows", "another head"],
  ["Map: click, space, Enter", "a head off or on"],
  ["Map: − and +", "its strength"],
  ["Confusion: click, Enter", "the errors to look at"],
  ["a", "all heads on"],
  ["1", "Algorithm 1"],
  ["Escape", "end a run of the model"],
  ["?", "show or hide this list"],
];
const BY = {
  utility: "utility U",
  balanced: "balanced U",
  accuracy: "accuracy",
  worst_group: "worst group",
  group_mean: "mean of groups",
};
const SCORES = {
  A: "A",
  "−B": "−B",
  C: "C",
  "−D": "−D",
  LTC: "LTC",
  text: "along a text",
  direct: "direct effect",
  total: "total effect",
};
const signed = (x) => (Number.isFinite(x) ? `${x < 0 ? "−" : ""}${Math.abs(x).toPrecision(2)}` : "–");

class View extends Frame {
  constructor(model, el) {
    super(model, el, "tkab", KEYS);
    this.body.classList.add("tkl");
    this.asker = new Asker(model);
    this.how = this.choice(null, "What takes a head's place", {
      zero: "zero-ablation",
      mean: "mean over these images",
      resample: "other images' heads",
    });
    this.effect = this.choice(null, "Which effect", {
      direct: "direct: in the sum",
      total: "total: run again",
    });
    for (const tool of [this.how, this.effect]) this.tools.insertBefore(tool, this.help);
    this.stop = this.tool("stop", "End the run of the model");
    this.reset = this.tool("all on", "Switch all heads on");
    const side = make("div", "tkl-side", this.body);
    this.score = this.choice(this.labelled(side, "Heads by "), "Score of the map", SCORES);
    this.text = make("input", "", side, {
      type: "text",
      placeholder: "a text, such as water",
      "aria-label": "The text",
      maxlength: "300",
    });
    this.map = new HeadMap(this, side);
    this.bar = make("div", "tkab-scale", side, { "aria-hidden": "true" });
    this.ends = ["", "0", ""].map((words) => {
      const end = make("span", "", this.bar);
      end.textContent = words;
      return end;
    });
    this.what = make("div", "tkl-soft", side);
    this.name = make("span", "", this.labelled(side, ""));
    this.strength = make("input", "", this.name.parentNode, {
      type: "range",
      min: "0",
      max: "2",
      step: "0.05",
    });
    this.now = make("div", "tkl-soft", side);
    this.by = this.choice(this.labelled(side, "Algorithm 1 by "), "Criterion of Algorithm 1", BY);
    this.choose = make("button", "", this.by.parentNode, { type: "button" });
    this.choose.textContent = "choose";
    this.why = make("div", "tkl-soft", side, { "aria-live": "polite" });
    const main = make("div", "tkl-main", this.body);
    this.picker = new ErrorPicker(this, main);
    this.groups = new GroupTable(main);
    const line = make("div", "tkl-line", main);
    this.curve = drawn("svg", line, { width: 330, height: 150, role: "img" });
    const right = make("div", "", line);
    this.top = make("input", "", this.labelled(right, "Switch off the worst heads of the map"), {
      type: "range",
      min: "0",
      step: "1",
      value: "0",
    });
    this.legend = make("div", "tkl-soft", right);
    this.flips = new Flips(this, main);
  }

  labelled(parent, words) {
    const label = make("label", "tkl-label", parent);
    label.append(words);
    return label;
  }

  choice(parent, label, options) {
    const select = make("select", "", parent, label ? { "aria-label": label } : {});
    for (const [value, words] of Object.entries(options))
      make("option", "", select, { value }).textContent = words;
    return select;
  }

  get head() {
    return this.model.get("head");
  }

  strengthOf(head) {
    // undefined: as it is
    return this.model.get("_off").find((row) => row[0] === head[0] && row[1] === head[1])?.[2];
  }

  // paint

  paintMap() {
    const m = this.model;
    const values = floats(m.get("_map"));
    const palette = m.get("_palette")[this.theme];
    const most = Math.max(1e-12, ...[...values].filter(Number.isFinite).map(Math.abs));
    const [score, , , along] = m.get("_map_of").length ? m.get("_map_of") : [m.get("score")];
    const say = score === "direct" || score === "total" ? (x) => `${points(x)} points` : signed;
    this.map.shape(m.get("_layers"), m.get("_heads"));
    const place = (i) => (Number.isFinite(values[i]) ? 0.5 + values[i] / most / 2 : 0.5);
    const off = (i) => this.strengthOf(this.map.cells[i].at);
    const words = (i) => [
      `${SCORES[score]} ${say(values[i])}${off(i) === undefined ? "" : off(i) ? `, strength ${off(i)}` : ", off"}`,
    ];
    this.map.paint(this.head, palette, place, words, (cell, i) => {
      const s = off(i);
      cell.dataset.s = s === undefined ? "" : s ? String(+s.toFixed(2)).replace(/^0/, "") : "×";
      cell.classList.toggle("tkab-off", s !== undefined); // its name says it: a cell of a grid cannot be pressed
    });
    this.map.node.setAttribute("aria-label", `heads by ${SCORES[score]}`);
    this.bar.style.background = `linear-gradient(to right, ${palette.map((c) => `rgb(${c.join(" ")})`).join(", ")})`;
    this.ends[0].textContent = say(-most);
    this.ends[2].textContent = say(most);
    const { low, high, steady, sizes, top } = m.get("_sure");
    const at = this.map.cells.findIndex((cell) => String(cell.at) === String(this.head));
    this.what.textContent = `${m.get("_map_words")}${score === "text" && along ? ` (“${along}”)` : ""} ${sizes ? `${sizes}.` : ""}`;
    this.now.textContent =
      sizes && at >= 0
        ? `${signed(values[at])} [${signed(low[at])}, ${signed(high[at])}], among the worst ${top} in ${Math.round(100 * steady[at])} % of resamples`
        : "";
    this.text.hidden = m.get("score") !== "text";
    const s = this.strengthOf(this.head);
    this.name.textContent = `Strength of L${this.head[0]}.H${this.head[1]}: ${s === undefined ? "as it is" : s === 0 ? "off" : s.toFixed(2)}`;
    this.strength.value = s ?? 1;
    this.strength.setAttribute("aria-valuetext", this.name.textContent);
  }

  paintCurve() {
    const curve = this.model.get("_curve");
    if (!curve.worst) return;
    if (curve !== this.drawnCurve) this.drawCurve(curve);
    const off = this.model.get("_off");
    const { order } = curve;
    const own =
      off.length <= order.length &&
      off.every((row, i) => !row[2] && String(order[i]) === String(row.slice(0, 2)));
    const t = own ? off.length : -1;
    this.dots.forEach((dot, i) => dot.setAttribute("r", i === t ? 5 : 3));
    if (own) this.top.value = t;
    this.top.setAttribute("aria-valuetext", `${own ? `${t} heads` : "another set"} off`);
  }

  drawCurve(curve) {
    const { worst, average, low, high, order, orders } = curve;
    this.drawnCurve = curve;
    const steps = worst.length - 1;
    const [x, y] = [(t) => 30 + (t / Math.max(1, steps)) * 290, (v) => 130 - 120 * v];
    this.curve.replaceChildren();
    for (const v of [0, 0.5, 1]) {
      drawn("line", this.curve, { x1: 30, x2: 320, y1: y(v), y2: y(v), stroke: "var(--tk-line)" });
      drawn("text", this.curve, {
        x: 26,
        y: y(v) + 3,
        "text-anchor": "end",
      }).textContent = `${100 * v}%`;
    }
    for (let t = 0; t <= steps; t += 5)
      drawn("text", this.curve, { x: x(t), y: 145, "text-anchor": "middle" }).textContent = t;
    const line = (values) => values.map((v, t) => `${x(t)},${y(v)}`);
    drawn("polygon", this.curve, {
      points: [...line(low), ...line(high).reverse()].join(" "),
      fill: "var(--tk-soft)",
      opacity: 0.22,
    });
    drawn("polyline", this.curve, { points: line(average).join(" "), "stroke-dasharray": "4 3" });
    drawn("polyline", this.curve, { points: line(worst).join(" "), "stroke-width": 2 });
    this.dots = worst.map((v, t) => {
      const dot = drawn("circle", this.curve, { cx: x(t), cy: y(v) });
      dot.t = t;
      const name = t ? ` with L${order[t - 1].join(".H")} as the last` : "";
      drawn("title", dot, {}).textContent =
        `${t} off${name}: worst group ${share(v)}, average ${share(average[t])}`;
      return dot;
    });
    const score = SCORES[this.model.get("_map_of")[0]];
    this.curve.setAttribute(
      "aria-label",
      `worst group with the worst heads by ${score} off: ${worst.map(share).join(", ")}`,
    );
    this.top.max = steps;
    this.legend.textContent = `Worst group with the first t heads by ${score} off, in the sum; dashed: plain average. Grey: 10–90 % of ${orders} random orders of these heads.`;
  }

  paint() {
    const m = this.model;
    this.paintFrame();
    const palette = m.get("_palette")[this.theme];
    this.root.style.setProperty("--tk-after", `rgb(${palette[2].join(" ")})`);
    for (const name of ["how", "effect", "score", "by"]) this[name].value = m.get(name);
    if (this.root.getRootNode().activeElement !== this.text) this.text.value = m.get("text");
    this.paintMap();
    const confusion = m.get("_confusion");
    if (confusion.names.length) this.picker.paint(confusion, m.get("pair"));
    this.groups.paint(m.get("_groups"), m.get("_facts").groups ? "group" : "class");
    this.paintCurve();
    this.flips.paint(m.get("_flips"), m.get("_sheet"), m.get("image"));
    const [work, facts, progress] = [m.get("_work"), m.get("_facts"), m.get("_progress")];
    this.effect.options[1].disabled = !facts.live;
    this.why.textContent = m.get("_why");
    const differs = (shown, ...names) =>
      JSON.stringify(shown) !== JSON.stringify(names.map((name) => m.get(name)));
    const other = work.includes("outcome") || differs(facts.shown, "_off", "how", "effect");
    for (const node of [this.groups.node, this.picker.node]) node.classList.toggle("tk-stale", other);
    for (const node of this.flips.nodes) node.classList.toggle("tk-stale", other || work.includes("flips"));
    const old = work.includes("map") || differs(m.get("_map_of"), "score", "pair", "how", "text");
    for (const node of [this.map.node, this.curve, this.what, this.now])
      node.classList.toggle("tk-stale", old);
    this.top.disabled = old;
    const runs = [
      ["map", "score"],
      ["outcome", "effect"],
    ].filter(([part, name]) => work.includes(part) && m.get(name) === "total");
    this.stop.hidden = !runs.length;
    this.stop.textContent = `running the model, ${Math.round(100 * Math.max(0, ...runs.map(([part]) => progress[part] || 0)))} % – stop`;
    this.root.setAttribute("aria-busy", work.length > 0);
    this.painted();
  }

  // what the user does

  change(head, strength) {
    // undefined: as it is
    const rest = this.model.get("_off").filter((row) => row[0] !== head[0] || row[1] !== head[1]);
    const at = this.model.get("_off").findIndex((row) => row[0] === head[0] && row[1] === head[1]);
    if (strength !== undefined) rest.splice(at < 0 ? rest.length : at, 0, [...head, strength]);
    this.set({ head, _off: rest });
    this.paintMap();
  }

  toggle(head) {
    this.change(head, this.strengthOf(head) === undefined ? 0 : undefined);
  }

  worst(t) {
    this.set({
      _off: this.model
        .get("_curve")
        .order.slice(0, t)
        .map((head) => [...head, 0]),
    });
  }

  ask(what) {
    this.asker.ask({ do: what });
  }

  onClick(event) {
    const target = event.target;
    const asks = new Map([
      [this.choose, "choose"],
      [this.reset, "reset"],
      [this.stop, "stop"],
    ]);
    if (asks.has(target)) return this.ask(asks.get(target));
    const pair = this.picker.clicked(target);
    if (pair !== undefined)
      return this.set({
        pair: pair && String(pair) === String(this.model.get("pair")) ? null : pair,
      });
    const cell = target.closest(".tkm-cell");
    if (cell) {
      cell.focus();
      return this.toggle(cell.at);
    }
    if (target.t !== undefined) return this.worst(target.t);
    const tile = target.closest(".tkm-thumb");
    if (tile) this.set({ image: this.model.get("image") === tile.image ? null : tile.image });
  }

  onKey(event) {
    const target = event.target;
    if (target.closest?.(".tkm-cell")) return this.onMapKey(event);
    if (this.picker.moved(event)) return event.preventDefault();
    if (!tileKey(this, event)) this.onPanelKey(event);
  }

  onPanelKey(event) {
    const asks = { a: "reset", 1: "choose", Escape: "stop" };
    if (asks[event.key]) this.done(event, () => this.ask(asks[event.key]));
  }

  onMapKey(event) {
    const to = this.map.moved(event.key, this.head);
    if (to)
      return this.done(event, () => {
        this.set({ head: to });
        this.paintMap();
        this.map.focus(to);
      });
    if (event.key === " " || event.key === "Enter") return this.done(event, () => this.toggle(this.head));
    const by = { "-": -0.1, "−": -0.1, "+": 0.1, "=": 0.1 }[event.key];
    if (!by) return this.onPanelKey(event);
    const s = Math.max(0, Math.min(2, Math.round(10 * ((this.strengthOf(this.head) ?? 1) + by)) / 10));
    this.done(event, () => this.change(this.head, s === 1 ? undefined : s));
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  const names = [
    "score",
    "text",
    "how",
    "effect",
    "by",
    "head",
    "pair",
    "image",
    "_off",
    "_layers",
    "_heads",
    "_map",
    "_map_words",
    "_map_of",
    "_sure",
    "_groups",
    "_facts",
    "_confusion",
    "_flips",
    "_sheet",
    "_curve",
    "_why",
    "_progress",
    "_work",
  ];
  const stop = keep(view, names, (on) => {
    view.root.addEventListener("click", (e) => view.onClick(e), on);
    for (const name of ["how", "effect", "score", "by"])
      view[name].addEventListener("change", () => view.set({ [name]: view[name].value }), on);
    view.text.addEventListener("change", () => view.set({ text: view.text.value }), on);
    view.strength.addEventListener(
      "input",
      () => {
        const s = Number(view.strength.value);
        view.change(view.head, s === 1 ? undefined : s);
      },
      on,
    );
    view.top.addEventListener("input", () => view.worst(Number(view.top.value)), on);
  });
  return () => {
    stop();
    view.flips.sheet.drop();
  };
}

export default { render };
