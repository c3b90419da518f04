// TwoModels: groups, images whose answer differs, heads and token maps of two models, each on one scale.

import { Asker, Frame, keep, make, write } from "../base/common.js";
import { floats, tileKey } from "../base/tiles.js";
import { HeadMap } from "../base/map.js";
import { Flips, GroupTable } from "../base/labs.js";
import { Pane } from "../base/patches.js";
import "./style.css";

const KEYS = [
  ["Map: arrows, click", "to a head"],
  ["Thumbnails: arrows, Enter", "an image to look at"],
  ["?", "show or hide this list"],
];
const SCORES = {
  A: "A",
  "−B": "−B",
  C: "C",
  "−D": "−D",
  LTC: "LTC",
  text: "along predicted − true",
};
const told = (x) => (Number.isFinite(x) ? `${x < 0 ? "−" : ""}${Math.abs(x).toPrecision(2)}` : "–");

class View extends Frame {
  constructor(model, el) {
    super(model, el, "tk2m", KEYS);
    this.body.classList.add("tkl");
    this.empty = make("div", "tk2m-empty", this.body);
    this.main = make("div", "tkl-main", this.body);
    this.stop = this.tool("stop", "End the run of the second model");
    this.groups = new GroupTable(this.main);
    this.flips = new Flips(this, this.main);
    const line = make("label", "tkl-label", this.main);
    line.append("Heads by ");
    this.score = make("select", "", line, { "aria-label": "Score of the maps" });
    for (const [value, words] of Object.entries(SCORES))
      make("option", "", this.score, { value }).textContent = words;
    const pairs = make("div", "tk2m-two", this.main);
    this.maps = [0, 1].map(() => {
      const box = make("div", "", pairs);
      const name = make("div", "tk2m-name", box);
      const map = new HeadMap(this, box);
      const none = make("div", "tkl-soft", box);
      return { box, name, map, none };
    });
    this.scale = make("div", "tkl-soft", this.main);
    const looks = make("div", "tk2m-look", this.main);
    this.text = this.field(looks, "text");
    this.against = this.field(looks, "minus");
    this.what = make("div", "tkl-soft", this.main, { role: "status" });
    const panes = make("div", "tk2m-two", this.main);
    this.panes = [new Pane(this, panes), new Pane(this, panes)];
  }

  field(parent, words) {
    const label = make("label", "", parent);
    label.append(words);
    return make("input", "", label, { type: "text", maxlength: "600" });
  }

  get pinned() {
    return null;
  }

  get head() {
    return this.model.get("_head");
  }

  paint() {
    const m = this.model;
    this.paintFrame();
    const palette = m.get("_palette")[this.theme];
    this.root.style.setProperty("--tk-after", `rgb(${palette[2].join(" ")})`);
    const names = m.get("_names");
    const work = m.get("_work");
    const { done, of } = m.get("_progress");
    const rows = m.get("_groups");
    this.empty.hidden = rows.length > 0;
    write(
      this.empty,
      !names[1]
        ? "Nothing to compare with yet: solve an edit, or name a second model (other=)."
        : of
          ? `Running ${names[1]}: ${Math.round((100 * done) / of)} %`
          : "One moment …",
    );
    this.main.hidden = !rows.length;
    this.stop.hidden = !work.includes("groups");
    if (rows.length) this.paintBoth(palette, names, work);
    this.root.setAttribute("aria-busy", work.length > 0);
    this.painted();
  }

  paintBoth(palette, names, work) {
    const m = this.model;
    this.groups.paint(m.get("_groups"), m.get("_facts").groups ? "group" : "class", ...m.get("_of"));
    this.flips.paint(m.get("_flips"), m.get("_sheet"), m.get("image"));
    for (const node of [this.groups.node, ...this.flips.nodes])
      node.classList.toggle("tk-stale", work.includes("groups") || String(m.get("_of")) !== String(names));
    this.score.value = m.get("score");
    this.paintMaps(palette, names, work);
    for (const name of ["text", "against"])
      if (this.root.getRootNode().activeElement !== this[name]) this[name].value = m.get(name);
    this.paintLooks(palette, work);
  }

  paintMaps(palette, names, work) {
    const both = this.model.get("_maps");
    const tables = both.map(({ values }) => (values.byteLength ? floats(values) : []));
    const most = Math.max(
      1e-12,
      ...tables.flatMap((table) => [...table].filter(Number.isFinite).map(Math.abs)),
    );
    both.forEach(({ layers, heads, kind, of }, i) => {
      const { box, name, map, none } = this.maps[i];
      write(name, of[i]);
      map.shape(layers, heads);
      const table = tables[i];
      map.node.hidden = !table.length;
      write(none, table.length ? "" : "makes no such mistake");
      if (table.length)
        map.paint(
          this.head,
          palette,
          (at) => (Number.isFinite(table[at]) ? 0.5 + table[at] / most / 2 : 0.5),
          (at) => [`${SCORES[kind]} ${told(table[at])}`],
        );
      map.node.setAttribute("aria-label", `heads of ${of[i]} by ${SCORES[kind]}`);
      box.classList.toggle("tk-stale", work.includes("maps") || String(of) !== String(names));
    });
    write(
      this.scale,
      both.length
        ? `One scale for both: ${told(-most)} … ${told(most)}. ${this.model.get("_map_words")}`
        : "",
    );
  }

  paintLooks(palette, work) {
    const m = this.model;
    const maps = [m.get("_a"), m.get("_b")];
    const limit =
      Math.max(
        ...maps.map((map) =>
          map.values ? floats(map.values).reduce((most, v) => Math.max(most, Math.abs(v)), 0) : 0,
        ),
      ) || 1;
    const look = {
      opacity: 0.75,
      raw: false,
      wide: 260,
      paper: getComputedStyle(this.root).getPropertyValue("--tk-paper"),
    };
    this.panes.forEach((pane, i) => {
      pane.paint(maps[i], m.get("_picture"), limit, palette, look);
      pane.canvas.setAttribute("role", "img");
      pane.canvas.tabIndex = -1;
      pane.node.classList.toggle("tk-stale", work.includes("looks"));
    });
    write(this.what, maps[0].values ? "" : "Choose an image and a text to see where both look.");
  }

  onClick(event) {
    const target = event.target;
    if (target === this.stop) return this.asking.ask({ do: "stop" });
    const cell = target.closest(".tkm-cell");
    if (cell) {
      cell.focus();
      return this.set({ _head: cell.at });
    }
    const tile = target.closest(".tkm-thumb");
    if (tile) this.set({ image: this.model.get("image") === tile.image ? null : tile.image });
  }

  onKey(event) {
    const map = this.maps.map((one) => one.map).find((one) => one.node.contains(event.target));
    if (!map) return void tileKey(this, event);
    const to = map.moved(event.key, this.head);
    if (to)
      this.done(event, () => {
        this.set({ _head: to });
        this.paint();
        map.focus(to);
      });
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  view.asking = new Asker(model);
  const names = [
    "score",
    "pair",
    "image",
    "text",
    "against",
    "_names",
    "_of",
    "_maps",
    "_map_words",
    "_facts",
    "_groups",
    "_flips",
    "_sheet",
    "_a",
    "_b",
    "_picture",
    "_head",
    "_progress",
    "_work",
  ];
  const stop = keep(view, names, (on) => {
    view.root.addEventListener("click", (e) => view.onClick(e), on);
    for (const name of ["score", "text", "against"])
      view[name].addEventListener("change", () => view.set({ [name]: view[name].value }), on);
  });
  return () => {
    stop();
    view.flips.sheet.drop();
  };
}

export default { render };
