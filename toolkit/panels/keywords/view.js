// Keywords: words of a mistake with bars and marks, the heads behind one of them, the images, and what can be done.

/** @import { Head, GroupRow, Key, Place, Rgb, Stop, Tile } from "../base/types.d.ts" */

import { css, rgbAt } from "../base/colours.js";
import { choice, labelled, offer } from "../base/controls.js";
import { floats, make, targetOf, write } from "../base/dom.js";
import { Frame } from "../base/frame.js";
import { GroupTable } from "../base/groups.js";
import { keep } from "../base/keep.js";
import { HeadMap } from "../base/map.js";
import { alike, within } from "../base/numbers.js";
import { SheetUrl } from "../base/sheet.js";
import { imageOf, paintTiles, tileKey } from "../base/tiles.js";
import { Bars } from "./bars.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Words: arrows, Enter, click", "choose a keyword"],
  ["Map: arrows, click", "choose a head"],
  ["a", "type keywords to add"],
  ["1, 2, 3", "try the keyword: as a pair, in the prompts, as groups"],
  ["?", "show or hide this list"],
];
const PAINTED_FROM = [
  "text",
  "image",
  "words",
  "_head",
  "_rows",
  "_facts",
  "_chosen",
  "_map",
  "_layers",
  "_heads",
  "_sheet",
  "_tried",
  "_work",
];

/**
 * @typedef {object} KeywordFacts what the list is of
 * @property {string} true
 * @property {string} predicted
 * @property {number} wrong
 * @property {number} right
 * @property {boolean} enough
 * @property {number} least
 * @property {boolean} circular
 * @property {number} between keywords that are not shown
 * @property {number} splits
 * @property {string} split
 * @property {string} bank
 * @property {string[]} notes
 */

/**
 * @typedef {object} KeywordChosen the keyword looked at
 * @property {string} text
 * @property {string} against
 * @property {number} score
 * @property {number} rest
 * @property {string[]} wrong
 * @property {string[]} right
 * @property {number} columns
 * @property {number} side
 */

/**
 * @typedef {object} KeywordTried
 * @property {string} use
 * @property {string} words
 * @property {string} code
 * @property {GroupRow[]} rows
 */

/**
 * A score with its sign: "+12.3".
 * @param {number} value
 */
const score = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

/**
 * @param {string} id
 * @returns {Tile}
 */
const tileOf = (id) => ({ id, title: id, label: id });

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkkw", KEYS);
    this.sheet = new SheetUrl();
    this.body.classList.add("tkl");
    const main = make("div", "tkkw-main", this.body);
    this.facts = make("div", "tkkw-facts", main, { role: "status" });
    this.bars = new Bars(this, main);
    const add = make("div", "tkkw-add", main);
    const hint = "add keywords, with commas: snow, at night";
    this.more = make("input", "", add, {
      type: "text",
      maxlength: "300",
      placeholder: hint,
      "aria-label": hint,
    });
    this.reset = this.button(add, "undo");
    const side = make("div", "tkkw-side", this.body);
    this.name = make("div", "tkkw-name", side);
    const maps = make("div", "tkkw-map", side);
    this.map = new HeadMap(this, maps);
    this.told = make("div", "tkkw-facts", maps);
    this.near = this.buildEnd(side, "wrong, nearest to it");
    this.far = this.buildEnd(side, "right, farthest from it");
    const uses = make("div", "tkkw-uses", side);
    const line = make("div", "tkl-line", uses);
    make("span", "tkkw-facts", line).textContent = "try the keyword";
    this.uses = Object.entries(this.get("_uses")).map(([use, words]) => {
      return { use, button: this.button(line, String(words)) };
    });
    const beside = labelled(line, "against ", "tkkw-facts");
    this.against = choice(beside, "the keyword it is paired with", []);
    this.tried = make("div", "tkkw-facts", uses, { role: "status" });
    this.groups = new GroupTable(uses);
    this.code = make("code", "tkkw-code", uses);
  }

  /**
   * @param {Element} parent
   * @param {string} words
   */
  buildEnd(parent, words) {
    const line = make("div", "tkkw-end", parent);
    make("span", "", line).textContent = words;
    return make("div", "tkm-thumbs", line, { role: "listbox", "aria-label": `images: ${words}` });
  }

  /** @returns {Partial<KeywordFacts>} empty at first */
  get list() {
    return this.get("_facts");
  }

  /** @returns {Partial<KeywordChosen>} empty at first */
  get chosen() {
    return this.get("_chosen");
  }

  /** @param {string} part */
  works(part) {
    return this.get("_work").includes(part);
  }

  /** @returns {Rgb[]} */
  get palette() {
    return this.get("_palette")[this.theme];
  }

  // paint

  paint() {
    this.paintFrame();
    const { palette } = this;
    this.root.style.setProperty("--tk-wrong-bar", css(rgbAt(palette, 0.86)));
    this.root.style.setProperty("--tk-right-bar", css(rgbAt(palette, 0.14)));
    this.root.style.setProperty("--tk-after", css(rgbAt(palette, 0.14)));
    this.paintFacts();
    const { text = "", against = "" } = this.chosen;
    this.bars.paint(this.get("_rows"), text, against, this.list.between ?? 0);
    this.bars.node.classList.toggle("tkkw-pale", this.list.enough === false);
    this.bars.node.classList.toggle("tk-stale", this.works("list"));
    const given = !this.get("words").length;
    if (given && this.active === this.reset) this.more.focus(); // it is about to be hidden
    this.reset.hidden = given;
    this.paintMap();
    this.paintImages();
    this.paintUses();
    this.root.setAttribute("aria-busy", String(this.get("_work").length > 0));
    this.painted();
  }

  paintFacts() {
    const { list } = this;
    this.facts.replaceChildren();
    if (list.true === undefined) {
      this.facts.textContent = this.get("error") ? "" : "the keywords are on the way …";
      return;
    }
    if (!list.enough) this.badge("few", `fewer than ${list.least} wrong images: a hint at most`);
    if (list.circular) this.badge("circular", "circular: the model's own cosines");
    make("b", "", this.facts).textContent = `${list.true} → ${list.predicted}`;
    const counts = `: ${list.wrong} wrong images against ${list.right} right ones, split ${list.split}`;
    const bank = list.bank ? `; ${list.bank}` : "";
    const splits = `; q from ${(list.splits ?? 0).toLocaleString("en")} splits`;
    const notes = (list.notes ?? []).map((note) => ` ${note}.`).join("");
    this.facts.append(`${counts}${bank}${splits}.${list.enough ? notes : ""}`);
  }

  /**
   * @param {string} kind
   * @param {string} words
   */
  badge(kind, words) {
    make("span", "tkkw-badge", this.facts, { "data-kind": kind }).textContent = words;
  }

  paintMap() {
    const { text, score: sum = 0, rest = 0 } = this.chosen;
    /** @type {number[]} */
    const layers = this.get("_layers");
    const there = text !== undefined && layers.length > 0;
    write(this.name, there ? `“${text}”` : "");
    this.map.node.hidden = !there;
    if (!there) return;
    const values = floats(this.get("_map"));
    const most = Math.max(1e-9, ...values.map(Math.abs));
    /** @type {Head} */
    const head = this.get("_head") ?? this.worst(values, layers);
    this.map.shape(layers, this.get("_heads"));
    this.map.paint(
      head,
      this.palette,
      (i) => within(0.5 + values[i] / (2 * most), 0, 1),
      (i) => `${score(values[i])} of ${score(sum)}`,
    );
    this.map.node.setAttribute("aria-label", `what every head adds to the score of ${text}`);
    this.map.node.classList.toggle("tk-stale", this.works("chosen"));
    const [layer, number] = this.worst(values, layers);
    const most1 = `L${layer}.H${number} ${score(Math.max(...values))}`;
    write(
      this.told,
      `Its score, ${score(sum)}, is a sum: what every head adds (most: ${most1}), and ${score(rest)} from the rest of the model. Orange: towards the wrong images; blue: towards the right ones.`,
    );
  }

  /**
   * The head that adds most.
   * @param {Float32Array} values
   * @param {number[]} layers
   * @returns {Head}
   */
  worst(values, layers) {
    const at = values.indexOf(Math.max(...values));
    const heads = this.get("_heads");
    return [layers[Math.floor(at / heads)], at % heads];
  }

  paintImages() {
    const { wrong = [], right = [], columns = 1, side = 56 } = this.chosen;
    this.root.style.setProperty("--tk-tile", `${side}px`);
    const url = this.sheet.of(this.get("_sheet"));
    const sheet = { url, total: wrong.length + right.length, columns, side };
    const image = this.get("image");
    paintTiles(this.near, wrong.map(tileOf), { ...sheet, offset: 0 }, image);
    paintTiles(this.far, right.map(tileOf), { ...sheet, offset: wrong.length }, image);
  }

  paintUses() {
    const { text, against = "" } = this.chosen;
    /** @type {Partial<KeywordTried>} */
    const tried = this.get("_tried");
    const busy = this.works("use");
    for (const { use, button } of this.uses) {
      button.disabled = text === undefined || busy;
      button.setAttribute("aria-pressed", String(tried.use === use));
    }
    const texts = this.bars.texts.filter((one) => one !== text);
    if (against && !texts.includes(against)) texts.push(against);
    offer(
      this.against,
      texts.reverse().map((one) => [one, one]),
    );
    this.against.value = against;
    write(this.tried, busy ? "trying it …" : (tried.words ?? ""));
    this.groups.node.hidden = !tried.rows;
    if (tried.rows) this.groups.paint(tried.rows, "group", "as it is", "with it");
    write(this.code, tried.code ?? "");
    this.code.hidden = !tried.code;
  }

  // what the user does

  /** @param {Head} head */
  go(head) {
    const { focused } = this.map;
    this.set({ _head: head });
    this.paintMap();
    if (focused) this.map.focus(head);
  }

  /** @param {string} use */
  tryUse(use) {
    if (this.chosen.text !== undefined && !this.works("use")) this.asker.ask({ do: "use", use });
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = targetOf(event);
    const use = this.uses.find(({ button }) => button === target);
    const head = this.map.headOf(target);
    const text = this.bars.textOf(target);
    const image = imageOf(target);
    if (use) this.tryUse(use.use);
    else if (target === this.reset) this.asker.ask({ do: "reset" });
    else if (head) {
      this.map.focus(head);
      this.go(head);
    } else if (text !== undefined) this.set({ text });
    else if (image !== undefined) this.set({ image: this.get("image") === image ? null : image });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = targetOf(event);
    const use = this.uses[Number(event.key) - 1];
    if (use) this.done(event, () => this.tryUse(use.use));
    else if (event.key === "a") this.done(event, () => this.more.focus());
    else if (this.map.headOf(target)) this.onMapKey(event);
    else if (this.bars.textOf(target) !== undefined) this.bars.onKey(event);
    else tileKey(this, event);
  }

  /** @param {KeyboardEvent} event */
  onMapKey(event) {
    const at = this.map.headOf(targetOf(event));
    const to = at && this.map.moved(event.key, at);
    if (to && !alike(to, at)) this.done(event, () => this.go(to));
    else if (at && (event.key === "Enter" || event.key === " ")) this.done(event, () => this.go(at));
  }

  /** @param {KeyboardEvent} event */
  onField(event) {
    if (targetOf(event) !== this.more || event.key !== "Enter") return;
    const text = this.more.value.trim();
    if (!text) return;
    this.asker.ask({ do: "add", text });
    this.more.value = "";
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
    view.root.addEventListener("keydown", (event) => view.onField(event), on);
    view.against.addEventListener("change", () => view.set({ against: view.against.value }), on);
  });
  return () => {
    stop();
    view.sheet.drop();
  };
}

export default { render };
