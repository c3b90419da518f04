// TokenMap: texts, method and image above; the heads on the left, the maps on the right; what a patch was used for below.

/** @import { Bytes, Cell, Head, Key, Look, PatchMap, Place, Stop } from "../base/types.d.ts" */

import { offer } from "../base/controls.js";
import { floats, make, targetOf, write } from "../base/dom.js";
import { Frame } from "../base/frame.js";
import { keep } from "../base/keep.js";
import { alike, within } from "../base/numbers.js";
import { Pane } from "../base/patches.js";
import { SheetUrl } from "../base/sheet.js";
import { HeadsSide, knowsHeads } from "./heads.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Map: arrows, Enter or click", "to a patch, pin it"],
  ["Heads: arrows, Enter or click", "to a head, choose it or not"],
  ["n, p", "next, previous image"],
  ["b", "what stands beside"],
  ["d", "map or difference"],
  ["g", "smoothed, or the patches as they are"],
  ["s", "hold the scale"],
  ["v", "colours, scale, images of your own"],
  ["[, ]", "less, more colour"],
  ["Escape", "let go of the patch, then of the heads"],
  ["?", "this list"],
];
/** @type {Record<string, string>} what may stand beside the map */
const BESIDE = {
  nothing: "nothing",
  image: "another image",
  method: "another method",
  ablated: "these heads off",
  edited: "the edited model",
  texts: "this head's texts",
};
const NOT_ALWAYS = ["texts", "edited"]; // there only if something was given
/** @type {Record<keyof AskedSent, string>} what a map is made for, and the trait that holds it */
const MADE_FOR = {
  text: "text",
  against: "against",
  heads: "_chosen",
  method: "method",
  image: "image",
  beside: "beside",
  other_image: "other_image",
  other_method: "other_method",
  difference: "difference",
};
const PAINTED_FROM = [
  ...Object.values(MADE_FOR),
  "opacity",
  "raw",
  "limit",
  "patch",
  "_shape",
  "_images",
  "_methods",
  "_has",
  "_shown",
  "_a",
  "_b",
  "_picture_a",
  "_picture_b",
  "_note",
  "_work",
];
const MOST = 8e6; // bytes of a file that is dropped in
const TYPING = 120; // milliseconds after the last letter
const WIDE = { one: 400, two: 290 };

/**
 * @typedef {object} AskedSent what a map is made for, as Python sends it
 * @property {string} text
 * @property {string} against
 * @property {Head[]} heads
 * @property {string} method
 * @property {string} image
 * @property {string} beside
 * @property {string} other_image
 * @property {string} other_method
 * @property {boolean} difference
 */

/**
 * @typedef {object} ModelShape
 * @property {number} layers
 * @property {number} heads
 */

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkt", KEYS);
    /** @type {Cell | null} the patch under the pointer */
    this.pointed = null;
    /** Which of the panes the pointer is over; −1 for neither. */
    this.over = -1;
    /** What went wrong with a file before Python saw it. */
    this.said = "";
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    const bar = make("div", "tkt-controls", this.body);
    this.text = this.field(bar, "text", "a bird", 600);
    this.against = this.field(bar, "minus", "nothing", 600);
    this.method = this.list(bar, "method");
    const image = make("div", "tkt-field", bar);
    make("span", "tkt-label", image, { "aria-hidden": "true" }).textContent = "image";
    const row = make("div", "tkt-row", image);
    this.image = make("select", "", row, { "aria-label": "image" });
    this.back = this.button(row, "‹", { "aria-label": "previous image" });
    this.forth = this.button(row, "›", { "aria-label": "next image" });
    this.beside = this.list(bar, "beside it");
    this.otherImage = this.list(bar, "the other image");
    this.otherMethod = this.list(bar, "the other method");
    this.difference = this.box(bar, "difference");
    const look = make("div", "tkt-controls", this.body);
    this.fold("v", "view", "View: colours, scale, images of your own", look);
    const opacity = { type: "range", min: "0", max: "1", step: "0.05" };
    this.opacity = make("input", "", this.labelled(look, "colour"), opacity);
    this.smooth = this.box(look, "smooth");
    this.hold = this.box(look, "hold the scale");
    const file = { type: "file", accept: "image/*", hidden: "", "aria-label": "image file" };
    this.file = make("input", "", this.body, file);
    this.choose = this.button(this.labelled(look, "add an image"), "choose or drop …");
    this.path = this.field(look, "or its path", "where the kernel runs");
    this.told = make("div", "tkt-note", this.body, { role: "status" });
    const main = make("div", "tkt-main", this.body);
    const side = make("div", "tkt-side", main);
    this.heads = new HeadsSide(this, side);
    const panes = make("div", "tkt-panes", main);
    this.panes = [new Pane(this, panes), new Pane(this, panes)];
    this.empty = make("div", "tkt-empty", panes);
    this.own = make("figure", "tkt-own", panes);
    make("figcaption", "tkt-label", this.own).textContent = "the image";
    this.picture = make("img", "", this.own, { alt: "the image without a map" });
    this.url = new SheetUrl();
  }

  /**
   * @param {Element} parent
   * @param {string} words
   */
  labelled(parent, words) {
    const label = make("label", "tkt-field", parent);
    make("span", "tkt-label", label).textContent = words;
    return label;
  }

  /**
   * @param {Element} parent
   * @param {string} words
   * @param {string} example
   * @param {number} [longest]
   */
  field(parent, words, example, longest) {
    const attributes = { type: "text", placeholder: example, size: "18" };
    const input = make("input", "", this.labelled(parent, words), attributes);
    if (longest) input.maxLength = longest;
    return input;
  }

  /**
   * @param {Element} parent
   * @param {string} words
   */
  list(parent, words) {
    return make("select", "", this.labelled(parent, words));
  }

  /**
   * @param {Element} parent
   * @param {string} words
   */
  box(parent, words) {
    const label = make("label", "tkt-box", parent);
    const box = make("input", "", label, { type: "checkbox" });
    label.append(words);
    return box;
  }

  // what the model holds

  /** @returns {Cell | null} the patch that is held */
  get pinned() {
    return this.get("patch");
  }

  /** @returns {PatchMap[]} the map and what stands beside it; empty where there is none */
  get maps() {
    return [this.get("_a"), this.get("_b")];
  }

  /** @returns {Head[]} */
  get chosen() {
    return this.get("_chosen");
  }

  /** What can stand beside the map. */
  get kinds() {
    const has = this.get("_has");
    return Object.keys(BESIDE).filter((name) => !NOT_ALWAYS.includes(name) || has[name]);
  }

  /** The map whose heads are told: of the pane under the pointer, else the first that knows heads. */
  get pointedMap() {
    const { maps } = this;
    const over = maps[this.over];
    if (knowsHeads(over)) return over;
    return maps.find(knowsHeads) || maps[0];
  }

  // paint

  paint() {
    this.paintFrame();
    this.paintControls();
    this.paintMaps();
    this.paintHeads();
    this.paintState();
    this.painted();
  }

  /**
   * @param {HTMLInputElement} node
   * @param {string} value
   */
  fill(node, value) {
    if (this.active !== node) node.value = value;
  }

  paintControls() {
    this.fill(this.text, this.get("text"));
    this.fill(this.against, this.get("against"));
    /** @type {string[]} */
    const methods = this.get("_methods");
    this.paintList(this.method, methods, this.get("method"));
    this.paintList(this.otherMethod, methods, this.get("other_method"));
    this.paintImages(this.image, this.get("image"));
    this.paintImages(this.otherImage, this.get("other_image"));
    const beside = this.get("beside");
    const { kinds } = this;
    offer(this.beside, Object.entries(BESIDE), (name) => !kinds.includes(name));
    this.beside.value = beside;
    fieldOf(this.otherImage).hidden = beside !== "image";
    fieldOf(this.otherMethod).hidden = beside !== "method";
    fieldOf(this.difference).hidden = beside !== "ablated" && beside !== "edited";
    this.difference.checked = this.get("difference");
    const alone = this.get("_has").images < 2;
    this.back.disabled = alone;
    this.forth.disabled = alone;
    this.opacity.value = this.get("opacity");
    this.smooth.checked = !this.get("raw");
    this.hold.checked = this.get("limit") !== null;
    write(this.told, [this.said, this.get("_note")].filter(Boolean).join("; "));
  }

  /**
   * @param {HTMLSelectElement} select
   * @param {string[]} names
   * @param {string} value
   */
  paintList(select, names, value) {
    offer(
      select,
      names.map((name) => [name, name]),
    );
    select.value = value;
  }

  /**
   * @param {HTMLSelectElement} select
   * @param {string} now
   */
  paintImages(select, now) {
    /** @type {string[]} */
    const ids = this.get("_images");
    const listed = ids.includes(now) || !now;
    this.paintList(select, listed ? ids : [now, ...ids], now);
  }

  /**
   * The end of a map's scale: one for maps of one unit.
   * @param {PatchMap} map
   * @returns {number}
   */
  limitOf(map) {
    const held = this.get("limit");
    if (held !== null && map.scale === this.maps[0].scale) return held;
    const limits = this.maps.map(({ values, scale }) => {
      if (!values || scale !== map.scale) return Number.NEGATIVE_INFINITY;
      return floats(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    });
    return Math.max(...limits) || 1;
  }

  paintMaps() {
    const palette = this.get("_palette")[this.theme];
    const { maps } = this;
    /** @type {Look} */
    const look = {
      opacity: this.get("opacity"),
      raw: this.get("raw"),
      wide: maps[1].values ? WIDE.two : WIDE.one,
      paper: getComputedStyle(this.root).getPropertyValue("--tk-paper"),
    };
    const pictures = [this.get("_picture_a"), this.get("_picture_b")];
    this.panes.forEach((pane, i) => {
      const limit = maps[i].values ? this.limitOf(maps[i]) : 1;
      pane.paint(maps[i], pictures[i], limit, palette, look);
    });
    this.empty.hidden = Boolean(maps[0].values);
    write(this.empty, this.missing);
    this.paintOwn(pictures[0], Boolean(maps[0].values) && !maps[1].values);
  }

  /**
   * The image without a map, where nothing else stands beside.
   * @param {Bytes} picture
   * @param {boolean} shown
   */
  paintOwn(picture, shown) {
    const url = this.url.of(picture);
    this.own.hidden = !shown || !url;
    if (url && this.picture.getAttribute("src") !== url) this.picture.src = url;
  }

  /** What to do where there is no map. */
  get missing() {
    if (!this.get("image")) return "Drop in an image.";
    if (this.get("error")) return "No map: the reason stands below.";
    return this.get("text") ? "Not there yet." : "Type a text.";
  }

  paintHeads() {
    /** @type {ModelShape} */
    const { layers, heads } = this.get("_shape");
    this.heads.shape(layers, heads);
    this.heads.paint({
      map: this.pointedMap,
      cell: this.pointed || this.pinned,
      chosen: this.chosen,
      off: this.get("beside") === "ablated",
      palette: this.get("_palette")[this.theme],
    });
  }

  paintState() {
    /** @type {Partial<AskedSent>} */
    const shown = this.get("_shown");
    const names = /** @type {(keyof AskedSent)[]} */ (Object.keys(MADE_FOR));
    const other = names.some(
      (name) => JSON.stringify(shown[name]) !== JSON.stringify(this.get(MADE_FOR[name])),
    );
    const stale = this.get("_work").includes("map") || (Boolean(this.maps[0].values) && other);
    for (const pane of this.panes) pane.node.classList.toggle("tk-stale", stale);
    this.root.setAttribute("aria-busy", String(this.get("_work").length > 0));
  }

  // what the user does

  /** Each letter asks anew, but not while the next one is on its way. */
  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), TYPING);
  }

  flush() {
    clearTimeout(this.timer);
    const text = this.text.value;
    const against = this.against.value;
    if (text !== this.get("text") || against !== this.get("against")) this.set({ text, against });
  }

  /** @param {File | undefined} file */
  async upload(file) {
    if (!file) return;
    const size = (file.size / 1e6).toFixed(0);
    const tooLarge = `${file.name} has ${size} MB; up to 8 MB can be dropped in: give its path instead`;
    this.said = file.size > MOST ? tooLarge : "";
    if (this.said) {
      this.paint();
      return;
    }
    try {
      this.set({ _upload: { name: file.name, data: new DataView(await file.arrayBuffer()) } });
    } catch (error) {
      this.said = `${file.name} could not be read: ${/** @type {Error} */ (error).message}`;
      this.paint();
    }
  }

  chooseFile() {
    this.upload(this.file.files?.[0]);
    this.file.value = "";
  }

  choosePath() {
    this.asker.ask({ do: "path", path: this.path.value });
    this.path.value = "";
  }

  /** @param {1 | -1} by */
  walk(by) {
    this.asker.ask({ do: "walk", by });
  }

  /**
   * Point at a patch.
   * @param {Cell | null} cell
   * @param {Pane} [pane] where it is
   */
  aim(cell, pane) {
    const over = this.panes.findIndex((one) => one === pane);
    if (alike(cell, this.pointed) && over === this.over) return;
    this.pointed = cell;
    this.over = over;
    this.paint();
  }

  /** @param {Cell} cell the same again lets it go */
  pin(cell) {
    this.set({ patch: alike(cell, this.pinned) ? null : cell });
  }

  /** @param {Head} head */
  toggle(head) {
    const { chosen } = this;
    const rest = chosen.filter((other) => !alike(other, head));
    const wasChosen = rest.length < chosen.length;
    this.set({ _chosen: wasChosen ? rest : [...chosen, head] });
  }

  /** @param {boolean} on */
  holdScale(on) {
    const [map] = this.maps;
    this.set({ limit: on && map.values ? this.limitOf(map) : null });
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = targetOf(event);
    if (target === this.back) this.walk(-1);
    else if (target === this.forth) this.walk(1);
    else if (target === this.choose) this.file.click();
    else if (target === this.heads.all) this.set({ _chosen: [] });
    else this.onHeadClick(target);
  }

  /** @param {HTMLElement} target */
  onHeadClick(target) {
    const head = this.heads.map.headOf(target);
    if (!head) return;
    this.heads.cursor = head;
    this.toggle(head);
  }

  /**
   * @param {Pane} pane
   * @param {MouseEvent} event
   */
  onPaneClick(pane, event) {
    const cell = pane.cellAt(event);
    if (cell) this.pin(cell);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = targetOf(event);
    const pane = this.panes.find(({ canvas }) => canvas === target);
    const head = this.heads.map.headOf(target);
    if (pane && this.onPaneKey(event, pane)) return;
    if (head && this.onHeadKey(event, head)) return;
    const act = this.keyed(event.key);
    if (act) this.done(event, act);
  }

  /**
   * Whether the key was for the patches.
   * @param {KeyboardEvent} event
   * @param {Pane} pane
   */
  onPaneKey(event, pane) {
    const [rows, columns] = this.maps[0].grid || [1, 1];
    const [row, column] = this.pointed || this.pinned || [0, 0];
    if (event.key === "Enter" || event.key === " ") {
      this.done(event, () => this.pin([row, column]));
      return true;
    }
    /** @type {Record<string, Cell>} */
    const ways = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
    };
    const to = ways[event.key];
    if (!to) return false;
    this.done(event, () => this.aim([within(to[0], 0, rows - 1), within(to[1], 0, columns - 1)], pane));
    return true;
  }

  /**
   * Whether the key was for the heads.
   * @param {KeyboardEvent} event
   * @param {Head} head
   */
  onHeadKey(event, head) {
    const to = this.heads.map.moved(event.key, head);
    const chooses = event.key === "Enter" || event.key === " ";
    if (to) this.done(event, () => this.toHead(to));
    else if (chooses) this.done(event, () => this.toggle(head));
    return Boolean(to) || chooses;
  }

  /** @param {Head} head */
  toHead(head) {
    this.heads.cursor = head;
    this.paintHeads();
    this.heads.map.focus(head);
  }

  /**
   * What a key of the panel does.
   * @param {string} key
   * @returns {(() => void) | undefined}
   */
  keyed(key) {
    /** @type {Record<string, () => void>} */
    const acts = {
      n: () => this.walk(1),
      p: () => this.walk(-1),
      b: () => this.besideNext(),
      d: () => this.turnDifference(),
      g: () => this.set({ raw: !this.get("raw") }),
      s: () => this.holdScale(this.get("limit") === null),
      "[": () => this.colour(-0.1),
      "]": () => this.colour(0.1),
      Escape: () => this.letGo(),
    };
    return acts[key];
  }

  besideNext() {
    const { kinds } = this;
    const next = (kinds.indexOf(this.get("beside")) + 1) % kinds.length;
    this.set({ beside: kinds[next] });
  }

  turnDifference() {
    if (!fieldOf(this.difference).hidden) this.set({ difference: !this.get("difference") });
  }

  /** @param {number} by */
  colour(by) {
    const opacity = within(this.get("opacity") + by, 0, 1);
    this.set({ opacity: Math.round(100 * opacity) / 100 });
  }

  /** Of the patch; if there is none, of the heads. */
  letGo() {
    if (!this.pinned && !this.pointed) {
      this.set({ _chosen: [] });
      return;
    }
    this.aim(null);
    this.set({ patch: null });
  }

  /** @param {DragEvent} event */
  onDrop(event) {
    const { dataTransfer } = event;
    if (!dataTransfer || ![...dataTransfer.types].includes("Files")) return; // a word dragged into a box
    event.preventDefault();
    event.stopPropagation();
    this.root.classList.toggle("tkt-over", event.type === "dragover");
    if (event.type === "drop") this.upload(dataTransfer.files[0]);
  }
}

/**
 * What stands around a control: its label with it.
 * @param {HTMLElement} control
 */
const fieldOf = (control) => /** @type {HTMLElement} */ (control.parentElement);

/**
 * @param {Place} place
 * @returns {Stop}
 */
function render({ model, el }) {
  const view = new View(model, el);
  const stop = keep(view, PAINTED_FROM, (on) => {
    view.root.addEventListener("click", (event) => view.onClick(event), on);
    for (const node of [view.text, view.against]) {
      node.addEventListener("input", () => view.typed(), on);
      node.addEventListener("change", () => view.flush(), on);
    }
    /** @type {(select: HTMLSelectElement, name: string) => void} */
    const follow = (select, name) => {
      select.addEventListener("change", () => view.set({ [name]: select.value }), on);
    };
    follow(view.method, "method");
    follow(view.image, "image");
    follow(view.beside, "beside");
    follow(view.otherImage, "other_image");
    follow(view.otherMethod, "other_method");
    view.difference.addEventListener("change", () => view.set({ difference: view.difference.checked }), on);
    view.smooth.addEventListener("change", () => view.set({ raw: !view.smooth.checked }), on);
    view.hold.addEventListener("change", () => view.holdScale(view.hold.checked), on);
    view.opacity.addEventListener("input", () => view.set({ opacity: Number(view.opacity.value) }), on);
    view.file.addEventListener("change", () => view.chooseFile(), on);
    view.path.addEventListener("change", () => view.choosePath(), on);
    for (const pane of view.panes) {
      pane.canvas.addEventListener("mousemove", (event) => view.aim(pane.cellAt(event), pane), on);
      pane.canvas.addEventListener("mouseleave", () => view.aim(null), on);
      pane.canvas.addEventListener("click", (event) => view.onPaneClick(pane, event), on);
      pane.canvas.addEventListener("blur", () => view.aim(null), on);
    }
    for (const kind of /** @type {const} */ (["dragover", "dragleave", "drop"])) {
      view.root.addEventListener(kind, (event) => view.onDrop(event), on);
    }
  });
  return () => {
    stop();
    clearTimeout(view.timer);
    view.url.drop();
  };
}

export default { render };
