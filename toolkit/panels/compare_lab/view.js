// CompareLab: methods by what they had to be told, the plane of their paths, the one looked at, and the table.

/** @import { FlipsSent, Head, GroupRow, Key, Place, Rgb, Stop } from "../base/types.d.ts" */
/** @import { Drawn } from "./plane.js" */
/** @import { MethodSent } from "./list.js" */
/** @import { TableSent } from "./table.js" */

import { css, rgbAt } from "../base/colours.js";
import { choice, labelled, offer } from "../base/controls.js";
import { floats, make, targetOf, write } from "../base/dom.js";
import { Flips } from "../base/flips.js";
import { Frame } from "../base/frame.js";
import { GroupTable } from "../base/groups.js";
import { keep } from "../base/keep.js";
import { HeadMap } from "../base/map.js";
import { within } from "../base/numbers.js";
import { imageOf, tileKey } from "../base/tiles.js";
import { lookOf, MethodList } from "./list.js";
import { ComparePlane } from "./plane.js";
import { CompareTable } from "./table.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["↑ ↓ in the list", "another method"],
  ["← → on a dial (Home, End)", "turn it; at its start it is the model as it is"],
  ["p, v", "all dials to the papers' values, to the validated ones"],
  ["l", "show the line of a price, or hide it; drag it, or + and −"],
  ["c", "placebo: the method looked at, told nothing"],
  ["d", "another draw of the few images"],
  ["h, f, o, t", "heads, flipped images, words, what it was told"],
  ["?", "show or hide this list"],
];
const PAINTED_FROM = [
  "about",
  "x",
  "y",
  "focus",
  "against",
  "price",
  "draw",
  "dials",
  "image",
  "_methods",
  "_paths",
  "_origin",
  "_made_of",
  "_shown",
  "_cloud",
  "placebo",
  "_table",
  "_flips",
  "_sheet",
  "_maps",
  "_layers",
  "_heads",
  "_map_words",
  "_head",
  "_work",
];
const CELL = 19; // pixels, so that two maps of eight heads stand side by side
const STEP = 0.005; // of the price, by keyboard
/** @typedef {"heads" | "flips" | "words" | "told"} Tab */
const TABS = /** @type {[Tab, string][]} */ ([
  ["heads", "heads"],
  ["flips", "flipped images"],
  ["words", "words"],
  ["told", "what it was told"],
]);

/**
 * @typedef {object} ShownMethod the method looked at
 * @property {string} name
 * @property {string} against
 * @property {GroupRow[]} rows
 * @property {string} told
 * @property {string[]} notes
 * @property {string} value
 * @property {string} dial
 * @property {string} source
 * @property {string} says
 * @property {{lines: string[], hint: string, leak: number[]} | null} words
 */

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkco", KEYS);
    this.body.classList.add("tkl");
    const line = make("div", "tkco-line", this.body);
    this.made = make("span", "tkco-soft", line);
    const measures = Object.entries(this.get("_names"));
    this.across = choice(labelled(line, "across ", "tkco-soft"), "across", measures);
    this.up = choice(labelled(line, "up ", "tkco-soft"), "up", measures);
    const dials = make("span", "tkco-soft", line);
    dials.textContent = "all dials ";
    this.paper = this.button(dials, "paper");
    this.validation = this.button(dials, "validation");
    this.priced = this.button(line, "price", { "aria-pressed": "false" });
    this.chance = this.button(line, "placebo", { "aria-pressed": "false" });
    this.draws = make("span", "tkco-soft", line);
    this.back = this.button(this.draws, "‹", { "aria-label": "previous draw" });
    this.where = make("span", "", this.draws);
    this.forth = this.button(this.draws, "›", { "aria-label": "next draw" });
    const columns = make("div", "tkco-columns", this.body);
    const look = (/** @type {string} */ name) => this.look(name);
    const turn = (/** @type {string} */ name, /** @type {number} */ at) => this.turn(name, at);
    this.list = new MethodList(this, columns, look, turn);
    const centre = make("div", "tkco-centre", columns);
    this.plane = new ComparePlane(centre, look, turn, (price) => this.set({ price }));
    const side = make("div", "tkco-side", columns);
    const top = make("div", "tkco-line", side);
    this.name = make("b", "tkco-of", top);
    this.against = choice(labelled(top, "against ", "tkco-soft"), "against which method", []);
    this.groups = new GroupTable(side);
    reach(this.groups.node, "groups of the method looked at");
    const tabs = make("div", "tkco-tabs", side, {
      role: "tablist",
      "aria-label": "about the method looked at",
    });
    this.tabs = TABS.map(([name, words]) => {
      const button = this.button(tabs, words, { role: "tab" });
      return {
        name,
        button,
        pane: make("div", "tkco-pane", side, { role: "tabpanel", "aria-label": words }),
      };
    });
    const [heads, flips, words, told] = this.tabs.map(({ pane }) => pane);
    this.mapWords = make("div", "tkco-soft", heads);
    this.maps = ["as it is", "under it"].map((words) => {
      const box = make("div", "tkco-map", heads);
      make("div", "tkco-soft", box).textContent = words;
      return new HeadMap(this, box, CELL);
    });
    this.flips = new Flips(this, flips);
    this.hint = make("div", "tkco-soft", words);
    this.lines = make("textarea", "", words, {
      rows: "5",
      spellcheck: "false",
      "aria-label": "words of the method",
    });
    this.tell = this.button(words, "tell it these");
    this.leak = make("div", "tkco-soft", words);
    /** The words that are in the field, as they came. */
    this.linesKey = "";
    this.told = make("div", "", told);
    this.table = new CompareTable(centre);
    reach(this.table.node, "all methods");
  }

  /** @returns {MethodSent[]} */
  get methods() {
    return this.get("_methods");
  }

  /** @returns {Record<string, number>} */
  get dials() {
    return this.get("dials");
  }

  /** @returns {Tab} */
  get tab() {
    return this.get("about");
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
    this.root.style.setProperty("--tk-after", css(rgbAt(palette, 0.14)));
    this.paintLine();
    const focus = this.get("focus");
    this.list.paint(this.methods, this.get("_told"), this.dials, focus, this.get("against"));
    this.paintPlane();
    this.paintSide(palette);
    const origin = this.get("_origin");
    const price = this.get("price");
    const told = price === null ? null : `${Number((100 * price).toFixed(1))} %`;
    const model = { worst: origin.worst ?? null, others: origin.locality ?? null };
    this.table.paint(this.get("_table"), model, focus, told);
    this.table.node.classList.toggle("tk-stale", this.works("table"));
    this.root.setAttribute("aria-busy", String(this.get("_work").length > 0));
    this.painted();
  }

  paintLine() {
    write(this.made, this.get("_made_of"));
    this.across.value = this.get("x");
    this.up.value = this.get("y");
    this.priced.setAttribute("aria-pressed", String(this.get("price") !== null));
    this.chance.setAttribute("aria-pressed", String(this.get("placebo")));
    this.validation.hidden = !this.methods.some(({ validated }) => validated !== null);
    const draws = this.get("_draws");
    this.draws.hidden = draws < 2;
    write(this.where, ` draw ${this.get("draw") + 1} of ${draws} `);
  }

  paintPlane() {
    const x = this.get("x");
    const y = this.get("y");
    const names = this.get("_names");
    const paths = this.get("_paths");
    const focus = this.get("focus");
    /** @type {Drawn[]} */
    const methods = this.methods.flatMap(({ name, paper }, i) => {
      const path = paths[name];
      if (!path) return [];
      const one = { name, ...lookOf(i, this.theme), x: path[x], y: path[y], at: this.dials[name] ?? paper };
      return [{ ...one, focus: name === focus, against: name === this.get("against") }];
    });
    const origin = this.get("_origin");
    /** @type {TableSent | undefined} */
    const row = this.get("_table").find((/** @type {TableSent} */ { name }) => name === focus);
    this.plane.paint({
      methods,
      origin: { x: origin[x] ?? null, y: origin[y] ?? null },
      names: { x: names[x], y: names[y] },
      price: y === "locality" ? this.get("price") : null,
      across: x === "worst" ? limits(origin.worst, row?.low, row?.high) : null,
      ...this.cloud(focus, x, y),
      up: y === "locality" ? limits(origin.locality, row?.others_low, row?.others_high) : null,
    });
    const way =
      "Drag a mark along its path, or turn its dial (▴ the paper's value; green: best on validation images). ◎ is the model as it is.";
    const { draws, placebo } = this.cloud(focus, x, y);
    const rings = draws.length ? ` Rings: ${focus} from other draws.` : "";
    const dots = placebo.length ? ` Grey dots: ${focus} told nothing, ${placebo.length} times.` : "";
    const coming = this.works("paths") ? " More paths are on the way." : "";
    write(this.plane.tip, `${way}${rings}${dots}${coming}`);
  }

  /**
   * The one in focus made from other draws, and told nothing.
   * @param {string} focus
   * @param {string} x
   * @param {string} y
   */
  cloud(focus, x, y) {
    const { name, draws = [], placebo = [] } = this.get("_cloud");
    const own = name === focus;
    /** @type {(one: Record<string, number | null>) => {x: number | null, y: number | null}} */
    const point = (one) => ({ x: one[x] ?? null, y: one[y] ?? null });
    return {
      draws: own ? draws.map(point) : [],
      placebo: own && this.get("placebo") ? placebo.map(point) : [],
    };
  }

  /** @param {Rgb[]} palette */
  paintSide(palette) {
    /** @type {Partial<ShownMethod>} */
    const shown = this.get("_shown");
    const stale = this.works("shown");
    write(this.name, shown.name ? `${shown.name}, ${shown.dial} = ${shown.value}` : "");
    const others = this.methods.filter(({ name, reason }) => !reason && name !== shown.name);
    offer(this.against, [
      ["", "the model as it is"],
      ...others.map(({ name }) => /** @type {[string, string]} */ ([name, name])),
    ]);
    this.against.value = this.get("against");
    this.groups.node.hidden = !shown.rows;
    const was = shown.against || "as it is";
    if (shown.rows) this.groups.paint(shown.rows, "group", was, "now");
    this.groups.node.classList.toggle("tk-stale", stale);
    for (const { name, button, pane } of this.tabs) {
      const on = name === this.tab;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      pane.hidden = !on;
    }
    if (this.tab === "heads") this.paintMaps(palette);
    /** @type {FlipsSent} */
    const flips = this.get("_flips");
    if (this.tab === "flips")
      this.flips.paint(flips, this.get("_sheet"), this.get("image"), shown.against ?? "");
    if (this.tab === "words") this.paintWords(shown);
    if (this.tab === "told") this.paintTold(shown);
  }

  /** @param {Rgb[]} palette */
  paintMaps(palette) {
    /** @type {number[]} */
    const layers = this.get("_layers");
    write(this.mapWords, this.get("_map_words"));
    const values = floats(this.get("_maps"));
    const size = layers.length * this.get("_heads");
    const most = Math.max(1e-12, ...values.map(Math.abs));
    /** @type {Head} */
    const head = this.get("_head") ?? [layers[0] ?? 0, 0];
    this.maps.forEach((map, which) => {
      const box = /** @type {HTMLElement} */ (map.node.parentElement);
      box.hidden = !size;
      if (!size) return;
      const own = values.slice(which * size, (which + 1) * size);
      map.shape(layers, this.get("_heads"));
      map.paint(
        head,
        palette,
        (i) => within(0.5 - own[i] / (2 * most), 0, 1),
        (i) => `${own[i] < 0 ? "−" : "+"}${Math.abs(100 * own[i]).toFixed(2)}`,
      );
      const words = which ? "under the method" : "in the model as it is";
      map.node.setAttribute("aria-label", `what heads do to the margin ${words}`);
      map.node.classList.toggle("tk-stale", this.works("heads"));
    });
  }

  /**
   * What it is told in words, to be typed anew; what is being typed is not overwritten.
   * @param {Partial<ShownMethod>} shown
   */
  paintWords({ name, words }) {
    const none = !words;
    this.lines.hidden = none;
    this.tell.hidden = none;
    write(this.hint, words ? `${words.hint}.` : "This one is told no words.");
    write(this.leak, "");
    if (!words) return;
    const key = JSON.stringify([name, words.lines]);
    if (key !== this.linesKey) {
      this.linesKey = key;
      this.lines.value = words.lines.join("\n");
    }
    const { leak } = words;
    if (!leak.length) return;
    const told = leak.map((value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`).join(", ");
    write(this.leak, `Leak, what of the classes of the mistake goes with each pair (cosine): ${told}.`);
  }

  /** @param {Partial<ShownMethod>} shown */
  paintTold({ told, notes = [], source, says, dial }) {
    this.told.replaceChildren();
    const lines = [told, says && `${dial}: ${says}`, source && `from ${source}`, ...notes];
    for (const words of lines.filter(Boolean)) make("div", "", this.told).textContent = `${words}.`;
  }

  // what the user does

  /** @param {string} name */
  look(name) {
    if (this.get("focus") !== name && !this.methods.find((one) => one.name === name)?.reason) {
      this.set({ focus: name });
    }
  }

  /**
   * @param {string} name
   * @param {number} at
   */
  turn(name, at) {
    if (this.dials[name] === at) return;
    this.set({ dials: { ...this.dials, [name]: at } });
  }

  togglePrice() {
    const origin = this.get("_origin").locality ?? 1;
    this.set({ price: this.get("price") === null ? Number((origin - 0.02).toFixed(3)) : null });
  }

  /** @param {number} by */
  movePrice(by) {
    const price = this.get("price");
    if (price !== null) this.set({ price: within(Number((price + by).toFixed(3)), 0, 1) });
  }

  /** @param {number} by */
  moveDraw(by) {
    const draws = this.get("_draws");
    if (draws > 1) this.set({ draw: (this.get("draw") + by + draws) % draws });
  }

  tellWords() {
    const { name } = this.get("_shown");
    this.asker.ask({ do: "tell", name, lines: this.lines.value.split("\n") });
  }

  /** @param {Tab} about */
  open(about) {
    this.set({ about });
    this.paint();
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = targetOf(event);
    const tab = this.tabs.find(({ button }) => button === target);
    const image = imageOf(target);
    const head = this.maps.map((map) => map.headOf(target)).find(Boolean);
    const row = /** @type {HTMLElement | null} */ (target.closest("tr[data-name]"));
    if (target === this.paper) this.asker.ask({ do: "put", how: "paper" });
    else if (target === this.validation) this.asker.ask({ do: "put", how: "validation" });
    else if (target === this.priced) this.togglePrice();
    else if (target === this.chance) this.set({ placebo: !this.get("placebo") });
    else if (target === this.back) this.moveDraw(-1);
    else if (target === this.forth) this.moveDraw(1);
    else if (target === this.tell) this.tellWords();
    else if (tab) this.open(tab.name);
    else if (target.dataset.name && target.classList.contains("tkco-pick")) this.look(target.dataset.name);
    else if (row?.dataset.name) this.look(row.dataset.name);
    else if (head) this.set({ _head: head });
    else if (image !== undefined) this.set({ image: this.get("image") === image ? null : image });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    /** @type {Record<string, () => void>} */
    const acts = {
      p: () => this.asker.ask({ do: "put", how: "paper" }),
      v: () => !this.validation.hidden && this.asker.ask({ do: "put", how: "validation" }),
      l: () => this.togglePrice(),
      "+": () => this.movePrice(STEP),
      "-": () => this.movePrice(-STEP),
      c: () => this.set({ placebo: !this.get("placebo") }),
      d: () => this.moveDraw(1),
      h: () => this.open("heads"),
      f: () => this.open("flips"),
      o: () => this.open("words"),
      t: () => this.open("told"),
    };
    const act = acts[event.key];
    if (act) this.done(event, act);
    else if (this.tabs.some(({ button }) => button === targetOf(event))) this.onTabKey(event);
    else if (this.maps.some((map) => map.headOf(targetOf(event)))) this.onMapKey(event);
    else tileKey(this, event);
  }

  /**
   * Keys that a dial would take for itself.
   * @param {KeyboardEvent} event
   */
  onDial(event) {
    if (!this.list.nameOf(targetOf(event))) return;
    const by = event.key === "ArrowDown" ? 1 : -1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") this.done(event, () => this.list.step(by));
    else if ("pvlcdhfot+-".includes(event.key)) this.onKey(event);
  }

  /** @param {KeyboardEvent} event */
  onTabKey(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const at = this.tabs.findIndex(({ name }) => name === this.tab);
    this.done(event, () => {
      this.open(this.tabs[(at + by + TABS.length) % TABS.length].name);
      this.tabs.find(({ name }) => name === this.tab)?.button.focus();
    });
  }

  /** @param {KeyboardEvent} event */
  onMapKey(event) {
    const map = this.maps.find((one) => one.headOf(targetOf(event)));
    const at = map?.headOf(targetOf(event));
    const to = at && map?.moved(event.key, at);
    if (!to || !map) return;
    this.done(event, () => {
      this.set({ _head: to });
      map.focus(to);
    });
  }
}

/**
 * Let a table that may be wider than its frame be scrolled by keyboard.
 * @param {HTMLElement} table
 * @param {string} words
 */
function reach(table, words) {
  const frame = /** @type {HTMLElement} */ (table.parentElement);
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", words);
}

/**
 * Limits of a value, of the limits of its change.
 * @param {number | null | undefined} before
 * @param {number | null | undefined} low
 * @param {number | null | undefined} high
 */
function limits(before, low, high) {
  if (typeof before !== "number" || typeof low !== "number" || typeof high !== "number") return null;
  return { low: before + low, high: before + high };
}

/**
 * @param {Place} place
 * @returns {Stop}
 */
function render({ model, el }) {
  const view = new View(model, el);
  const stop = keep(view, PAINTED_FROM, (on) => {
    view.root.addEventListener("click", (event) => view.onClick(event), on);
    view.root.addEventListener("keydown", (event) => view.onDial(event), on);
    view.across.addEventListener("change", () => view.set({ x: view.across.value }), on);
    view.up.addEventListener("change", () => view.set({ y: view.up.value }), on);
    view.against.addEventListener("change", () => view.set({ against: view.against.value }), on);
    view.list.listen(on);
    view.plane.listen(on);
  });
  return () => {
    stop();
    view.flips.sheet.drop();
  };
}

export default { render };
