// Gallery: a page of thumbnails cut out of one binary sheet. One of them is in the tab order at a time.

/** @import { Key, Place, Sheet, Stop } from "../base/types.d.ts" */

import { make, targetOf } from "../base/dom.js";
import { Frame } from "../base/frame.js";
import { keep } from "../base/keep.js";
import { upTo, within } from "../base/numbers.js";
import { SheetUrl } from "../base/sheet.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Click, Space or Enter", "choose an image, or let it go"],
  ["Arrows, Home, End", "move"],
  ["Page up, Page down", "turn the page"],
  ["Escape", "choose none"],
  ["?", "show or hide this list"],
];
/** @type {Record<string, string>} by mark */
const SIGNS = { right: "✓", wrong: "✗" };
const PAINTED_FROM = ["_sheet", "_tiles", "_shown", "_pages", "_count", "_first", "page", "selected"];

/**
 * @typedef {object} GalleryImage
 * @property {string} id
 * @property {string} caption
 * @property {string} mark "", "right" or "wrong"
 */

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkga", KEYS);
    /** Which tile is in the tab order. */
    this.focus = 0;
    /** @type {HTMLElement[]} */
    this.tiles = [];
    this.sheet = new SheetUrl();
    /** By how many pages the user has turned while the page is on its way, and whether a tile had the focus. */
    this.turned = 0;
    this.hadFocus = false;
    this.back = this.tool("‹", "Previous page");
    this.where = make("span", "tkga-where");
    this.tools.insertBefore(this.where, this.help);
    this.forth = this.tool("›", "Next page");
    this.list = make("div", "tkga-list", this.body, { role: "listbox" });
  }

  /** @param {number} n */
  build(n) {
    this.list.replaceChildren();
    this.tiles = upTo(n).map((i) => {
      const tile = make("div", "tkga-tile", this.list, { role: "option", tabindex: "-1" });
      tile.dataset.at = String(i);
      make("div", "tkga-picture", tile);
      make("div", "tkga-caption", tile);
      return tile;
    });
  }

  // paint

  /** @returns {GalleryImage[]} the images of the page */
  get images() {
    return this.get("_shown");
  }

  paint() {
    const { images } = this;
    if (images.length !== this.get("_tiles").n) return; // a part of the page is still on its way
    this.paintFrame();
    /** @type {Sheet} */
    const { columns, side } = this.get("_tiles");
    this.root.style.setProperty("--tk-tile", `${side}px`);
    const hadFocus = this.list.contains(this.active);
    if (this.tiles.length !== images.length) this.build(images.length);
    const last = images.length - 1;
    if (this.turned) this.focus = this.turned > 0 ? 0 : last;
    this.focus = within(this.focus, 0, last);
    const url = this.sheet.of(this.get("_sheet"));
    const rows = Math.ceil(images.length / columns);
    this.tiles.forEach((tile, i) => {
      this.paintTile(tile, images[i]);
      tile.tabIndex = i === this.focus ? 0 : -1;
      const { style } = /** @type {HTMLElement} */ (tile.firstElementChild);
      style.backgroundImage = `url("${url}")`;
      style.backgroundSize = `${columns * side}px ${rows * side}px`;
      style.backgroundPosition = `${-(i % columns) * side}px ${-Math.floor(i / columns) * side}px`;
    });
    this.paintPages(images.length);
    this.list.setAttribute("aria-label", this.get("title") || "images");
    if (hadFocus && !this.list.contains(this.active)) this.tiles[this.focus]?.focus(); // it was built anew
    this.endTurn();
    this.painted();
  }

  /**
   * @param {HTMLElement} tile
   * @param {GalleryImage} image
   */
  paintTile(tile, { id, caption, mark }) {
    const sign = SIGNS[mark] ? `${SIGNS[mark]} ` : "";
    const words = /** @type {HTMLElement} */ (tile.lastElementChild);
    words.textContent = sign + caption;
    tile.dataset.mark = mark;
    tile.title = id;
    tile.setAttribute("aria-selected", String(id === this.get("selected")));
    const label = [caption, mark, id === caption ? "" : id].filter(Boolean);
    tile.setAttribute("aria-label", label.join(", "));
  }

  /** @param {number} n images of this page */
  paintPages(n) {
    const pages = this.get("_pages");
    const first = this.get("_first");
    const count = this.get("_count");
    this.where.textContent =
      pages > 1 ? `${first + 1}–${first + n} of ${count}` : `${count} image${count === 1 ? "" : "s"}`;
    this.back.hidden = pages < 2;
    this.forth.hidden = pages < 2;
    this.back.disabled = this.get("page") === 0;
    this.forth.disabled = this.get("page") >= pages - 1;
  }

  /** The page that was turned to is there. */
  endTurn() {
    if (!this.turned) return;
    if (this.hadFocus) this.tiles[this.focus]?.focus();
    this.turned = 0;
  }

  // what the user does

  /** @param {1 | -1} by */
  turn(by) {
    const page = this.get("page") + by;
    if (page < 0 || page >= this.get("_pages")) return;
    this.turned = by;
    this.hadFocus = this.list.contains(this.active);
    this.set({ page });
  }

  /** @param {number} at */
  choose(at) {
    const { id } = this.images[at];
    this.set({ selected: this.get("selected") === id ? null : id });
  }

  /** @param {number} to */
  move(to) {
    this.tiles[within(to, 0, this.tiles.length - 1)]?.focus();
  }

  /**
   * The tile that an event happened to.
   * @param {Event} event
   */
  tileOf(event) {
    return /** @type {HTMLElement | null | undefined} */ (targetOf(event).closest?.(".tkga-tile"));
  }

  /**
   * However the focus came here: by a click, a key, a screen reader.
   * @param {FocusEvent} event
   */
  onFocus(event) {
    const tile = this.tileOf(event);
    if (!tile) return;
    this.focus = Number(tile.dataset.at);
    for (const other of this.tiles) other.tabIndex = other === tile ? 0 : -1;
  }

  /** Tiles in a painted row, whatever the width. */
  across() {
    const top = this.tiles[0]?.offsetTop;
    const next = this.tiles.findIndex((tile) => tile.offsetTop !== top);
    return next < 0 ? this.tiles.length : next;
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const tile = this.tileOf(event);
    if (!tile) return;
    this.move(Number(tile.dataset.at));
    this.choose(this.focus);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (!this.tileOf(event)) return;
    const { key } = event;
    const to = this.led(key);
    if (to !== undefined) this.done(event, () => this.step(key, to));
    else if (key === "PageUp") this.done(event, () => this.turn(-1));
    else if (key === "PageDown") this.done(event, () => this.turn(1));
    else if (key === "Enter" || key === " ") this.done(event, () => this.choose(this.focus));
    else if (key === "Escape" && this.get("selected") !== null) {
      this.done(event, () => this.set({ selected: null }));
    }
  }

  /**
   * The tile that a key leads to, if it is one that moves; it may be none there is.
   * @param {string} key
   * @returns {number | undefined}
   */
  led(key) {
    /** @type {Record<string, number>} */
    const ways = {
      ArrowLeft: this.focus - 1,
      ArrowRight: this.focus + 1,
      ArrowUp: this.focus - this.across(),
      ArrowDown: this.focus + this.across(),
      Home: 0,
      End: this.tiles.length - 1,
    };
    return ways[key];
  }

  /**
   * @param {string} key
   * @param {number} to
   */
  step(key, to) {
    const vertical = key === "ArrowUp" || key === "ArrowDown";
    if (vertical && (to < 0 || to >= this.tiles.length)) return;
    this.move(to);
  }
}

/**
 * @param {Place} place
 * @returns {Stop}
 */
function render({ model, el }) {
  const view = new View(model, el);
  const stop = keep(view, PAINTED_FROM, (on) => {
    view.list.addEventListener("click", (event) => view.onClick(event), on);
    view.list.addEventListener("focusin", (event) => view.onFocus(event), on);
    view.back.addEventListener("click", () => view.turn(-1), on);
    view.forth.addEventListener("click", () => view.turn(1), on);
  });
  return () => {
    stop();
    view.sheet.drop();
  };
}

export default { render };
