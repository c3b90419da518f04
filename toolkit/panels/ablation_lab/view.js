// AblationLab: an error, a map of heads to switch off, every group before and after, the images that flipped.

/** @import { ErrorsSent, Head, Key, Pair, Place, Rgb, Score, Stop } from "../base/types.d.ts" */
/** @import { MapOf, Off, OffFacts, OrderCurveSent, Sure } from "./sent.d.ts" */

import { css } from "../base/colours.js";
import { choice, labelled } from "../base/controls.js";
import { ErrorPicker, errorsWords } from "../base/confusion.js";
import { floats, make, targetOf } from "../base/dom.js";
import { Finder } from "../base/finder.js";
import { Flips } from "../base/flips.js";
import { Frame } from "../base/frame.js";
import { GroupTable } from "../base/groups.js";
import { keep } from "../base/keep.js";
import { HeadMap } from "../base/map.js";
import { alike, points, short, whole, within } from "../base/numbers.js";
import { imageOf, tileKey } from "../base/tiles.js";
import { Steps } from "./steps.js";
import { offerScores, scaleEnd, scoreNamed } from "../base/scores.js";
import "./style.css";

/** @type {Key[]} */
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
/** @type {Record<string, string>} what of a head's output takes its place */
const REPLACEMENTS = {
  zero: "zero-ablation",
  mean: "mean over these images",
  resample: "other images' heads",
};
/** @type {Record<string, string>} */
const EFFECTS = { direct: "direct: in the sum", total: "total: run again" };
/** @type {Record<string, string>} what Algorithm 1 chooses by */
const CRITERIA = {
  validation: "validation images",
  utility: "utility U",
  balanced: "balanced U",
  accuracy: "accuracy",
  worst_group: "worst group",
  group_mean: "mean of groups",
};
const PAINTED_FROM = [
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
  "_pointed",
  "_map_words",
  "_map_of",
  "_scores",
  "_sure",
  "find",
  "rank",
  "_groups",
  "_groups_words",
  "_facts",
  "_confusion",
  "_flips",
  "_sheet",
  "_curve",
  "_why",
  "_work",
];
const STRONGEST = 2;

/**
 * A strength on a cell, in which two digits fit.
 * @param {number} strength
 */
const onCell = (strength) => (strength ? String(Number(strength.toFixed(2))).replace(/^0/, "") : "×");

/**
 * Whether the same heads, in the same order, have the same strengths.
 * @param {Off[]} some
 * @param {Off[]} others
 */
const alikeOff = (some, others) =>
  some.length === others.length &&
  some.every((one, i) => alike(one.head, others[i].head) && one.strength === others[i].strength);

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkab", KEYS);
    this.body.classList.add("tkl");
    this.how = choice(null, "What takes a head's place", Object.entries(REPLACEMENTS));
    this.effect = choice(null, "Which effect", Object.entries(EFFECTS));
    this.tools.insertBefore(this.how, this.help);
    this.tools.insertBefore(this.effect, this.help);
    this.reset = this.tool("all on", "Switch all heads on");
    const side = make("div", "tkl-side", this.body);
    this.score = choice(labelled(side, "Heads by "), "Score of the map", []);
    const text = {
      type: "text",
      placeholder: "a text, such as water",
      "aria-label": "The text",
      maxlength: "300",
    };
    this.text = make("input", "", side, text);
    this.map = new HeadMap(this, side);
    this.bar = make("div", "tkab-scale", side, { "aria-hidden": "true" });
    this.least = make("span", "", this.bar);
    make("span", "", this.bar).textContent = "0";
    this.most = make("span", "", this.bar);
    this.what = make("div", "tkl-soft", side);
    const strength = labelled(side, "");
    this.name = make("span", "", strength);
    this.strength = make("input", "", strength, { type: "range", min: "0", max: STRONGEST, step: "0.05" });
    this.now = make("div", "tkl-soft", side);
    const algorithm = labelled(side, "Algorithm 1 by ");
    /** @type {string[]} */
    const criteria = this.get("_criteria");
    const named = criteria.map((name) => /** @type {[string, string]} */ ([name, CRITERIA[name]]));
    this.by = choice(algorithm, "Criterion of Algorithm 1", named);
    this.choose = this.button(algorithm, "choose");
    this.why = make("div", "tkl-soft", side, { "aria-live": "polite" });
    const main = make("div", "tkl-main", this.body);
    this.finder = new Finder(main, this.get("_ranks"));
    this.picker = new ErrorPicker(main);
    this.groups = new GroupTable(main);
    this.steps = new Steps(main);
    this.flips = new Flips(this, main);
  }

  // what the model holds

  /** @returns {Head} */
  get head() {
    return this.get("head");
  }

  /** @returns {Off[]} in the order in which they were switched off */
  get off() {
    return this.get("_off");
  }

  /**
   * A score that can be chosen, by name.
   * @param {string} name
   * @returns {Score}
   */
  scoreOf(name) {
    return scoreNamed(this.get("_scores"), name);
  }

  /** @returns {Partial<MapOf>} what the map that is there was made for; empty while there is none */
  get mapOf() {
    return this.get("_map_of");
  }

  /** @returns {OffFacts} */
  get facts() {
    return this.get("_facts");
  }

  /** The score of the map that is there; while there is none, of the one that is asked for. */
  get shownScore() {
    return this.scoreOf(this.mapOf.score ?? this.get("score"));
  }

  /**
   * The strength of a head; undefined: as it is.
   * @param {Head} head
   */
  strengthOf(head) {
    return this.off.find((one) => alike(one.head, head))?.strength;
  }

  /** @param {string} part */
  works(part) {
    return this.get("_work").includes(part);
  }

  /** Whether the groups that are shown were worked out for something else. */
  get isOtherOutcome() {
    const { shown } = this.facts;
    if (!shown || shown.how !== this.get("how") || shown.effect !== this.get("effect")) return true;
    return !alikeOff(shown.off, this.off);
  }

  /** Whether the map that is there was made for something else. */
  get isOtherMap() {
    const { score, pair = null, how, text } = this.mapOf;
    if (score !== this.get("score") || how !== this.get("how") || text !== this.get("text")) return true;
    return !alike(pair, this.get("pair"));
  }

  // paint

  paint() {
    this.paintFrame();
    /** @type {Rgb[]} */
    const palette = this.get("_palette")[this.theme];
    this.root.style.setProperty("--tk-after", css(palette[2]));
    this.how.value = this.get("how");
    this.effect.value = this.get("effect");
    offerScores(this.score, this.get("_scores"));
    this.score.value = this.get("score");
    this.by.value = this.get("by");
    if (this.active !== this.text) this.text.value = this.get("text");
    this.paintMap();
    const { facts } = this;
    /** @type {ErrorsSent} */
    const errors = this.get("_confusion");
    if (errors.names.length || errors.rows) this.picker.paint(errors, this.get("pair"));
    const listed = [errorsWords(errors), this.get("_groups_words")].filter(Boolean).join("; ");
    this.finder.paint(Boolean(listed), this.get("find"), this.get("rank"), listed, this.active);
    this.groups.paint(this.get("_groups"), facts.groups ? "group" : "class");
    this.steps.paint(this.get("_curve"), this.shownScore.label, this.off);
    this.flips.paint(this.get("_flips"), this.get("_sheet"), this.get("image"));
    this.effect.options[1].disabled = !facts.live;
    this.why.textContent = this.get("_why");
    this.paintStale();
    this.root.setAttribute("aria-busy", String(this.get("_work").length > 0));
    this.painted();
  }

  paintMap() {
    const values = floats(this.get("_map"));
    /** @type {Rgb[]} */
    const palette = this.get("_palette")[this.theme];
    const most = scaleEnd(values);
    const { text = "" } = this.mapOf;
    const { label, unit, takes_text: takesText } = this.shownScore;
    /** @param {number} value */
    const say = (value) => (unit === "points" ? `${points(value)} points` : short(value));
    this.map.shape(this.get("_layers"), this.get("_heads"));
    const strengths = new Map(this.off.map(({ head, strength }) => [String(head), strength]));
    /** @param {number} i */
    const strengthAt = (i) => strengths.get(String(this.map.at[i]));
    /** @param {number} i */
    const place = (i) => (Number.isFinite(values[i]) ? 0.5 + values[i] / most / 2 : 0.5);
    /** @param {number} i */
    const words = (i) => {
      const strength = strengthAt(i);
      const value = `${label} ${say(values[i])}`;
      if (strength === undefined) return value;
      return strength ? `${value}, strength ${strength}` : `${value}, off`;
    };
    this.map.paint(this.head, palette, place, words, (cell, i) => {
      const strength = strengthAt(i);
      cell.dataset.s = strength === undefined ? "" : onCell(strength);
      cell.classList.toggle("tkab-off", strength !== undefined); // its name says it: a cell of a grid cannot be pressed
    });
    this.map.node.setAttribute("aria-label", `heads by ${label}`);
    this.bar.style.backgroundImage = `linear-gradient(to right, ${palette.map(css).join(", ")})`;
    this.least.textContent = `needed ${values.some((value) => value < -most) ? "≤ " : ""}${say(-most)}`;
    this.most.textContent = `${say(most)} guilty`;
    this.paintWords(values, takesText ? text : "");
    this.paintStrength();
  }

  /**
   * What the map shows, and what is known of the head.
   * @param {Float32Array} values
   * @param {string} text along which the map is
   */
  paintWords(values, text) {
    /** @type {Sure} */
    const { low = [], high = [], steady = [], sizes, top } = this.get("_sure");
    const along = text ? ` (“${text}”)` : "";
    this.what.textContent = `${this.get("_map_words")}${along} ${sizes ? `${sizes}.` : ""}`;
    const at = this.map.indexOf(this.head);
    this.now.textContent = "";
    if (!sizes || at < 0) return;
    const interval = `${short(values[at])} [${short(low[at])}, ${short(high[at])}]`;
    this.now.textContent = `${interval}, among the worst ${top} in ${whole(steady[at])} of resamples`;
  }

  paintStrength() {
    this.text.hidden = !this.scoreOf(this.get("score")).takes_text;
    const [layer, head] = this.head;
    const strength = this.strengthOf(this.head);
    let words = "as it is";
    if (strength === 0) words = "off";
    else if (strength !== undefined) words = strength.toFixed(2);
    const meant = this.get("_pointed") || strength !== undefined; // where the keyboard begins, nobody has pointed
    this.name.textContent = meant
      ? `Strength of L${layer}.H${head}: ${words}`
      : "Strength: choose a head in the map";
    this.strength.disabled = !meant;
    this.strength.value = String(strength ?? 1);
    this.strength.setAttribute("aria-valuetext", this.name.textContent);
  }

  /** Fade what belongs to other settings. */
  paintStale() {
    const other = this.works("outcome") || this.isOtherOutcome;
    const old = this.works("map") || this.isOtherMap;
    /** @type {(nodes: Element[], stale: boolean) => void} */
    const fade = (nodes, stale) => {
      for (const node of nodes) node.classList.toggle("tk-stale", stale);
    };
    fade([this.groups.node, this.picker.node], other);
    fade(this.flips.nodes, other || this.works("flips"));
    fade([this.map.node, this.steps.curve, this.what, this.now], old);
    this.steps.slider.disabled = old;
  }

  // what the user does

  /**
   * @param {Head} head
   * @param {number | undefined} strength undefined: as it is
   */
  change(head, strength) {
    const { off } = this;
    const at = off.findIndex((one) => alike(one.head, head));
    const rest = off.filter((one) => !alike(one.head, head));
    if (strength !== undefined) rest.splice(at < 0 ? rest.length : at, 0, { head, strength });
    this.set({ head, _pointed: true, _off: rest });
    this.paintMap();
  }

  /** @param {Head} head */
  toggle(head) {
    this.change(head, this.strengthOf(head) === undefined ? 0 : undefined);
  }

  /**
   * The worst heads of the map off, and no others.
   * @param {number} n
   */
  worst(n) {
    /** @type {OrderCurveSent} */
    const { order } = this.get("_curve");
    /** @type {Off[]} */
    const off = order.slice(0, n).map((head) => ({ head, strength: 0 }));
    this.set({ _off: off });
  }

  /** @param {string} what */
  ask(what) {
    this.asker.ask({ do: what });
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = targetOf(event);
    if (target === this.choose) this.ask("choose");
    else if (target === this.reset) this.ask("reset");
    else this.onClickAt(target);
  }

  /** @param {HTMLElement} target */
  onClickAt(target) {
    const pair = this.picker.clicked(target);
    if (pair !== undefined) {
      this.choosePair(pair);
      return;
    }
    const head = this.map.headOf(target);
    if (head) {
      /** @type {HTMLElement | null} */ (target.closest(".tkm-cell"))?.focus();
      this.toggle(head);
      return;
    }
    const step = this.steps.stepOf(target);
    if (step !== undefined) {
      this.worst(step);
      return;
    }
    const image = imageOf(target);
    if (image !== undefined) this.set({ image: this.get("image") === image ? null : image });
  }

  /** @param {Pair | null} pair the same again: all mistakes */
  choosePair(pair) {
    const again = pair && alike(pair, this.get("pair"));
    this.set({ pair: again ? null : pair });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (this.map.headOf(targetOf(event))) this.onMapKey(event);
    else if (this.picker.moved(event)) event.preventDefault();
    else if (!tileKey(this, event)) this.onPanelKey(event);
  }

  /** @param {KeyboardEvent} event */
  onPanelKey(event) {
    /** @type {Record<string, string>} */
    const asks = { a: "reset", 1: "choose", Escape: "stop" };
    const what = asks[event.key];
    if (what) this.done(event, () => this.ask(what));
  }

  /** @param {KeyboardEvent} event */
  onMapKey(event) {
    const to = this.map.moved(event.key, this.head);
    if (to) this.done(event, () => this.go(to));
    else if (event.key === " " || event.key === "Enter") this.done(event, () => this.toggle(this.head));
    else if (event.key === "-" || event.key === "−") this.done(event, () => this.turn(-1));
    else if (event.key === "+" || event.key === "=") this.done(event, () => this.turn(1));
    else this.onPanelKey(event);
  }

  /** @param {Head} head */
  go(head) {
    this.set({ head, _pointed: true });
    this.paintMap();
    this.map.focus(head);
  }

  /**
   * The head a tenth weaker or stronger.
   * @param {1 | -1} by
   */
  turn(by) {
    const now = this.strengthOf(this.head) ?? 1;
    this.strengthen(within(Math.round(10 * (now + by / 10)) / 10, 0, STRONGEST));
  }

  /** @param {number} strength of the head; 1 is as it is */
  strengthen(strength) {
    this.change(this.head, strength === 1 ? undefined : strength);
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
    view.how.addEventListener("change", () => view.set({ how: view.how.value }), on);
    view.effect.addEventListener("change", () => view.set({ effect: view.effect.value }), on);
    view.score.addEventListener("change", () => view.set({ score: view.score.value }), on);
    view.finder.listen(view, on);
    view.by.addEventListener("change", () => view.set({ by: view.by.value }), on);
    view.text.addEventListener("change", () => view.set({ text: view.text.value }), on);
    view.strength.addEventListener("input", () => view.strengthen(Number(view.strength.value)), on);
    view.steps.slider.addEventListener("input", () => view.worst(Number(view.steps.slider.value)), on);
  });
  return () => {
    stop();
    view.flips.sheet.drop();
  };
}

export default { render };
