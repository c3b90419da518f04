// Explorer: what is chosen, tabs, and in each tab panels that believe they are alone.

/** @import { Option } from "../base/controls.js" */
/** @import { ErrorsSent, Key, Place, Stop } from "../base/types.d.ts" */

import { choice, offer } from "../base/controls.js";
import { make, targetOf, write } from "../base/dom.js";
import { Frame } from "../base/frame.js";
import { keep } from "../base/keep.js";
import { alike } from "../base/numbers.js";
import { ErrorPicker, errorsWords } from "../base/confusion.js";
import { Finder } from "../base/finder.js";
import { Chosen } from "./chosen.js";
import { Guide } from "./guide.js";
import * as panels from "./panels.js";
import { Part } from "./part.js";
import { Uses } from "./uses.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Tab", "to what is chosen, the tabs, the panel"],
  ["Tabs: arrows, Home, End", "to another panel"],
  ["Mistakes: arrows, Enter", "choose a cell of the confusion"],
  ["t", "the guided tour, or back to its box"],
  ["Tour: →, ←, Enter, Home, End, Escape", "next, back, next, first, last, leave"],
  ["In a panel: ?", "its own keys"],
  ["?", "show or hide this list"],
];
const PAINTED_FROM = [
  "tab",
  "pair",
  "show",
  "query",
  "group",
  "_groups",
  "find",
  "_parts",
  "_confusion",
  "_found",
  "_uses",
  "_now",
  "_thumb",
  "_told",
  "_saved",
  "_warned",
  "_work",
  "guide",
  "_tour",
];
/** @type {Record<string, {render: (place: Place) => Stop}>} by folder */
const PANELS = panels;
const MISTAKES = "mistakes"; // the tab that is the explorer's own

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkex", KEYS);
    /** @type {Map<string, Stop>} by part, what takes its view away */
    this.shown = new Map();
    /** Part of the ids of this view's elements. */
    this.id = Math.random().toString(36).slice(2, 8);
    /** @type {string | undefined} the state that is in the field */
    this.saved = undefined;
    write(this.inWords.children[0], "all of it in words");
    this.body.before(this.signs.node); // the head is full of what is chosen
    this.guide = new Guide(this);
    this.report = this.tool("report", "Write a report");
    this.code = this.tool("state", "Show the state to copy or restore");
    this.code.setAttribute("aria-expanded", "false");
    this.chosen = new Chosen();
    this.title.after(this.chosen.node);
    this.warned = this.button(null, "", { class: "tkex-warned", title: "What the checks found" });
    this.tools.prepend(this.warned);
    this.tools.insertBefore(this.folds.w.button, this.help); // what is chosen stands where panels have their title
    this.told = make("div", "tkex-soft", this.body, { hidden: "" });
    this.state = make("div", "tkex-state", this.body, { hidden: "" });
    const field = { "aria-label": "state as JSON", rows: "10", spellcheck: "false" };
    this.json = make("textarea", "", this.state, field);
    this.restore = this.button(this.state, "restore this");
    this.body.append(this.guide.box);
    this.tabs = make("div", "tkex-tabs", this.body, { role: "tablist", "aria-label": "panels" });
    /** @type {{name: string, button: HTMLElement, pane: HTMLElement}[]} */
    this.all = Object.entries(this.get("_tabs")).map(([name, words]) => this.buildTab(name, String(words)));
    const side = make("div", "tkex-side", this.paneOf(MISTAKES));
    this.pickerBox = make("div", "tkl tkex-picker", side);
    this.finder = new Finder(this.pickerBox);
    this.picker = new ErrorPicker(this.pickerBox);
    this.gridBox = make("div", "", side);
    this.uses = new Uses(side);
    const main = make("div", "tkex-main", this.paneOf(MISTAKES));
    const row = make("div", "tkex-row", main);
    this.show = choice(row, "which images", Object.entries(this.get("_shows")));
    this.group = choice(row, "of which group", []);
    const query = { type: "text", maxlength: "300", "aria-label": "search images by text" };
    this.query = make("input", "", row, { ...query, placeholder: "search by text: a bird on water" });
    this.found = make("div", "tkex-soft", main, { role: "status" });
    this.galleryBox = make("div", "", main);
    this.waits = Object.entries(this.partOf).map(([tab, part]) => {
      return { part, node: make("div", "tkex-wait", this.paneOf(tab), { role: "status" }) };
    });
  }

  /**
   * @param {string} name
   * @param {string} words
   */
  buildTab(name, words) {
    const tab = `tkex-${this.id}-tab-${name}`;
    const place = `tkex-${this.id}-pane-${name}`;
    const button = make("button", "tkex-tab", this.tabs, {
      type: "button",
      role: "tab",
      id: tab,
      "aria-controls": place,
    });
    button.textContent = words;
    const attributes = { role: "tabpanel", id: place, "aria-labelledby": tab, hidden: "" };
    return { name, button, pane: make("div", "tkex-pane", this.body, attributes) };
  }

  // what the model holds

  /** @returns {string} the tab that is open */
  get tab() {
    return this.get("tab");
  }

  /** @returns {Record<string, string>} by tab, the part it shows */
  get partOf() {
    return this.get("_part");
  }

  /** @returns {Record<string, string>} by part, the folder its script is in */
  get folderOf() {
    return this.get("_folders");
  }

  /** @returns {string[]} the parts that are there */
  get there() {
    return this.get("_parts");
  }

  /** @param {string} part */
  works(part) {
    return this.get("_work").includes(part);
  }

  /** @param {string} tab */
  paneOf(tab) {
    return /** @type {HTMLElement} */ (this.all.find(({ name }) => name === tab)?.pane);
  }

  /**
   * The tab that a button opens.
   * @param {Element} target
   */
  tabOf(target) {
    return this.all.find(({ button }) => button === target)?.name;
  }

  // the panels of the open tab, and no others: what is not seen is not painted

  /** Where parts are to be seen now. */
  get places() {
    if (this.tab === MISTAKES) {
      return new Map([
        ["gallery", this.galleryBox],
        ["grid", this.gridBox],
      ]);
    }
    return new Map([[this.partOf[this.tab], this.paneOf(this.tab)]]);
  }

  mount() {
    const { places } = this;
    for (const [part, takeAway] of this.shown) {
      if (places.has(part)) continue;
      takeAway();
      this.shown.delete(part);
    }
    for (const [part, box] of places) {
      if (this.shown.has(part) || !this.there.includes(part)) continue;
      const host = make("div", "", box);
      const stop = PANELS[this.folderOf[part]].render({ model: new Part(this.model, part), el: host });
      this.shown.set(part, () => {
        stop();
        host.remove();
      });
    }
  }

  away() {
    for (const takeAway of this.shown.values()) takeAway();
    this.shown.clear();
  }

  // paint

  paint() {
    this.paintFrame();
    this.title.hidden = !this.get("title");
    this.paintTabs();
    this.chosen.paint(this.get("pair"), this.get("_now"), this.get("_thumb"));
    write(this.summary, [this.get("summary"), this.get("_told")].filter(Boolean).join(" "));
    write(this.told, this.get("_told"));
    this.told.hidden = !this.get("_told");
    write(this.warned, this.get("_warned"));
    this.warned.hidden = !this.get("_warned");
    this.paintMistakes();
    this.paintWaits();
    this.paintReport();
    this.paintState();
    this.mount();
    this.guide.paint();
    this.root.setAttribute("aria-busy", String(this.get("_work").length > 0));
    this.painted();
  }

  paintTabs() {
    for (const { name, button, pane } of this.all) {
      const on = name === this.tab;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      pane.hidden = !on;
    }
  }

  paintMistakes() {
    /** @type {ErrorsSent} */
    const errors = this.get("_confusion");
    const there = errors.names.length > 0 || errors.rows !== undefined;
    this.pickerBox.hidden = !there;
    if (there) this.picker.paint(errors, this.get("pair"));
    this.finder.paint(errors.rows !== undefined, this.get("find"), "", errorsWords(errors), this.active);
    this.show.value = this.get("show");
    /** @type {string[]} */
    const groups = this.get("_groups");
    this.group.hidden = groups.length < 2;
    offer(this.group, [["", "every group"], ...groups.map((name) => /** @type {Option} */ ([name, name]))]);
    this.group.value = this.get("group");
    if (this.active !== this.query) this.query.value = this.get("query");
    write(this.found, this.onTheWay || this.get("_found"));
    this.uses.paint(this.get("_uses"));
    this.galleryBox.classList.toggle("tk-stale", this.works("images"));
    this.gridBox.classList.toggle("tk-stale", this.works("grid"));
  }

  /** What is waited for while the images are taken apart; the panel's sign says how far that is. */
  get onTheWay() {
    return this.works("parts") ? "Taking the images apart …" : "";
  }

  paintWaits() {
    const words = this.onTheWay || (this.get("error") ? "" : "One moment …");
    for (const { part, node } of this.waits) {
      node.hidden = this.there.includes(part);
      write(node, words);
    }
  }

  paintReport() {
    const writing = this.works("report");
    this.report.disabled = writing || this.works("parts");
    write(this.report, writing ? "writing …" : "report");
  }

  paintState() {
    const saved = this.get("_saved");
    if (saved === this.saved) return;
    this.saved = saved;
    this.json.value = saved;
  }

  // what the user does

  /** @param {{do: string, [more: string]: unknown}} what */
  ask(what) {
    this.asker.ask(what);
  }

  toggleState() {
    this.state.hidden = !this.state.hidden;
    this.code.setAttribute("aria-expanded", String(!this.state.hidden));
    if (this.state.hidden) return;
    this.set({ _saved: "" }); // so that the answer is a change, whatever was typed since the last
    this.ask({ do: "state" });
    this.json.focus();
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = targetOf(event);
    if (this.guide.onClick(target)) return;
    const tab = this.tabOf(target);
    const dropped = this.chosen.dropped(target);
    if (tab) this.set({ tab });
    else if (dropped) this.ask({ do: "let go", what: dropped });
    else if (target === this.report) this.ask({ do: "report" });
    else if (target === this.code) this.toggleState();
    else if (target === this.warned) this.set({ tab: "doctor" });
    else if (target === this.restore) this.ask({ do: "restore", state: this.json.value });
    else if (this.pickerBox.contains(target)) this.onPickerClick(target);
  }

  /** @param {Element} target */
  onPickerClick(target) {
    const pair = this.picker.clicked(target);
    if (pair === undefined) return;
    const again = pair && alike(pair, this.get("pair"));
    this.set({ pair: again ? null : pair });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = targetOf(event);
    if (this.guide.onKey(event)) return;
    if (this.tabOf(target)) this.onTabKey(event);
    else if (this.pickerBox.contains(target) && this.picker.moved(event)) event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  onTabKey(event) {
    const { length } = this.all;
    const at = this.all.findIndex(({ button }) => button === targetOf(event));
    /** @type {Record<string, number>} */
    const ways = {
      ArrowRight: (at + 1) % length,
      ArrowLeft: (at - 1 + length) % length,
      Home: 0,
      End: length - 1,
    };
    const to = ways[event.key];
    if (to === undefined) return;
    this.done(event, () => {
      this.set({ tab: this.all[to].name });
      this.paint();
      this.all[to].button.focus();
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
    view.show.addEventListener("change", () => view.set({ show: view.show.value }), on);
    view.group.addEventListener("change", () => view.set({ group: view.group.value }), on);
    view.finder.listen(view, on);
    view.query.addEventListener("change", () => view.set({ query: view.query.value }), on);
  });
  return () => {
    view.away();
    view.guide.away();
    stop();
    view.chosen.thumb.drop();
  };
}

export default { render };
