// Explorer: what is chosen, tabs, and in each tab panels that believe they are alone. After all of them.

import { Asker, Frame, keep, make, write } from "../base/common.js";
import { SheetUrl } from "../base/tiles.js";
import { ErrorPicker } from "../base/confusion.js";
import { Guide } from "./guide.js";
import * as PANELS from "./panels.js";
import "./style.css";

const KEYS = [
  ["Tab", "to what is chosen, the tabs, the panel"],
  ["Tabs: arrows, Home, End", "to another panel"],
  ["Mistakes: arrows, Enter", "choose a cell of the confusion"],
  ["t", "the guided tour, or back to its box"],
  ["Tour: →, ←, Enter, Home, End, Escape", "next, back, next, first, last, leave"],
  ["In a panel: ?", "its own keys"],
  ["?", "show or hide this list"],
];
const CHOSEN = { pair: "error", image: "image", heads: "heads", text: "text", edit: "edit" };

// What a panel sees of the model: its own traits, under its own names. No more than any host offers.
class Part {
  constructor(model, name) {
    this.model = model;
    this.name = name;
  }

  key(trait) {
    return trait === "theme" ? trait : `${this.name}__${trait}`;
  }

  event(name) {
    return name.startsWith("change:") ? `change:${this.key(name.slice(7))}` : name;
  }

  get(trait) {
    return this.model.get(this.key(trait));
  }

  set(trait, value) {
    this.model.set(this.key(trait), value);
  }

  save_changes() {
    this.model.save_changes();
  }

  on(name, act) {
    this.model.on(this.event(name), act);
  }

  off(name, act) {
    this.model.off(this.event(name), act);
  }
}

class View extends Frame {
  constructor(model, el) {
    super(model, el, "tkex", KEYS);
    this.asker = new Asker(model);
    this.shown = new Map(); // part → what takes its view away
    this.id = Math.random().toString(36).slice(2, 8);
    this.guide = new Guide(this);
    this.report = this.tool("report", "Write a report");
    this.code = this.tool("state", "Show the state to copy or restore");
    this.code.setAttribute("aria-expanded", "false");
    this.bar = make("div", "tkex-bar", null, { role: "group", "aria-label": "what is chosen" });
    this.title.after(this.bar);
    this.thumb = new SheetUrl();
    this.chips = Object.fromEntries(
      Object.entries(CHOSEN).map(([what, words]) => [what, this.chip(what, words)]),
    );
    this.buildState();
    this.body.append(this.guide.box);
    this.tabs = make("div", "tkex-tabs", this.body, { role: "tablist", "aria-label": "panels" });
    this.panes = {};
    this.buildTabs(model.get("_tabs"));
    this.buildMistakes(this.panes.mistakes);
  }

  chip(what, words) {
    const node = make("span", "tkex-chip", this.bar);
    make("span", "tkex-soft", node).textContent = words;
    const picture = what === "image" ? make("i", "tkex-thumb", node, { "aria-hidden": "true" }) : null;
    const value = make("b", "", node);
    const drop = make("button", "", node, { type: "button", "aria-label": `let the ${words} go` });
    drop.textContent = "×";
    drop.what = what;
    return { node, value, drop, picture };
  }

  buildState() {
    this.state = make("div", "tkex-state", this.body, { hidden: "" });
    this.json = make("textarea", "", this.state, {
      "aria-label": "state as JSON",
      rows: "10",
      spellcheck: "false",
    });
    this.restore = make("button", "", this.state, { type: "button" });
    this.restore.textContent = "restore this";
  }

  buildTabs(tabs) {
    for (const [name, words] of Object.entries(tabs)) {
      const [tab, pane] = [`tkex-${this.id}-tab-${name}`, `tkex-${this.id}-pane-${name}`];
      const button = make("button", "tkex-tab", this.tabs, {
        type: "button",
        role: "tab",
        id: tab,
        "aria-controls": pane,
      });
      button.textContent = words;
      button.tab = name;
      this.panes[name] = make("div", "tkex-pane", this.body, {
        role: "tabpanel",
        id: pane,
        "aria-labelledby": tab,
        hidden: "",
      });
    }
  }

  buildMistakes(pane) {
    const side = make("div", "tkex-side", pane);
    this.pickerBox = make("div", "tkl tkex-picker", side);
    this.picker = new ErrorPicker(this, this.pickerBox);
    this.gridBox = make("div", "", side);
    const main = make("div", "tkex-main", pane);
    const row = make("div", "tkex-row", main);
    this.show = make("select", "", row, { "aria-label": "which images" });
    for (const [value, words] of Object.entries(this.model.get("_shows")))
      make("option", "", this.show, { value }).textContent = words;
    this.query = make("input", "", row, {
      type: "text",
      maxlength: "300",
      placeholder: "search by text: a bird on water",
      "aria-label": "search images by text",
    });
    this.found = make("div", "tkex-soft", main, { role: "status" });
    this.galleryBox = make("div", "", main);
    this.waits = {};
    for (const [name, tab] of Object.entries(this.model.get("_part")).map(([a, b]) => [b, a])) {
      this.waits[name] = make("div", "tkex-wait", this.panes[tab], { role: "status" });
    }
  }

  get tab() {
    return this.model.get("tab");
  }

  // the panels of the open tab, and no others: what is not seen is not painted

  mount() {
    const m = this.model;
    const there = m.get("_parts");
    const part = m.get("_part")[this.tab];
    const wanted =
      this.tab === "mistakes"
        ? { gallery: this.galleryBox, grid: this.gridBox }
        : { [part]: this.panes[this.tab] };
    for (const [name, away] of this.shown) {
      if (wanted[name]) continue;
      away();
      this.shown.delete(name);
    }
    for (const [name, box] of Object.entries(wanted)) {
      if (this.shown.has(name) || !there.includes(name)) continue;
      const host = make("div", "", box);
      const stop = PANELS[name].render({ model: new Part(m, name), el: host });
      this.shown.set(name, () => {
        stop?.();
        host.remove();
      });
    }
  }

  away() {
    for (const stop of this.shown.values()) stop();
    this.shown.clear();
  }

  // paint

  paint() {
    const m = this.model;
    this.paintFrame();
    this.title.hidden = !m.get("title");
    for (const button of this.tabs.children) {
      const on = button.tab === this.tab;
      button.setAttribute("aria-selected", on);
      button.tabIndex = on ? 0 : -1;
      this.panes[button.tab].hidden = !on;
    }
    this.paintChosen();
    const confusion = m.get("_confusion");
    this.pickerBox.hidden = !confusion.names.length;
    if (confusion.names.length) this.picker.paint(confusion, m.get("pair"));
    this.show.value = m.get("show");
    if (this.root.getRootNode().activeElement !== this.query) this.query.value = m.get("query");
    const { done, of } = m.get("_progress");
    const busy = m.get("_work");
    const on = busy.includes("parts")
      ? of
        ? `Taking ${of} images apart: ${Math.round((100 * done) / of)} %`
        : "Taking the images apart …"
      : "";
    write(this.found, on || m.get("_found"));
    for (const [name, node] of Object.entries(this.waits)) {
      node.hidden = m.get("_parts").includes(name);
      write(node, on || (m.get("error") ? "" : "One moment …"));
    }
    this.galleryBox.classList.toggle("tk-stale", busy.includes("images"));
    this.gridBox.classList.toggle("tk-stale", busy.includes("grid"));
    this.report.disabled = busy.includes("report") || busy.includes("parts");
    write(this.report, busy.includes("report") ? "writing …" : "report");
    if (m.get("_saved") !== this.saved) {
      this.saved = m.get("_saved");
      this.json.value = this.saved;
    }
    this.mount();
    this.guide.paint();
    this.root.setAttribute("aria-busy", busy.length > 0);
    this.painted();
  }

  paintChosen() {
    const m = this.model;
    const now = m.get("_now");
    const pair = m.get("pair");
    const said = {
      pair: pair ? `${pair[0]} → ${pair[1]}` : "all mistakes",
      image: now.of?.length ? `${now.of[0]} → ${now.of[2]}` : now.image,
      heads: now.heads,
      text: now.text,
      edit: now.edit,
    };
    for (const [what, { node, value, drop }] of Object.entries(this.chips)) {
      write(value, said[what] || "none");
      value.title = what === "image" ? now.image || "" : said[what] || "";
      node.dataset.none = !said[what];
      drop.hidden = what === "edit" || (what === "pair" ? !pair : !said[what]); // an edit is another one, or none
    }
    const url = this.thumb.of(m.get("_thumb"));
    this.chips.image.picture.hidden = !url;
    this.chips.image.picture.style.backgroundImage = url ? `url("${url}")` : "";
    write(this.summary, [m.get("summary"), m.get("_told")].filter(Boolean).join(" "));
  }

  // what the user does

  ask(what) {
    this.asker.ask(what);
  }

  toggleState() {
    this.state.hidden = !this.state.hidden;
    this.code.setAttribute("aria-expanded", !this.state.hidden);
    if (!this.state.hidden) {
      this.set({ _saved: "" }); // so that the answer is a change, whatever was typed since the last
      this.ask({ do: "state" });
      this.json.focus();
    }
  }

  onClick(event) {
    const target = event.target;
    if (this.guide.onClick(target)) return;
    if (target.tab) return this.set({ tab: target.tab });
    if (target.what) return this.ask({ do: "let go", what: target.what });
    if (target === this.report) return this.ask({ do: "report" });
    if (target === this.code) return this.toggleState();
    if (target === this.restore) return this.ask({ do: "restore", state: this.json.value });
    if (!this.pickerBox.contains(target)) return;
    const pair = this.picker.clicked(target);
    if (pair !== undefined)
      this.set({ pair: pair && String(pair) === String(this.model.get("pair")) ? null : pair });
  }

  onKey(event) {
    if (this.guide.onKey(event)) return;
    if (event.target.tab) return this.onTabKey(event);
    if (this.pickerBox.contains(event.target) && this.picker.moved(event)) event.preventDefault();
  }

  onTabKey(event) {
    const all = [...this.tabs.children];
    const at = all.indexOf(event.target);
    const to = {
      ArrowRight: (at + 1) % all.length,
      ArrowLeft: (at - 1 + all.length) % all.length,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (to === undefined) return;
    this.done(event, () => {
      this.set({ tab: all[to].tab });
      this.paint();
      all[to].focus();
    });
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  const names = [
    "tab",
    "pair",
    "show",
    "query",
    "_parts",
    "_confusion",
    "_found",
    "_now",
    "_thumb",
    "_progress",
    "_told",
    "_saved",
    "_work",
    "guide",
    "_tour",
  ];
  const stop = keep(view, names, (on) => {
    view.root.addEventListener("click", (e) => view.onClick(e), on);
    view.show.addEventListener("change", () => view.set({ show: view.show.value }), on);
    view.query.addEventListener("change", () => view.set({ query: view.query.value }), on);
  });
  return () => {
    view.away();
    view.guide.away();
    stop();
    view.thumb.drop();
  };
}

export default { render };
