// SpanExplorer: a small map of heads, the texts of one of them with bars and a curve, the images at both ends.

/** @import { Bytes, Head, Key, Place, Rgb, Stop, Tile } from "../base/types.d.ts" */

import { css } from "../base/colours.js";
import { choice, offer } from "../base/controls.js";
import { paintCurve } from "../base/curve.js";
import { drawn, floats, make, targetOf } from "../base/dom.js";
import { Frame } from "../base/frame.js";
import { keep } from "../base/keep.js";
import { HeadMap } from "../base/map.js";
import { alike, brief, percent, within } from "../base/numbers.js";
import { SheetUrl } from "../base/sheet.js";
import { imageOf, paintTiles, tileKey } from "../base/tiles.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Map: arrows, click", "choose a head"],
  ["Texts: arrows, Enter, click", "choose a text; again: the head's main axis"],
  ["Texts: Delete", "take a text out of the bank"],
  ["[ and ]", "previous and next head"],
  ["/", "type a word: the heads that carry it light up"],
  ["Escape", "no text; in the word field: no word"],
  ["?", "show or hide this list"],
];
const PAINTED_FROM = [
  "head",
  "text",
  "query",
  "ranking",
  "image",
  "_note",
  "_layers",
  "_heads",
  "_rows",
  "_facts",
  "_shown",
  "_map",
  "_map_words",
  "_guilt",
  "_guilt_name",
  "colouring",
  "_likely",
  "_labels",
  "_sheet",
  "_ends",
  "_work",
];
const ROW = 26; // pixels a text is high
const TYPING = 200; // milliseconds after the last letter of a word
const NOTING = 800; // and of a note

/**
 * @typedef {object} TextRow one text of a head
 * @property {string} text
 * @property {string} factor
 * @property {number} std
 * @property {number} explained
 */

/**
 * @typedef {object} HeadFacts what is said of a head
 * @property {number} rank
 * @property {number} weight share of all heads' variance
 * @property {number | null} reach share of it that the bank can explain
 * @property {number} n images
 * @property {string} split
 * @property {string} model
 * @property {number} bank texts
 * @property {string} name of the bank
 * @property {number} edits how often the bank was changed
 * @property {number} among texts the head's were chosen from: those that are encoded
 */

/**
 * @typedef {object} EndImage an image at an end of the axis
 * @property {string} id
 * @property {string} label
 * @property {number} score
 */

/**
 * @typedef {object} EndsSent the images at both ends, on one sheet
 * @property {EndImage[]} high
 * @property {EndImage[]} low
 * @property {number} columns
 * @property {number} side
 * @property {string} text of the axis; "": the head's main one
 */

/**
 * @typedef {object} NoteSent
 * @property {Head} head
 * @property {string} text
 */

/**
 * An image at an end of the axis as a thumbnail.
 * @param {EndImage} image
 * @returns {Tile}
 */
function tileOf({ id, label, score }) {
  const value = score.toPrecision(3);
  const known = label ? ` (${label})` : "";
  return { id, title: `${id}${known}: ${value}`, label: `${label || id}, ${value}` };
}

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkse", KEYS);
    this.sheet = new SheetUrl();
    /** @type {{text: string, node: HTMLElement}[]} the texts as they stand in the list */
    this.options = [];
    /** What is painted of the texts. */
    this.rowsKey = "";
    /** @type {Head | undefined} the head whose note is in the field */
    this.noteHead = undefined;
    /** Whether the note has been typed into and not sent. */
    this.typedNote = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.noting = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.typing = undefined;
    this.rank = choice(null, "Order images by", [
      ["contribution", "images by contribution"],
      ["cosine", "images by cosine"],
    ]);
    this.tools.insertBefore(this.rank, this.help);
    this.all = this.tool("all heads", "Choose the texts of all heads with the bank as it is");
    const side = make("div", "tkse-side", this.body);
    this.map = new HeadMap(this, side);
    this.what = make("div", "tkse-what", side);
    this.colouring = choice(this.labelled(side, "Colour heads by"), "Colour heads by", []);
    this.query = this.field(side, "Which heads carry a word?", "water");
    const note = this.labelled(side, "Note on this head");
    this.note = make("textarea", "", note, { rows: "2", maxlength: "2000" });
    const main = make("div", "tkse-main", this.body);
    const top = make("div", "", main);
    this.name = make("span", "tkse-name", top);
    this.facts = make("span", "tkse-facts", top);
    this.buildColumns(main);
    this.texts = make("div", "tkse-texts", main);
    this.list = make("div", "tkse-list", this.texts, { role: "listbox", "aria-label": "texts of this head" });
    this.curve = drawn("svg", this.texts, { class: "tkse-curve", role: "img" });
    this.more = this.field(main, "Add a text to the bank", "a bird on water");
    const bank = make("div", "tkse-facts", main);
    this.edits = make("span", "", bank);
    this.reset = make("button", "tkse-reset", bank, { type: "button", hidden: "" });
    this.reset.textContent = "undo all";
    this.along = make("div", "tkse-label", main);
    this.high = this.buildEnd(main, "most");
    this.low = this.buildEnd(main, "least");
  }

  /** @param {Element} main */
  buildColumns(main) {
    const columns = make("div", "tkse-columns", main, { "aria-hidden": "true" });
    for (const words of ["text", "factor", "standard deviation", "explained so far"]) {
      make("span", "", columns).textContent = words;
    }
  }

  /**
   * @param {Element} parent
   * @param {string} words
   */
  labelled(parent, words) {
    const label = make("label", "tkse-label", parent);
    label.textContent = words;
    return label;
  }

  /**
   * @param {Element} parent
   * @param {string} words
   * @param {string} example
   */
  field(parent, words, example) {
    const attributes = { type: "text", placeholder: example, maxlength: "300" };
    return make("input", "", this.labelled(parent, words), attributes);
  }

  /**
   * @param {Element} parent
   * @param {string} words
   */
  buildEnd(parent, words) {
    const line = make("div", "tkse-end", parent);
    make("span", "", line).textContent = words;
    return make("div", "tkm-thumbs", line, { role: "listbox", "aria-label": `images, ${words}` });
  }

  /** @returns {Head} */
  get head() {
    return this.get("head");
  }

  /** @returns {TextRow[]} */
  get rows() {
    return this.get("_rows");
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
    this.root.style.setProperty("--tk-bar", css(palette[4]));
    this.root.style.setProperty("--tk-curve", css(palette[this.theme === "dark" ? 6 : 7]));
    this.paintMap();
    this.paintTexts();
    this.paintFacts();
    this.paintImages();
    this.rank.value = this.get("ranking");
    this.paintColouring();
    this.paintNote();
    if (this.active !== this.query) this.query.value = this.get("query");
    const other = !alike(this.get("_shown"), this.head);
    this.texts.classList.toggle("tk-stale", this.works("head") || other);
    for (const line of [this.high, this.low]) {
      line.classList.toggle("tk-stale", this.works("images") || other);
    }
    this.map.node.classList.toggle("tk-stale", this.works("query"));
    this.root.setAttribute("aria-busy", String(this.get("_work").length > 0));
    this.painted();
  }

  paintMap() {
    const values = floats(this.get(this.isByGuilt ? "_guilt" : "_map"));
    /** @type {Bytes} which heads carry the word better than chance */
    const likely = this.get("_likely");
    /** @type {string[]} the first text of every head */
    const labels = this.get("_labels");
    /** @type {string} */
    const word = this.get("_map_words");
    const most = Math.max(1e-9, ...values.filter(Number.isFinite));
    /** @param {number} i */
    const place = (i) => (Number.isFinite(values[i]) ? within(values[i] / most, 0, 1) : 0);
    /** @param {number} i */
    const words = (i) => {
      const label = labels[i] || "";
      if (this.isByGuilt) {
        const guilt = `${this.get("_guilt_name")} ${brief(values[i])}`;
        return { title: label ? `${guilt}\n${label}` : guilt, label: `${guilt}; ${label}` };
      }
      const share = percent(values[i]);
      const of = word ? `explained by ${word}` : "of all variance";
      return { title: label ? `${share}\n${label}` : share, label: `${share} ${of}; ${label}` };
    };
    this.map.shape(this.get("_layers"), this.get("_heads"));
    this.map.paint(this.head, this.get("_palette")[this.theme], place, words, (cell, i) => {
      cell.classList.toggle("tkse-likely", Boolean(likely.byteLength && likely.getUint8(i)));
    });
    this.map.node.setAttribute("aria-label", word ? `heads that carry ${word}` : this.byWhat);
    const limit = `up to ${percent(most)}`.replace(" %", "\u00a0%");
    this.what.textContent = word
      ? `Share of each head's variance that “${word}” explains, ${limit}; a dot: few random texts explain as much (p < 0.05).`
      : this.toldWithout(limit, most);
  }

  /** Whether heads are coloured by a score. */
  get isByGuilt() {
    return Boolean(this.get("_guilt_name")) && this.get("colouring") === "guilt" && !this.get("_map_words");
  }

  /** What heads are coloured by where no word is looked for. */
  get byWhat() {
    return this.isByGuilt ? `heads by ${this.get("_guilt_name")}` : "heads by variance";
  }

  /**
   * What the map shows where no word is looked for.
   * @param {string} limit the end of the colours, as a share
   * @param {number} most and as a number
   */
  toldWithout(limit, most) {
    if (!this.isByGuilt) return `Each head's share of all variance, ${limit}.`;
    return `Guilt of each head by ${this.get("_guilt_name")}, up to ${brief(most)}; pale: none, or needed.`;
  }

  paintColouring() {
    /** @type {string} */
    const score = this.get("_guilt_name");
    const field = /** @type {HTMLElement} */ (this.colouring.parentElement);
    field.hidden = !score;
    offer(this.colouring, [
      ["variance", "share of all variance"],
      ["guilt", `guilt: ${score}`],
    ]);
    this.colouring.value = this.get("colouring");
  }

  paintTexts() {
    const { rows } = this;
    const chosen = this.get("text");
    const key = JSON.stringify(rows);
    if (key !== this.rowsKey) {
      this.rowsKey = key;
      this.buildTexts(rows);
    }
    this.options.forEach(({ text, node }, i) => {
      const inTabOrder = chosen ? text === chosen : i === 0;
      node.setAttribute("aria-selected", String(text === chosen));
      node.tabIndex = inTabOrder ? 0 : -1;
    });
  }

  /**
   * The list anew; what had the focus in it keeps it.
   * @param {TextRow[]} rows
   */
  buildTexts(rows) {
    const focused = this.options.findIndex(({ node }) => node.contains(this.active));
    const widest = Math.max(1e-12, ...rows.map(({ std }) => std));
    this.list.replaceChildren();
    this.options = rows.map((row, i) => ({ text: row.text, node: this.buildText(row, i + 1, widest) }));
    const shares = rows.map(({ explained }) => explained);
    paintCurve(this.curve, shares, ROW);
    if (focused >= 0) this.options[Math.min(focused, rows.length - 1)]?.node.focus();
  }

  /**
   * @param {TextRow} row
   * @param {number} n from 1
   * @param {number} widest the standard deviation of the longest bar
   */
  buildText({ text, factor, std, explained }, n, widest) {
    const option = make("div", "tkse-row", this.list, { role: "option", tabindex: "-1", title: text });
    make("span", "tkse-text", option).textContent = text;
    make("span", "tkse-factor", option).textContent = factor;
    const track = make("div", "tkse-bar", option, { title: "standard deviation along the text" });
    make("div", "", track).style.width = `${(100 * std) / widest}%`;
    const value = brief(std);
    make("span", "tkse-value", option).textContent = value;
    // Delete does it too: an option holds no button
    const attributes = { "aria-hidden": "true", title: "take it out of the bank" };
    make("span", "tkse-gone", option, attributes).textContent = "×";
    const label = `${n}. ${text}, standard deviation ${value}, ${percent(explained)} explained so far`;
    option.setAttribute("aria-label", label);
    return option;
  }

  paintFacts() {
    /** @type {Partial<HeadFacts>} empty while nothing is known */
    const sent = this.get("_facts");
    const none = sent.rank === undefined;
    const [layer, head] = none ? this.head : this.get("_shown");
    this.name.textContent = `L${layer}.H${head}`;
    if (none) {
      this.facts.textContent = "its texts are on the way …";
      return;
    }
    const facts = /** @type {HeadFacts} */ (sent);
    const { rank, weight, reach, n, split, bank, among, name } = facts;
    const short = reach !== null && reach < 0.95 ? `; the bank reaches ${percent(reach)} of it` : "";
    const share = `${percent(weight)} of all heads' variance${short}`;
    this.facts.textContent = `rank ${rank}, ${share} · ${n} images (${split})`;
    const so = among < bank ? `chosen from ${among.toLocaleString("en")} so far of ` : "";
    this.edits.textContent = `${so}${bank.toLocaleString("en")} texts${name ? ` (${name})` : ""} `;
    this.reset.hidden = !facts.edits;
    this.all.disabled = this.works("all");
  }

  paintImages() {
    /** @type {EndsSent} */
    const { high, low, text, columns, side } = this.get("_ends");
    this.root.style.setProperty("--tk-tile", `${side}px`);
    this.along.textContent = text
      ? `Images along “${text}”`
      : "Images at both ends of the head's main axis; its texts may be of either end";
    const url = this.sheet.of(this.get("_sheet"));
    const total = high.length + low.length;
    const sheet = { url, total, columns, side };
    const chosen = this.get("image");
    paintTiles(this.high, high.map(tileOf), { ...sheet, offset: 0 }, chosen);
    paintTiles(this.low, low.map(tileOf), { ...sheet, offset: high.length }, chosen);
  }

  /** The field belongs to one head; what is being typed is not overwritten. */
  paintNote() {
    /** @type {NoteSent} */
    const { head, text } = this.get("_note");
    const own = alike(head, this.head);
    this.note.disabled = !own;
    if (!alike(head, this.noteHead)) this.typedNote = false;
    this.noteHead = head;
    if (!this.typedNote) this.note.value = own ? text : "";
  }

  // what the user does

  /**
   * @param {string} what
   * @param {string} text
   */
  ask(what, text = "") {
    this.asker.ask({ do: what, text });
  }

  /** @param {Head} to */
  go(to) {
    const focused = this.map.focused;
    this.saveNote();
    this.set({ head: to });
    this.paintMap();
    if (focused) this.map.focus(to);
  }

  /** @param {1 | -1} by */
  step(by) {
    const to = this.map.at[this.map.indexOf(this.head) + by];
    if (to) this.go(to);
  }

  /** @param {string} text */
  choose(text) {
    this.set({ text: this.get("text") === text ? "" : text });
  }

  /** Send the note with its head: by the time it arrives another may be shown. */
  saveNote() {
    clearTimeout(this.noting);
    if (this.typedNote && this.noteHead) {
      this.asker.ask({ do: "note", head: this.noteHead, text: this.note.value });
    }
    this.typedNote = false;
  }

  writesNote() {
    this.typedNote = true;
    clearTimeout(this.noting);
    this.noting = setTimeout(() => this.saveNote(), NOTING);
  }

  /** A word lights up while it is typed, at most a few times a second. */
  typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.search(), TYPING);
  }

  search() {
    clearTimeout(this.typing);
    this.set({ query: this.query.value });
  }

  /**
   * The text in whose row an event happened.
   * @param {Element} target
   */
  optionOf(target) {
    return this.options.find(({ node }) => node.contains(target));
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = targetOf(event);
    if (target === this.all) this.ask("all");
    else if (target === this.reset) this.ask("reset");
    else this.onClickAt(target);
  }

  /** @param {HTMLElement} target */
  onClickAt(target) {
    const option = this.optionOf(target);
    if (option && target.closest(".tkse-gone")) {
      this.ask("remove", option.text);
      return;
    }
    const head = this.map.headOf(target);
    if (head) {
      this.map.focus(head);
      this.go(head);
      return;
    }
    if (option) {
      option.node.focus();
      this.choose(option.text);
      return;
    }
    const image = imageOf(target);
    if (image !== undefined) this.set({ image: this.get("image") === image ? null : image });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = targetOf(event);
    if (target === this.note) return;
    const option = this.optionOf(target);
    if (event.key === "[") this.done(event, () => this.step(-1));
    else if (event.key === "]") this.done(event, () => this.step(1));
    else if (event.key === "/") this.done(event, () => this.query.focus());
    else if (this.map.headOf(target)) this.onMapKey(event);
    else if (option) this.onTextKey(event, option);
    else if (tileKey(this, event)) return;
    else if (event.key === "Escape") this.done(event, () => this.set({ text: "" }));
  }

  /** @param {KeyboardEvent} event */
  onMapKey(event) {
    const to = this.map.moved(event.key, this.head);
    if (to) this.done(event, () => this.go(to));
  }

  /**
   * @param {KeyboardEvent} event
   * @param {{text: string, node: HTMLElement}} option
   */
  onTextKey(event, option) {
    const { key } = event;
    const at = this.options.indexOf(option);
    const last = this.options.length - 1;
    /** @type {Record<string, number>} */
    const ways = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: last };
    const to = ways[key];
    if (to !== undefined) this.done(event, () => this.options[within(to, 0, last)].node.focus());
    else if (key === "Enter" || key === " ") this.done(event, () => this.choose(option.text));
    else if (key === "Delete" || key === "Backspace") this.done(event, () => this.ask("remove", option.text));
    else if (key === "Escape") this.done(event, () => this.set({ text: "" }));
  }

  /**
   * A key in a field: letters belong to it, so the frame's keys do not reach here.
   * @param {KeyboardEvent} event
   */
  onField(event) {
    const target = targetOf(event);
    const { key } = event;
    if (target === this.more && key === "Enter") this.addText();
    if (target !== this.query || (key !== "Enter" && key !== "Escape")) return;
    if (key === "Escape") this.query.value = "";
    this.search();
  }

  addText() {
    const text = this.more.value.trim();
    if (!text) return;
    this.ask("add", text);
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
    const { colouring } = view;
    colouring.addEventListener("change", () => view.set({ colouring: colouring.value }), on);
    view.rank.addEventListener("change", () => view.set({ ranking: view.rank.value }), on);
    view.query.addEventListener("input", () => view.typed(), on);
    view.note.addEventListener("input", () => view.writesNote(), on);
    view.note.addEventListener("blur", () => view.saveNote(), on);
  });
  return () => {
    view.saveNote();
    stop();
    clearTimeout(view.typing);
    view.sheet.drop();
  };
}

export default { render };
