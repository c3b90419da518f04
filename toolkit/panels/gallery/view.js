// Gallery: a page of thumbnails cut out of one binary sheet. One of them is in the tab order at a time.

import { Frame, keep, make } from "../base/common.js";
import "./style.css";

const KEYS = [
  ["Click, Space or Enter", "choose an image, or let it go"],
  ["Arrows, Home, End", "move"],
  ["Page up, Page down", "turn the page"],
  ["Escape", "choose none"],
  ["?", "show or hide this list"],
];
const SIGNS = { right: "✓", wrong: "✗" };

class View extends Frame {
  constructor(model, el) {
    super(model, el, "tkga", KEYS);
    this.focus = 0;
    this.tiles = [];
    this.url = "";
    this.back = this.tool("‹", "Previous page");
    this.where = make("span", "tkga-where");
    this.tools.insertBefore(this.where, this.help);
    this.forth = this.tool("›", "Next page");
    this.list = make("div", "tkga-list", this.body, { role: "listbox" });
  }

  build(n) {
    this.tiles = [];
    this.list.replaceChildren();
    for (let i = 0; i < n; i++) {
      const tile = make("div", "tkga-tile", this.list, { role: "option", tabindex: "-1" });
      tile.dataset.at = i;
      make("div", "tkga-picture", tile);
      make("div", "tkga-caption", tile);
      this.tiles.push(tile);
    }
  }

  show(sheet) {
    // a new sheet: one object URL, the old one let go
    if (this.bytes === sheet) return;
    this.bytes = sheet;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = sheet.byteLength ? URL.createObjectURL(new Blob([sheet], { type: "image/jpeg" })) : "";
  }

  paint() {
    const m = this.model;
    const { columns, side, n } = m.get("_tiles");
    const [ids, captions, marks] = [m.get("_ids"), m.get("_captions"), m.get("_marks")];
    if (ids.length !== n || captions.length !== n || marks.length !== n) return; // the rest is still on its way
    this.paintFrame();
    this.root.style.setProperty("--tk-tile", `${side}px`);
    if (this.tiles.length !== n) this.build(n);
    this.show(m.get("_sheet"));
    if (this.turned) this.focus = this.turned > 0 ? 0 : n - 1;
    this.focus = Math.max(0, Math.min(n - 1, this.focus));
    const selected = m.get("selected");
    const rows = Math.ceil(n / columns);
    this.tiles.forEach((tile, i) => {
      const [picture, caption] = tile.children;
      picture.style.backgroundImage = `url("${this.url}")`;
      picture.style.backgroundSize = `${columns * side}px ${rows * side}px`;
      picture.style.backgroundPosition = `${-(i % columns) * side}px ${-Math.floor(i / columns) * side}px`;
      caption.textContent = (SIGNS[marks[i]] ? `${SIGNS[marks[i]]} ` : "") + captions[i];
      tile.dataset.mark = marks[i];
      tile.title = ids[i];
      tile.setAttribute("aria-selected", ids[i] === selected);
      tile.setAttribute(
        "aria-label",
        [captions[i], marks[i], ids[i] === captions[i] ? "" : ids[i]].filter(Boolean).join(", "),
      );
      tile.tabIndex = i === this.focus ? 0 : -1;
    });
    const pages = m.get("_pages");
    const [first, count] = [m.get("_first"), m.get("_count")];
    this.where.textContent = pages > 1 ? `${first + 1}–${first + n} of ${count}` : `${count} images`;
    for (const button of [this.back, this.forth]) button.hidden = pages < 2;
    this.back.disabled = m.get("page") === 0;
    this.forth.disabled = m.get("page") >= pages - 1;
    this.list.setAttribute("aria-label", m.get("title") || "images");
    if (this.turned) {
      if (this.hadFocus) this.tiles[this.focus]?.focus();
      this.turned = 0;
    }
    this.painted();
  }

  turn(by) {
    const page = this.model.get("page") + by;
    if (page < 0 || page >= this.model.get("_pages")) return;
    this.turned = by;
    this.hadFocus = this.list.contains(this.root.getRootNode().activeElement);
    this.set({ page });
  }

  choose(at) {
    const id = this.model.get("_ids")[at];
    this.set({ selected: this.model.get("selected") === id ? null : id });
  }

  move(to) {
    this.tiles[Math.max(0, Math.min(this.tiles.length - 1, to))]?.focus();
  }

  onFocus(event) {
    // however the focus came here: a click, a key, a screen reader
    const tile = event.target.closest?.(".tkga-tile");
    if (!tile) return;
    this.focus = Number(tile.dataset.at);
    for (const other of this.tiles) other.tabIndex = other === tile ? 0 : -1;
  }

  across() {
    // tiles in a painted row, whatever the width
    const top = this.tiles[0]?.offsetTop;
    const next = this.tiles.findIndex((tile) => tile.offsetTop !== top);
    return next < 0 ? this.tiles.length : next;
  }

  onClick(event) {
    const tile = event.target.closest?.(".tkga-tile");
    if (!tile) return;
    this.move(Number(tile.dataset.at));
    this.choose(this.focus);
  }

  onKey(event) {
    if (!event.target.closest?.(".tkga-tile")) return;
    const moves = {
      ArrowLeft: this.focus - 1,
      ArrowRight: this.focus + 1,
      ArrowUp: this.focus - this.across(),
      ArrowDown: this.focus + this.across(),
      Home: 0,
      End: this.tiles.length - 1,
    };
    if (event.key in moves) return this.done(event, () => this.step(event.key, moves[event.key]));
    if (event.key === "PageUp" || event.key === "PageDown")
      return this.done(event, () => this.turn(event.key === "PageUp" ? -1 : 1));
    if (event.key === "Enter" || event.key === " ") return this.done(event, () => this.choose(this.focus));
    if (event.key === "Escape" && this.model.get("selected") !== null) {
      return this.done(event, () => this.set({ selected: null }));
    }
  }

  step(key, to) {
    if ((key === "ArrowUp" || key === "ArrowDown") && (to < 0 || to >= this.tiles.length)) return;
    this.move(to);
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  const names = [
    "_sheet",
    "_tiles",
    "_ids",
    "_captions",
    "_marks",
    "_pages",
    "_count",
    "_first",
    "page",
    "selected",
  ];
  const stop = keep(view, names, (on) => {
    view.list.addEventListener("click", (e) => view.onClick(e), on);
    view.list.addEventListener("focusin", (e) => view.onFocus(e), on);
    view.back.addEventListener("click", () => view.turn(-1), on);
    view.forth.addEventListener("click", () => view.turn(1), on);
  });
  return () => {
    stop();
    if (view.url) URL.revokeObjectURL(view.url);
  };
}

export default { render };
