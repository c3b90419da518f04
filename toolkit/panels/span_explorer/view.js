// SpanExplorer: a small map of heads, the texts of one of them with bars and a curve, the images at both ends.

import { Asker, Frame, keep, make } from "../base/common.js";
import { SheetUrl, drawn, floats, paintTiles, tileKey } from "../base/tiles.js";
import { HeadMap } from "../base/map.js";
import { paintCurve, percent } from "../base/curve.js";
import "./style.css";

const KEYS = [
  ["Map: arrows, click", "choose a head"],
  ["Texts: arrows, Enter, click", "choose a text; again: the head's main axis"],
  ["Texts: Delete", "take a text out of the bank"],
  ["[ and ]", "previous and next head"],
  ["/", "type a word: the heads that carry it light up"],
  ["Escape", "no text; in the word field: no word"],
  ["?", "show or hide this list"],
];
const ROW = 26;
class View extends Frame {
  constructor(model, el) {
    super(model, el, "tkse", KEYS);
    this.sheet = new SheetUrl();
    this.options = [];
    this.asker = new Asker(model);
    this.rank = make("select", "", null, { "aria-label": "Order images by" });
    for (const name of ["contribution", "cosine"])
      make("option", "", this.rank, { value: name }).textContent = `images by ${name}`;
    this.tools.insertBefore(this.rank, this.help);
    this.all = this.tool("all heads", "Choose the texts of all heads with the bank as it is");
    const side = make("div", "tkse-side", this.body);
    this.map = new HeadMap(this, side);
    this.what = make("div", "tkse-what", side);
    this.query = this.field(side, "Which heads carry a word?", "water");
    this.note = make("textarea", "", this.labelled(side, "Note on this head"), {
      rows: "2",
      maxlength: "2000",
    });
    const main = make("div", "tkse-main", this.body);
    const top = make("div", "", main);
    this.name = make("span", "tkse-name", top);
    this.facts = make("span", "tkse-facts", top);
    this.columns = make("div", "tkse-columns", main, { "aria-hidden": "true" });
    for (const words of ["text", "factor", "standard deviation", "explained so far"])
      make("span", "", this.columns).textContent = words;
    this.texts = make("div", "tkse-texts", main);
    this.list = make("div", "tkse-list", this.texts, {
      role: "listbox",
      "aria-label": "texts of this head",
    });
    this.curve = drawn("svg", this.texts, { class: "tkse-curve", role: "img" });
    this.more = this.field(main, "Add a text to the bank", "a bird on water");
    const bank = make("div", "tkse-facts", main);
    this.edits = make("span", "", bank);
    this.reset = make("button", "tkse-reset", bank, { type: "button", hidden: "" });
    this.reset.textContent = "undo all";
    this.along = make("div", "tkse-label", main);
    this.ends = { high: this.end(main, "most"), low: this.end(main, "least") };
  }

  labelled(parent, words) {
    const label = make("label", "tkse-label", parent);
    label.textContent = words;
    return label;
  }

  field(parent, words, example) {
    return make("input", "", this.labelled(parent, words), {
      type: "text",
      placeholder: example,
      maxlength: "300",
    });
  }

  end(parent, words) {
    const line = make("div", "tkse-end", parent);
    make("span", "", line).textContent = words;
    return make("div", "tkm-thumbs", line, { role: "listbox", "aria-label": `images, ${words}` });
  }

  ask(what, text) {
    this.asker.ask({ do: what, text });
  }

  get head() {
    return this.model.get("head");
  }

  // the map

  paintMap() {
    const m = this.model;
    const values = floats(m.get("_map"));
    const likely = m.get("_likely");
    const most = Math.max(1e-9, ...values.filter(Number.isFinite));
    const [labels, word] = [m.get("_labels"), m.get("_map_words")];
    const place = (i) => (Number.isFinite(values[i]) ? values[i] / most : 0);
    const words = (i) => [
      `${percent(values[i])}${labels[i] ? `\n${labels[i]}` : ""}`,
      `${percent(values[i])} ${word ? `explained by ${word}` : "of all variance"}; ${labels[i] || ""}`,
    ];
    this.map.shape(m.get("_layers"), m.get("_heads"));
    this.map.paint(this.head, m.get("_palette")[this.theme], place, words, (cell, i) => {
      cell.classList.toggle("tkse-likely", Boolean(likely.byteLength && likely.getUint8(i)));
    });
    this.map.node.setAttribute("aria-label", word ? `heads that carry ${word}` : "heads by variance");
    this.what.textContent = word
      ? `Share of each head's variance that “${word}” explains, up to ${percent(most)}; a dot: few random texts explain as much (p < 0.05).`
      : `Each head's share of all variance, up to ${percent(most)}.`;
  }

  // the texts

  paintTexts() {
    const rows = this.model.get("_rows");
    const chosen = this.model.get("text");
    const widest = Math.max(1e-12, ...rows.map((row) => row[2]));
    const focus = this.options.findIndex((o) => o.contains(this.root.getRootNode().activeElement));
    const key = JSON.stringify(rows);
    if (key !== this.rowsKey) {
      this.rowsKey = key;
      this.list.replaceChildren();
      this.options = rows.map(([text, factor, std, explained], i) => {
        const option = make("div", "tkse-row", this.list, {
          role: "option",
          tabindex: "-1",
          title: text,
        });
        option.text = text;
        make("span", "tkse-text", option).textContent = text;
        make("span", "tkse-factor", option).textContent = factor;
        const bar = make(
          "div",
          "",
          make("div", "tkse-bar", option, { title: "standard deviation along the text" }),
        );
        bar.style.width = `${(100 * std) / widest}%`;
        make("span", "tkse-value", option).textContent = std.toPrecision(2);
        const gone = make("span", "tkse-gone", option, {
          "aria-hidden": "true",
          title: "take it out of the bank",
        }); // Delete does it too: an option holds no button
        gone.textContent = "×";
        option.setAttribute(
          "aria-label",
          `${i + 1}. ${text}, standard deviation ${std.toPrecision(2)}, ${percent(explained)} explained so far`,
        );
        return option;
      });
      paintCurve(
        this.curve,
        rows.map((row) => row[3]),
        ROW,
      );
      if (focus >= 0) this.options[Math.min(focus, this.options.length - 1)]?.focus();
    }
    this.options.forEach((option, i) => {
      option.setAttribute("aria-selected", option.text === chosen);
      option.tabIndex = (chosen ? option.text === chosen : i === 0) ? 0 : -1;
    });
  }

  paintFacts() {
    const f = this.model.get("_facts");
    const [layer, head] = this.model.get("_shown");
    this.name.textContent = `L${layer}.H${head}`;
    if (f.rank === undefined) return;
    const reach = f.reach !== null && f.reach < 0.95 ? `; the bank reaches ${percent(f.reach)} of it` : "";
    this.facts.textContent = `rank ${f.rank}, ${percent(f.weight)} of all heads' variance${reach} · ${f.n} images (${f.split})`;
    this.edits.textContent = `${f.bank} texts${f.name ? ` (${f.name})` : ""} `;
    this.reset.hidden = !f.edits;
    const working = this.model.get("_work").includes("all");
    this.all.textContent = working ? `all heads ${Math.round(100 * (f.done || 0))} % – stop` : "all heads";
  }

  // the images

  paintImages() {
    const { high, low, columns, side } = this.model.get("_ends");
    const url = this.sheet.of(this.model.get("_sheet"));
    this.root.style.setProperty("--tk-tile", `${side}px`);
    const n = high.length + low.length;
    const text = this.model.get("_ends").text;
    this.along.textContent = `Images along ${text ? `“${text}”` : "the head's main axis"}`;
    const chosen = this.model.get("image");
    for (const [name, offset, images] of [
      ["high", 0, high],
      ["low", high.length, low],
    ]) {
      const tiles = images.map(([id, label, score]) => ({
        id,
        title: `${id}${label ? ` (${label})` : ""}: ${score.toPrecision(3)}`,
        label: `${label || id}, ${score.toPrecision(3)}`,
      }));
      paintTiles(this.ends[name], tiles, offset, n, { columns, side }, url, chosen);
    }
  }

  paint() {
    const m = this.model;
    this.paintFrame();
    const palette = m.get("_palette")[this.theme];
    this.root.style.setProperty("--tk-bar", `rgb(${palette[4].join(" ")})`);
    this.root.style.setProperty("--tk-curve", `rgb(${palette[this.theme === "dark" ? 6 : 7].join(" ")})`);
    this.paintMap();
    this.paintTexts();
    this.paintFacts();
    this.paintImages();
    this.rank.value = m.get("ranking");
    const active = this.root.getRootNode().activeElement;
    this.paintNote();
    if (active !== this.query) this.query.value = m.get("query");
    const work = m.get("_work");
    const other = String(m.get("_shown")) !== String(this.head);
    this.texts.classList.toggle("tk-stale", work.includes("head") || other);
    for (const line of Object.values(this.ends))
      line.classList.toggle("tk-stale", work.includes("images") || other);
    this.map.node.classList.toggle("tk-stale", work.includes("query"));
    this.root.setAttribute("aria-busy", work.length > 0);
    this.painted();
  }

  // what the user does

  go(to) {
    const focused = this.map.focused;
    this.saveNote();
    this.set({ head: to });
    this.paintMap();
    if (focused) this.map.focus(to);
  }

  step(by) {
    const at = this.map.cells.findIndex((cell) => String(cell.at) === String(this.head));
    const to = this.map.cells[at + by];
    if (to) this.go(to.at);
  }

  choose(text) {
    this.set({ text: this.model.get("text") === text ? "" : text });
  }

  paintNote() {
    // the field belongs to one head; what is being typed is not overwritten
    const { head, text } = this.model.get("_note");
    const own = String(head) === String(this.head);
    this.note.disabled = !own;
    if (String(head) !== this.noted) this.typedNote = false;
    this.noted = String(head);
    this.noteHead = head;
    if (!this.typedNote) this.note.value = own ? text : "";
  }

  saveNote() {
    // with its head: by the time it arrives another may be shown
    clearTimeout(this.noting);
    if (this.typedNote && this.noteHead)
      this.asker.ask({ do: "note", head: this.noteHead, text: this.note.value });
    this.typedNote = false;
  }

  writesNote() {
    this.typedNote = true;
    clearTimeout(this.noting);
    this.noting = setTimeout(() => this.saveNote(), 800);
  }

  typed() {
    // a word lights up while it is typed, at most a few times a second
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.set({ query: this.query.value }), 200);
  }

  onClick(event) {
    const target = event.target;
    if (target === this.all) return this.ask(this.model.get("_work").includes("all") ? "stop" : "all", "");
    if (target === this.reset) return this.ask("reset", "");
    if (target.closest(".tkse-gone")) return this.ask("remove", target.closest(".tkse-row").text);
    const cell = target.closest(".tkm-cell");
    if (cell) {
      cell.focus();
      return this.go(cell.at);
    }
    const row = target.closest(".tkse-row");
    if (row) {
      row.focus();
      return this.choose(row.text);
    }
    const tile = target.closest(".tkm-thumb");
    if (tile) this.set({ image: this.model.get("image") === tile.image ? null : tile.image });
  }

  onKey(event) {
    const target = event.target;
    if (target === this.note) return;
    if (event.key === "[" || event.key === "]")
      return this.done(event, () => this.step(event.key === "[" ? -1 : 1));
    if (event.key === "/") return this.done(event, () => this.query.focus());
    const cell = target.closest?.(".tkm-cell");
    if (cell) return this.onMapKey(event);
    const row = target.closest?.(".tkse-row");
    if (row) return this.onTextKey(event, row);
    if (tileKey(this, event)) return;
    if (event.key === "Escape") return this.done(event, () => this.set({ text: "" }));
  }

  onMapKey(event) {
    const to = this.map.moved(event.key, this.head);
    if (to) this.done(event, () => this.go(to));
  }

  onTextKey(event, row) {
    const at = this.options.indexOf(row);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: this.options.length - 1 }[event.key];
    if (to !== undefined)
      return this.done(event, () => this.options[Math.max(0, Math.min(this.options.length - 1, to))].focus());
    if (event.key === "Enter" || event.key === " ") return this.done(event, () => this.choose(row.text));
    if (event.key === "Delete" || event.key === "Backspace")
      return this.done(event, () => this.ask("remove", row.text));
    if (event.key === "Escape") return this.done(event, () => this.set({ text: "" }));
  }

  onField(event) {
    // letters belong to the field, so the frame's keys do not reach here
    if (event.target === this.more && event.key === "Enter" && this.more.value.trim()) {
      this.ask("add", this.more.value.trim());
      this.more.value = "";
    }
    if (event.target === this.query && (event.key === "Enter" || event.key === "Escape")) {
      clearTimeout(this.typing);
      if (event.key === "Escape") this.query.value = "";
      this.set({ query: this.query.value });
    }
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  const names = [
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
    "_likely",
    "_labels",
    "_sheet",
    "_ends",
    "_work",
  ];
  const stop = keep(view, names, (on) => {
    view.root.addEventListener("click", (e) => view.onClick(e), on);
    view.root.addEventListener("keydown", (e) => view.onField(e), on);
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
