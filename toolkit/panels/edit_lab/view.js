// EditLab: α and β as dials and as a pad, the plane they move on, groups, the steps, what the edit did, who paid.

/** @import { GroupRow, Key, Pair, Place, Rgb, Stop } from "../base/types.d.ts" */
/** @import { Option } from "../base/controls.js" */
/** @import { Across, Up } from "./records.js" */
/** @import {
  BesideSent, EditFacts, EditWords, FoldedSent, Mistakes, NamedMeasures, SettingsSent, StrengthsSent, Ways
} from "./sent.d.ts" */

import { css } from "../base/colours.js";
import { labelled, offer } from "../base/controls.js";
import { brief, LogDial, Pad, told } from "../base/dials.js";
import { make, targetOf, write } from "../base/dom.js";
import { Finder } from "../base/finder.js";
import { Flips } from "../base/flips.js";
import { Frame } from "../base/frame.js";
import { GroupTable } from "../base/groups.js";
import { keep } from "../base/keep.js";
import { alike } from "../base/numbers.js";
import { Plane } from "../base/plane.js";
import { imageOf, tileKey } from "../base/tiles.js";
import { StepsCurve } from "./curve.js";
import { bandsOf, FrontsLegend } from "./fronts.js";
import { ACROSS, anyWeights, same, UP } from "./records.js";
import { spotsOf } from "./spots.js";
import { NONE, OtherStrengths, Strengths } from "./strengths.js";
import { verdicts } from "./verdict.js";
import { paintWords, pullsInWords } from "./words.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Pad, sliders: arrows", "α, β; shift: a decade"],
  ["Plane: arrows, Enter", "to a point, its edit"],
  ["o", "look at the other edit"],
  ["u, r", "undo, redo"],
  ["k", "keep"],
  ["f", "grid of this strategy"],
  ["F", "fronts of all strategies"],
  ["1", "choose heads"],
  ["Escape", "stop"],
  ["?", "this list"],
];
const STRATEGIES = [
  "diagonal",
  "strengths",
  "strengths all",
  "directions 2",
  "class vectors",
  "rank 1",
  "rank 4",
  "rank 16",
  "full",
];
const PAINTED_FROM = [
  "alpha",
  "beta",
  "steps",
  "strategy",
  "beside",
  "scale",
  "nonnegative",
  "pair",
  "image",
  "_chosen",
  "_typed",
  "_pairs",
  "_facts",
  "_shown",
  "find",
  "rank",
  "_groups",
  "_groups_words",
  "_told",
  "_point",
  "_hold",
  "_strengths",
  "_other",
  "_trail",
  "_folds",
  "_folded",
  "_front",
  "_fronts",
  "_marks",
  "_curve",
  "_words",
  "_other_words",
  "_against",
  "_flips",
  "_sheet",
  "_names",
  "_can",
  "_work",
  "_planes",
  "_note",
];

/**
 * Options that are called what they are.
 * @param {string[]} names
 * @returns {Option[]}
 */
const byName = (names) => names.map((name) => [name, name]);

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tked", KEYS);
    this.body.classList.add("tkl");
    /** @type {unknown[]} what the plane was painted from */
    this.planeKey = [];
    /** @type {EditWords | undefined} what is said of the edit */
    this.said = undefined;
    /** @type {EditWords | undefined} and of a kept one beside it */
    this.saidBeside = undefined;
    this.undo = this.tool("↶", "Undo");
    this.redo = this.tool("↷", "Redo");
    this.keep = this.tool("keep", "Keep this edit");
    const side = make("div", "tkl-side", this.body);
    this.alpha = new LogDial(side, "α", "success", (alpha) => this.set({ alpha }));
    this.beta = new LogDial(side, "β", "locality", (beta) => this.set({ beta }));
    this.ratio = make("div", "tkl-soft", side);
    this.pad = new Pad(side, (alpha, beta) => this.set({ alpha, beta }));
    const steps = make("label", "tkl-label", side);
    this.stepsName = make("span", "", steps);
    const range = { type: "range", min: "0", max: "1000", step: "10", "aria-label": "steps" };
    this.steps = make("input", "", steps, range);
    this.strategy = this.list(side, "strategy", byName(STRATEGIES));
    this.beside = this.list(side, "beside it", byName(STRATEGIES));
    this.swap = this.button(side, "⇄ look at the other");
    this.scale = this.list(side, "logit scale", []);
    this.floor = make("label", "tkl-label tked-check", side);
    this.nonnegative = make("input", "", this.floor, { type: "checkbox" });
    this.floor.append(" keep θ ≥ 0");
    this.pair = this.list(side, "mistakes", []);
    const heads = labelled(side, "heads success learns to do without");
    const typed = { rows: "2", "aria-label": "Heads", placeholder: "L3.H7", maxlength: "4000" };
    this.typed = make("textarea", "", heads, typed);
    const line = make("div", "tkl-line", side);
    this.choose = this.button(line, "choose heads");
    this.take = this.button(line, "take selected");
    const main = make("div", "tkl-main", this.body);
    const top = make("div", "tked-top", main);
    this.plane = new Plane(make("div", "", top));
    const right = make("div", "tked-right", top);
    const pictures = make("div", "tkl-line tked-pictures", right);
    this.curve = new StepsCurve(pictures);
    this.strengths = new Strengths(this, pictures, (hold) => this.set({ _hold: hold }));
    this.otherStrengths = new OtherStrengths(this, this.strengths.column);
    const axes = make("div", "tkl-line", right);
    this.x = this.list(axes, "across", Object.entries(ACROSS));
    this.y = this.list(axes, "up", Object.entries(UP));
    this.fill = this.button(axes, "fill the frontier");
    this.fill.title = "solve the grid of α and β of the strategy looked at: its points lead to their edits";
    this.folding = this.button(axes, "measure folded");
    this.folding.title = "run the held-out images through the model with these strengths in its weights";
    this.fronts = new FrontsLegend(this, right);
    this.verdict = make("div", "tked-verdict", main, { "aria-live": "polite" });
    this.finder = new Finder(main, this.get("_ranks"), "groups", " by name");
    this.groups = new GroupTable(main);
    this.told = make("div", "tkl-soft tked-wide", main);
    this.words = make("div", "tked-words", main);
    this.flips = new Flips(this, main);
  }

  /**
   * A list with its name before it.
   * @param {Element} parent
   * @param {string} words
   * @param {Option[]} options
   */
  list(parent, words, options) {
    const select = make("select", "", labelled(parent, `${words} `), { "aria-label": words });
    offer(select, options);
    return select;
  }

  // what the model holds

  /** @returns {EditFacts} */
  get facts() {
    return this.get("_facts");
  }

  /** @returns {SettingsSent} what an edit would be made for now */
  get settings() {
    const strategy = this.get("strategy");
    return {
      alpha: this.get("alpha"),
      beta: this.get("beta"),
      steps: this.get("steps"),
      strategy,
      scale: this.get("scale"),
      nonnegative: this.get("nonnegative") && strategy === "diagonal", // θ ≥ 0 is for the diagonal alone
      heads: this.get("_chosen"),
      pair: this.get("pair"),
      hold: this.get("_hold"),
    };
  }

  /** @returns {BesideSent | undefined} the edit beside, where there is one */
  get other() {
    const other = this.get("_other");
    return this.get("beside") && other.of ? other : undefined;
  }

  /** Whether the edit that is shown was made for other settings. */
  get isOther() {
    return !same(this.get("_shown"), this.settings);
  }

  /** @returns {GroupRow[]} with what the folded model makes of them, where it is of the edit shown */
  get rows() {
    /** @type {GroupRow[]} */
    const rows = this.get("_groups");
    /** @type {Partial<FoldedSent>} empty while nothing is known */
    const { of, after } = this.get("_folded");
    const isFolded = after && same(of, this.get("_shown"));
    const { other } = this;
    return rows.map((row) => ({
      ...row,
      ...(isFolded && { folded: after[row.name] }),
      ...(other?.rows[row.name] && { beside: other.rows[row.name] }),
    }));
  }

  /** @param {string} part */
  works(part) {
    return this.get("_work").includes(part);
  }

  // paint

  paint() {
    this.paintFrame();
    /** @type {Rgb[]} */
    const palette = this.get("_palette")[this.theme];
    this.root.style.setProperty("--tk-after", css(palette[2]));
    this.paintDials();
    this.paintSettings();
    this.paintPairs();
    if (this.active !== this.typed) this.typed.value = this.get("_typed");
    this.paintPlane();
    this.curve.paint(this.get("_curve"));
    this.paintStrengths(palette);
    this.paintVerdict();
    const looked = this.other ? this.get("strategy") : "after";
    this.groups.paint(this.rows, "group", "before", looked, this.get("beside"));
    const words = this.get("_groups_words");
    this.finder.paint(Boolean(words), this.get("find"), this.get("rank"), words, this.active);
    this.paintTold();
    this.paintWords();
    this.flips.paint(this.get("_flips"), this.get("_sheet"), this.get("image"), this.get("_against"));
    this.paintStale();
    this.paintTools();
    this.painted();
  }

  paintDials() {
    const alpha = this.get("alpha");
    const beta = this.get("beta");
    this.alpha.paint(alpha);
    this.beta.paint(beta);
    this.pad.paint(alpha, beta);
    let words = "";
    if (!alpha && !beta) words = "Cross-entropy alone: standard fine-tuning. ";
    else if (alpha && beta) {
      const ratio = alpha >= beta ? `${brief(alpha / beta)} : 1` : `1 : ${brief(beta / alpha)}`;
      words = `α : β = ${ratio}. `;
    }
    /** @type {EditWords} */
    const { pulls } = this.get("_words");
    write(this.ratio, words + (pulls ? `Pull: ${pullsInWords(pulls)}.` : ""));
  }

  paintSettings() {
    this.steps.value = this.get("steps");
    const steps = `${this.get("steps")} steps`;
    this.stepsName.textContent = steps;
    this.steps.setAttribute("aria-valuetext", steps);
    const strategy = this.get("strategy");
    offer(this.strategy, byName([...new Set([...STRATEGIES, strategy])]));
    this.strategy.value = strategy;
    const beside = this.get("beside");
    offer(this.beside, this.besides(strategy, beside));
    this.beside.value = beside;
    this.swap.hidden = !beside;
    /** @type {number | null} null: the checkpoint's */
    const scale = this.get("scale");
    /** @type {Option[]} */
    const scales = [
      ["", `checkpoint's ${brief(this.facts.scale || 0)}`],
      ["1", "1 (R25, as we read it)"],
    ];
    if (scale && scale !== 1) scales.push([String(scale), told(scale)]);
    offer(this.scale, scales);
    this.scale.value = scale === null ? "" : String(scale);
    this.nonnegative.checked = this.get("nonnegative");
    this.floor.hidden = strategy !== "diagonal";
  }

  /**
   * What may stand beside the edit looked at.
   * @param {string} strategy of that one
   * @param {string} beside what stands there now
   * @returns {Option[]}
   */
  besides(strategy, beside) {
    /** @type {NamedMeasures[]} */
    const kept = this.get("_names");
    const names = STRATEGIES.filter((one) => one !== strategy);
    if (beside && !kept.some(({ name }) => name === beside)) names.push(beside);
    /** @type {Option[]} */
    const ofKept = kept.map(({ name }) => [name, `${name} (kept)`]);
    return [["", "nothing"], ...ofKept, ...byName([...new Set(names)])];
  }

  /**
   * Of the edit that is looked at, where it has strengths, else of the one beside.
   * @param {Rgb[]} palette
   */
  paintStrengths(palette) {
    /** @type {StrengthsSent} */
    const own = this.get("_strengths");
    const { other } = this;
    const isOwn = own.heads.length > 0 || !other;
    const [shown, of] = isOwn
      ? [own, this.get("strategy")]
      : [other.strengths, `${this.get("beside")}, beside it`];
    this.strengths.paint(shown, this.get("_hold"), of, this.facts.heads, palette);
    const second = isOwn && this.other ? this.other.strengths : NONE;
    this.otherStrengths.paint(second, this.get("beside"), this.facts.heads, palette);
  }

  paintVerdict() {
    this.verdict.replaceChildren();
    for (const [name, words] of verdicts(
      this.rows,
      this.get("strategy"),
      this.get("beside"),
      this.get("_marks"),
    )) {
      const line = make("div", "", this.verdict);
      make("b", "", line).textContent = `${name}: `;
      line.append(words);
    }
  }

  paintPairs() {
    const pairs = this.pairs;
    const all = pairs.reduce((sum, { n }) => sum + n, 0);
    /** @type {Option[]} */
    const options = pairs.map(({ pair: [truth, guess], n }, i) => [String(i), `${truth} → ${guess} (${n})`]);
    offer(this.pair, [["", `all ${all}`], ...options]);
    /** @type {Pair | null} */
    const chosen = this.get("pair");
    this.pair.value = chosen ? String(pairs.findIndex(({ pair }) => alike(pair, chosen))) : "";
  }

  /** @returns {Mistakes[]} */
  get pairs() {
    return this.get("_pairs");
  }

  paintPlane() {
    const x = /** @type {Across} */ (this.x.value);
    const y = /** @type {Up} */ (this.y.value);
    const made = ["_front", "_fronts", "_trail", "_marks", "_names", "_point", "_other"].map((name) =>
      this.get(name),
    );
    const settings = JSON.stringify(anyWeights(this.settings));
    const looked = [this.get("strategy"), this.get("beside")];
    const seen = { fronts: this.get("_fronts"), x, y, settings: this.settings, looked };
    this.fronts.node.hidden = !this.facts.others;
    this.fronts.paint(seen, this.get("_marks"), this.works("fronts"));
    const key = [x, y, ...made, this.theme, this.isOther, settings];
    if (key.every((part, i) => part === this.planeKey[i])) return;
    this.planeKey = key;
    const spots = spotsOf({
      x,
      y,
      front: this.get("_front"),
      visits: this.get("_trail"),
      marks: this.get("_marks"),
      kept: this.get("_names"),
      point: this.get("_point"),
      other: this.other?.point,
      beside: this.get("beside"),
      planes: this.get("_planes"),
      settings: this.settings,
      isOther: this.isOther,
      go: (place) => this.ask("go", place),
      swap: () => this.ask("swap"),
    });
    this.plane.paint(spots, { x: ACROSS[x], y: UP[y] }, bandsOf(seen));
  }

  /** What the edit is measured on and made from. */
  paintTold() {
    const { n, split, own, made, made_split: from, used, left } = this.facts;
    const usedWords = used ? `; ${used} it is made from left out` : "";
    const leftWords = left ? `; ${left} with other labels left out` : "";
    const where = own
      ? `the ${made} images the edit is made from: hold others out`
      : `n = ${n}, split ${split}${usedWords}${leftWords}`;
    const measured = `Measured on ${where}; made from ${made} images, split ${from}.`;
    const error = this.other?.error && `${this.get("beside")}: ${this.other.error}`;
    write(this.told, [this.get("_note"), error, ...this.get("_told"), measured].filter(Boolean).join(" · "));
  }

  paintWords() {
    /** @type {EditWords} */
    const said = this.get("_words");
    /** @type {EditWords} empty unless a kept edit stands beside */
    const beside = this.get("_other_words");
    if (said === this.said && beside === this.saidBeside) return;
    this.said = said;
    this.saidBeside = beside;
    paintWords(this.words, said, beside, this.get("strategy"), this.get("beside"));
  }

  /** Fade what belongs to other settings. */
  paintStale() {
    const other = this.works("solve") || this.isOther;
    const otherCurve = !same(this.get("_curve").of, this.settings);
    /** @type {(nodes: Element[], stale: boolean) => void} */
    const fade = (nodes, stale) => {
      for (const node of nodes) node.classList.toggle("tk-stale", stale);
    };
    fade([this.groups.node, this.verdict, this.strengths.map.node, this.told], other);
    fade([this.words, this.ratio, this.curve.node], other || this.works("words") || otherCurve);
    fade(this.flips.nodes, other || this.works("flips"));
    this.keep.disabled = other;
  }

  paintTools() {
    /** @type {Ways} */
    const { undo, redo } = this.get("_can");
    this.undo.disabled = !undo;
    this.redo.disabled = !redo;
    const { length } = this.get("_names");
    write(this.keep, length ? `keep (${length} kept)` : "keep");
    this.fill.disabled = this.works("fill") || !this.facts.others;
    this.folding.hidden = !this.get("_folds");
    this.folding.disabled = this.works("folded") || this.isOther;
    const asked = this.get("_work").filter((/** @type {string} */ part) => part !== "fronts");
    this.root.setAttribute("aria-busy", String(asked.length > 0));
  }

  // what the user does

  /**
   * @param {string} what
   * @param {Record<string, unknown>} more
   */
  ask(what, more = {}) {
    this.asker.ask({ do: what, ...more });
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = targetOf(event);
    if (target === this.undo) this.ask("undo");
    else if (target === this.redo) this.ask("redo");
    else if (target === this.keep) this.ask("keep");
    else if (target === this.choose) this.ask("choose");
    else if (target === this.take) this.ask("take");
    else if (target === this.fill) this.ask("fill");
    else if (target === this.fronts.button) this.ask("fronts");
    else if (target === this.folding) this.ask("folded");
    else if (target === this.swap) this.ask("swap");
    else this.onImageClick(target);
  }

  /** @param {HTMLElement} target */
  onImageClick(target) {
    const image = imageOf(target);
    if (image !== undefined) this.set({ image: this.get("image") === image ? null : image });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const inPlane = targetOf(event) === this.plane.node;
    if (this.pad.key(event, this.get("alpha"), this.get("beta"))) event.preventDefault();
    else if (inPlane && this.plane.key(event)) event.preventDefault();
    else if (this.strengths.key(event) || this.otherStrengths.key(event)) event.preventDefault();
    else if (!tileKey(this, event)) this.onPanelKey(event);
  }

  /** @param {KeyboardEvent} event */
  onPanelKey(event) {
    /** @type {Record<string, {what: string, button: HTMLButtonElement}>} */
    const asks = {
      u: { what: "undo", button: this.undo },
      r: { what: "redo", button: this.redo },
      k: { what: "keep", button: this.keep },
      o: { what: "swap", button: this.swap },
      f: { what: "fill", button: this.fill },
      F: { what: "fronts", button: this.fronts.button },
      1: { what: "choose", button: this.choose },
    };
    if (event.key === "Escape") {
      this.done(event, () => this.ask("stop"));
      return;
    }
    const found = asks[event.key];
    if (found && !found.button.disabled && !found.button.hidden) this.done(event, () => this.ask(found.what));
  }

  /** @param {string} index of the list of mistakes; "" for all */
  choosePair(index) {
    this.set({ pair: index ? this.pairs[Number(index)].pair : null });
  }
}

/**
 * @param {Place} place
 * @returns {Stop}
 */
function render({ model, el }) {
  const view = new View(model, el);
  const stop = keep(view, PAINTED_FROM, (on) => {
    view.root.addEventListener("click", (event) => view.onClick(event), on);
    for (const part of [view.alpha, view.beta, view.pad, view.plane]) part.listen(on);
    const { steps, strategy, scale, nonnegative, pair, typed } = view;
    view.finder.listen(view, on);
    steps.addEventListener("input", () => view.set({ steps: Number(steps.value) }), on);
    strategy.addEventListener("change", () => view.set({ strategy: strategy.value }), on);
    view.beside.addEventListener("change", () => view.set({ beside: view.beside.value }), on);
    view.strengths.listen(on);
    scale.addEventListener("change", () => view.set({ scale: scale.value ? Number(scale.value) : null }), on);
    nonnegative.addEventListener("change", () => view.set({ nonnegative: nonnegative.checked }), on);
    pair.addEventListener("change", () => view.choosePair(pair.value), on);
    const send = () => view.set({ _typed: typed.value });
    typed.addEventListener("change", send, on);
    typed.addEventListener("keydown", (event) => event.key === "Enter" && view.done(event, send), on);
    for (const axis of [view.x, view.y]) axis.addEventListener("change", () => view.paintPlane(), on);
  });
  return () => {
    stop();
    view.flips.sheet.drop();
  };
}

export default { render };
