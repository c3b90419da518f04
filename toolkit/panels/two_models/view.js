// TwoModels: groups, images whose answer differs, heads and token maps of two models, each on one scale.

/** @import { Bytes, Cell, Head, Key, Look, PatchMap, Place, Rgb, Stop } from "../base/types.d.ts" */

import { css } from "../base/colours.js";
import { choice, labelled } from "../base/controls.js";
import { floats, make, targetOf, write } from "../base/dom.js";
import { Finder } from "../base/finder.js";
import { Flips } from "../base/flips.js";
import { Frame } from "../base/frame.js";
import { GroupTable } from "../base/groups.js";
import { keep } from "../base/keep.js";
import { HeadMap } from "../base/map.js";
import { short } from "../base/numbers.js";
import { Pane } from "../base/patches.js";
import { imageOf, tileKey } from "../base/tiles.js";
import { offerScores, scaleEnd, scoreNamed } from "../base/scores.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Map: arrows, click", "to a head"],
  ["Thumbnails: arrows, Enter", "an image to look at"],
  ["?", "show or hide this list"],
];
const PAINTED_FROM = [
  "score",
  "pair",
  "image",
  "text",
  "against",
  "_names",
  "_of",
  "_maps",
  "_scores",
  "_map_words",
  "_facts",
  "find",
  "rank",
  "_groups",
  "_groups_words",
  "_flips",
  "_sheet",
  "_a",
  "_b",
  "_picture",
  "_head",
  "_work",
];
const NOTHING =
  "Nothing to compare with yet: solve an edit, or name a second model (other=, in an explorer second=).";

/**
 * @typedef {object} ModelNames
 * @property {string} first
 * @property {string} second
 */

/**
 * @typedef {object} HeadTable one model's map of heads, as Python sends it
 * @property {string} name of the model
 * @property {Bytes} values
 * @property {number[]} layers
 * @property {number} heads
 * @property {string} kind the score
 * @property {ModelNames} of what both models were called when it was worked out
 */

/**
 * The largest of what there is, in size.
 * @param {Iterable<number>} values
 */
function sizeOf(values) {
  let most = 0;
  for (const value of values) {
    if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
  }
  return most;
}

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tk2m", KEYS);
    this.body.classList.add("tkl");
    /** No patch can be pinned or pointed at here. */
    this.pinned = /** @type {Cell | null} */ (null);
    this.pointed = /** @type {Cell | null} */ (null);
    this.empty = make("div", "tk2m-empty", this.body);
    this.main = make("div", "tkl-main", this.body);
    this.finder = new Finder(this.main, this.get("_ranks"), "groups", " by name");
    this.groups = new GroupTable(this.main);
    this.flips = new Flips(this, this.main);
    this.score = choice(labelled(this.main, "Heads by "), "Score of the maps", []);
    const maps = make("div", "tk2m-two", this.main);
    this.maps = [this.buildMap(maps), this.buildMap(maps)];
    this.scale = make("div", "tkl-soft", this.main);
    const looks = make("div", "tk2m-look", this.main);
    this.text = this.field(looks, "text");
    this.against = this.field(looks, "minus");
    this.what = make("div", "tkl-soft", this.main, { role: "status" });
    const panes = make("div", "tk2m-two", this.main);
    this.panes = [new Pane(this, panes), new Pane(this, panes)];
  }

  /** @param {Element} parent */
  buildMap(parent) {
    const box = make("div", "", parent);
    const heading = make("div", "tk2m-name", box);
    const map = new HeadMap(this, box);
    const none = make("div", "tkl-soft", box);
    return { box, heading, map, none };
  }

  /**
   * @param {Element} parent
   * @param {string} words
   */
  field(parent, words) {
    return make("input", "", labelled(parent, words, ""), { type: "text", maxlength: "600" });
  }

  /** @returns {Head} */
  get head() {
    return this.get("_head");
  }

  /** @returns {ModelNames} */
  get names() {
    return this.get("_names");
  }

  /**
   * Whether something was worked out for the models there are now.
   * @param {ModelNames} of
   */
  isOfThese({ first, second }) {
    return first === this.names.first && second === this.names.second;
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
    const there = this.get("_groups").length > 0;
    this.empty.hidden = there;
    write(this.empty, this.whyEmpty());
    this.main.hidden = !there;
    if (there) this.paintBoth(palette);
    this.root.setAttribute("aria-busy", String(this.get("_work").length > 0));
    this.painted();
  }

  whyEmpty() {
    const { second } = this.names;
    return second ? `Running ${second} …` : NOTHING;
  }

  /** @param {Rgb[]} palette */
  paintBoth(palette) {
    /** @type {ModelNames} */
    const of = this.get("_of");
    const { first, second } = of;
    this.groups.paint(this.get("_groups"), this.get("_facts").groups ? "group" : "class", first, second);
    const words = this.get("_groups_words");
    this.finder.paint(Boolean(words), this.get("find"), this.get("rank"), words, this.active);
    this.flips.paint(this.get("_flips"), this.get("_sheet"), this.get("image"));
    const stale = this.works("groups") || !this.isOfThese(of);
    for (const node of [this.groups.node, ...this.flips.nodes]) node.classList.toggle("tk-stale", stale);
    offerScores(this.score, this.get("_scores"));
    this.score.value = this.get("score");
    this.paintMaps(palette);
    if (this.active !== this.text) this.text.value = this.get("text");
    if (this.active !== this.against) this.against.value = this.get("against");
    this.paintLooks(palette);
  }

  /** @param {Rgb[]} palette */
  paintMaps(palette) {
    /** @type {HeadTable[]} */
    const both = this.get("_maps");
    const tables = both.map(({ values }) => (values.byteLength ? floats(values) : new Float32Array()));
    const most = scaleEnd(tables.flatMap((table) => [...table]));
    both.forEach((one, i) => {
      this.paintMap(i, one, tables[i], most, palette);
    });
    const range = `One scale for both: ${short(-most)} (needed) … ${short(most)} (guilty); what lies beyond has the colour of its end.`;
    write(this.scale, both.length ? `${range} ${this.get("_map_words")}` : "");
  }

  /**
   * @param {number} i which of the two
   * @param {HeadTable} sent
   * @param {Float32Array} values
   * @param {number} most the value at the end of the scale
   * @param {Rgb[]} palette
   */
  paintMap(i, { name, layers, heads, kind, of }, values, most, palette) {
    const { box, heading, map, none } = this.maps[i];
    const there = values.length > 0;
    const { label } = scoreNamed(this.get("_scores"), kind);
    write(heading, name);
    map.shape(layers, heads);
    map.node.hidden = !there;
    write(none, there ? "" : "makes no such mistake");
    if (there) {
      /** @param {number} at */
      const place = (at) => (Number.isFinite(values[at]) ? 0.5 + values[at] / most / 2 : 0.5);
      map.paint(this.head, palette, place, (at) => `${label} ${short(values[at])}`);
    }
    map.node.setAttribute("aria-label", `heads of ${name} by ${label}`);
    box.classList.toggle("tk-stale", this.works("maps") || !this.isOfThese(of));
  }

  /** @param {Rgb[]} palette */
  paintLooks(palette) {
    /** @type {PatchMap[]} */
    const maps = [this.get("_a"), this.get("_b")];
    const limit = Math.max(...maps.map(({ values }) => (values ? sizeOf(floats(values)) : 0))) || 1;
    const paper = getComputedStyle(this.root).getPropertyValue("--tk-paper");
    /** @type {Look} */
    const look = { opacity: 0.75, raw: false, wide: 260, paper };
    this.panes.forEach((pane, i) => {
      pane.paint(maps[i], this.get("_picture"), limit, palette, look);
      pane.canvas.setAttribute("role", "img");
      pane.canvas.tabIndex = -1;
      pane.node.classList.toggle("tk-stale", this.works("looks"));
    });
    const lacks = ["image", "text"]
      .filter((name) => !this.get(name))
      .map((name) => (name === "image" ? "an image" : "a text"));
    write(
      this.what,
      maps[0].values || !lacks.length ? "" : `Choose ${lacks.join(" and ")} to see where both look.`,
    );
  }

  // what the user does

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = targetOf(event);
    const head = this.maps.map(({ map }) => map.headOf(target)).find(Boolean);
    if (head) {
      /** @type {HTMLElement | null} */ (target.closest(".tkm-cell"))?.focus();
      this.set({ _head: head });
      return;
    }
    const image = imageOf(target);
    if (image !== undefined) this.set({ image: this.get("image") === image ? null : image });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { map } = this.maps.find((one) => one.map.node.contains(targetOf(event))) ?? {};
    if (!map) {
      tileKey(this, event);
      return;
    }
    const to = map.moved(event.key, this.head);
    if (!to) return;
    this.done(event, () => {
      this.set({ _head: to });
      this.paint();
      map.focus(to);
    });
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
    view.finder.listen(view, on);
    view.score.addEventListener("change", () => view.set({ score: view.score.value }), on);
    view.text.addEventListener("change", () => view.set({ text: view.text.value }), on);
    view.against.addEventListener("change", () => view.set({ against: view.against.value }), on);
  });
  return () => {
    stop();
    view.flips.sheet.drop();
  };
}

export default { render };
