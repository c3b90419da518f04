// TokenMap: texts, method and image above; the heads on the left, the maps on the right; what a patch was used for below.

import { Asker, Frame, keep, make, write } from "../base/common.js";
import { floats } from "../base/tiles.js";
import { HeadMap } from "../base/map.js";
import { Pane, signed } from "../base/patches.js";
import "./style.css";

const KEYS = [
  ["Map: arrows, Enter or click", "to a patch, pin it"],
  ["Heads: arrows, Enter or click", "to a head, choose it or not"],
  ["n, p", "next, previous image"],
  ["b", "what stands beside"],
  ["d", "map or difference"],
  ["g", "raw grid"],
  ["s", "hold the scale"],
  ["[, ]", "less, more colour"],
  ["Escape", "let go of the patch, then of the heads"],
  ["?", "this list"],
];
const BESIDE = {
  nothing: "nothing",
  image: "another image",
  method: "another method",
  ablated: "these heads off",
  edited: "the edited model",
  texts: "this head's texts",
};
const MOST = 8e6;

class View extends Frame {
  constructor(model, el) {
    super(model, el, "tkt", KEYS);
    this.asker = new Asker(model);
    this.cursor = [0, 0];
    const bar = make("div", "tkt-controls", this.body);
    this.text = make("input", "", this.labelled(bar, "text"), {
      type: "text",
      maxlength: "600",
      placeholder: "a bird",
      size: "18",
    });
    this.against = make("input", "", this.labelled(bar, "minus"), {
      type: "text",
      maxlength: "600",
      placeholder: "nothing",
      size: "18",
    });
    this.method = make("select", "", this.labelled(bar, "method"));
    const image = make("div", "tkt-field", bar);
    make("span", "tkt-label", image, { "aria-hidden": "true" }).textContent = "image";
    const row = make("div", "tkt-row", image);
    this.image = make("select", "", row, { "aria-label": "image" });
    this.walk = [
      ["‹", -1],
      ["›", 1],
    ].map(([sign, by]) => {
      const button = make("button", "", row, {
        type: "button",
        "aria-label": by > 0 ? "next image" : "previous image",
      });
      button.textContent = sign;
      return [button, by];
    });
    const look = make("div", "tkt-controls", this.body);
    this.beside = make("select", "", this.labelled(look, "beside it"));
    this.otherImage = make("select", "", this.labelled(look, "the other image"));
    this.otherMethod = make("select", "", this.labelled(look, "the other method"));
    this.difference = this.box(look, "difference");
    this.opacity = make("input", "", this.labelled(look, "colour"), {
      type: "range",
      min: "0",
      max: "1",
      step: "0.05",
    });
    this.raw = this.box(look, "raw grid");
    this.hold = this.box(look, "hold the scale");
    this.file = make("input", "", this.body, {
      type: "file",
      accept: "image/*",
      hidden: "",
      "aria-label": "image file",
    });
    this.choose = make("button", "", this.labelled(look, "add an image"), { type: "button" });
    this.choose.textContent = "choose or drop …";
    this.path = make("input", "", this.labelled(look, "or its path"), {
      type: "text",
      placeholder: "where the kernel runs",
      size: "18",
    });
    this.told = make("div", "tkt-note", this.body, { role: "status" });
    const main = make("div", "tkt-main", this.body);
    const side = make("div", "tkt-side", main);
    this.headsName = make("div", "tkt-label", side);
    this.heads = new HeadMap(this, side);
    this.heads.node.setAttribute("aria-multiselectable", "true");
    this.all = make("button", "tkt-button", side, { type: "button" });
    this.all.textContent = "all heads";
    this.point = make("div", "tkt-point", side, { "aria-live": "polite" });
    const panes = make("div", "tkt-panes", main);
    this.panes = [new Pane(this, panes), new Pane(this, panes)];
    this.empty = make("div", "tkt-empty", panes);
  }

  get(name) {
    return this.model.get(name);
  }

  labelled(parent, words) {
    const label = make("label", "tkt-field", parent);
    make("span", "tkt-label", label).textContent = words;
    return label;
  }

  box(parent, words) {
    const label = make("label", "tkt-box", parent);
    const box = make("input", "", label, { type: "checkbox" });
    label.append(words);
    return box;
  }

  options(select, rows, value, off = () => false) {
    const key = JSON.stringify([rows, rows.map(([v]) => off(v))]);
    if (select.key !== key) {
      select.key = key;
      select.replaceChildren(
        ...rows.map(([v, words]) => {
          const option = make("option", "", null, { value: v });
          option.textContent = words;
          option.disabled = off(v);
          return option;
        }),
      );
    }
    select.value = value;
  }

  get pinned() {
    return this.get("patch");
  }

  get asked() {
    return [
      "text",
      "against",
      "_chosen",
      "method",
      "image",
      "beside",
      "other_image",
      "other_method",
      "difference",
    ].map((name) => this.get(name));
  }

  field(node, value) {
    if (this.root.getRootNode().activeElement !== node) node.value = value;
  }

  paint() {
    this.paintFrame();
    this.paintControls();
    this.paintMaps();
    this.paintHeads();
    this.paintState();
    this.painted();
  }

  paintControls() {
    this.field(this.text, this.get("text"));
    this.field(this.against, this.get("against"));
    const methods = this.get("_methods").map((name) => [name, name]);
    this.options(this.method, methods, this.get("method"));
    this.options(this.otherMethod, methods, this.get("other_method"));
    for (const [select, name] of [
      [this.image, "image"],
      [this.otherImage, "other_image"],
    ]) {
      const [ids, now] = [this.get("_images"), this.get(name)];
      this.options(
        select,
        (ids.includes(now) || !now ? ids : [now, ...ids]).map((id) => [id, id]),
        now,
      );
    }
    const has = this.get("_has");
    const beside = this.get("beside");
    this.options(
      this.beside,
      Object.entries(BESIDE),
      beside,
      (name) => (name === "texts" || name === "edited") && !has[name],
    );
    this.otherImage.parentNode.hidden = beside !== "image";
    this.otherMethod.parentNode.hidden = beside !== "method";
    this.difference.parentNode.hidden = beside !== "ablated" && beside !== "edited";
    this.difference.checked = this.get("difference");
    for (const [button] of this.walk) button.disabled = has.images < 2;
    this.opacity.value = this.get("opacity");
    this.raw.checked = this.get("raw");
    this.hold.checked = this.get("limit") !== null;
    write(this.told, [this.said, this.get("_note")].filter(Boolean).join("; "));
  }

  limitOf(map) {
    // one scale for maps of one unit
    if (this.get("limit") !== null && map.scale === this.get("_a").scale) return this.get("limit");
    const same = [this.get("_a"), this.get("_b")].filter(
      (other) => other.values && other.scale === map.scale,
    );
    return (
      Math.max(
        ...same.map((other) => floats(other.values).reduce((most, v) => Math.max(most, Math.abs(v)), 0)),
      ) || 1
    );
  }

  paintMaps() {
    const palette = this.get("_palette")[this.theme];
    const maps = [this.get("_a"), this.get("_b")];
    const look = {
      opacity: this.get("opacity"),
      raw: this.get("raw"),
      wide: maps[1].values ? 290 : 400,
      paper: getComputedStyle(this.root).getPropertyValue("--tk-paper"),
    };
    this.panes.forEach((pane, i) =>
      pane.paint(
        maps[i],
        this.get(i ? "_picture_b" : "_picture_a"),
        maps[i].values ? this.limitOf(maps[i]) : 1,
        palette,
        look,
      ),
    );
    this.empty.hidden = Boolean(maps[0].values);
    write(this.empty, this.get("image") ? "Type a text." : "Drop in an image.");
  }

  get pointedMap() {
    // of the pane under the pointer, else the first that knows heads
    const maps = [this.get("_a"), this.get("_b")];
    const over = maps[this.over];
    return over?.by_head?.byteLength ? over : maps.find((map) => map.by_head?.byteLength) || maps[0];
  }

  paintHeads() {
    const [layers, heads] = this.get("_shape");
    this.heads.shape([...Array(layers).keys()], heads);
    const map = this.pointedMap;
    const cell = this.pointed || this.pinned;
    const known = map.by_head?.byteLength;
    if (this.from !== map) [this.from, this.table] = [map, known ? floats(map.by_head) : null];
    const size = map.grid ? map.grid[0] * map.grid[1] : 1;
    const at = cell && map.grid ? cell[0] * map.grid[1] + cell[1] : null;
    const values = [...Array(layers * heads).keys()].map((i) => {
      if (!known) return NaN;
      if (at !== null) return this.table[i * size + at];
      return this.table.subarray(i * size, (i + 1) * size).reduce((sum, v) => sum + v, 0);
    });
    const most = Math.max(...values.map(Math.abs).filter(Number.isFinite), 0) || 1;
    const chosen = new Set(this.get("_chosen").map(String));
    const off = this.get("beside") === "ablated";
    this.heads.paint(
      this.cursor,
      this.get("_palette")[this.theme],
      (i) => 0.5 + 0.5 * (Number.isNaN(values[i]) ? 0 : values[i] / most),
      (i) => [Number.isNaN(values[i]) ? "unknown to this method" : signed(values[i])],
      (node) => {
        const on = chosen.has(String(node.at));
        node.setAttribute("aria-selected", on);
        node.classList.toggle("tkt-on", on);
        node.classList.toggle("tkt-off", on && off);
      },
    );
    write(
      this.headsName,
      !known && map.grid
        ? "this method knows no heads"
        : `${at === null ? "what each head gives over all patches" : `what each head reads at patch (${cell.join(", ")})`}, ±${signed(most).slice(1)}`,
    );
    this.heads.node.setAttribute("aria-label", this.headsName.textContent);
    this.all.disabled = !chosen.size;
    const names = this.get("_chosen")
      .map(([l, h]) => `L${l}.H${h}`)
      .join(" ");
    const shown = chosen.size ? `${off ? "off" : "shown"}: ${names}` : "all heads shown";
    if (at === null) return write(this.point, shown);
    const order = values
      .map((v, i) => [v, i])
      .filter(([v]) => v)
      .sort((a, b) => Math.abs(b[0]) - Math.abs(a[0]))
      .slice(0, 4);
    const best = order.map(([v, i]) => `L${Math.floor(i / heads)}.H${i % heads} ${signed(v)}`).join(", ");
    const perLayer = known
      ? [...Array(layers).keys()]
          .map((l) => `${l}: ${signed(values.slice(l * heads, (l + 1) * heads).reduce((s, v) => s + v, 0))}`)
          .join(", ")
      : "";
    write(
      this.point,
      `patch (${cell.join(", ")}) ${signed(floats(map.values)[at])}${best ? `\nheads: ${best}\nlayers: ${perLayer}` : ""}\n${shown}`,
    );
  }

  paintState() {
    const stale =
      this.get("_work").includes("map") ||
      (this.get("_a").values && JSON.stringify(this.asked) !== JSON.stringify(this.get("_shown")));
    for (const pane of this.panes) pane.node.classList.toggle("tk-stale", Boolean(stale));
    this.root.setAttribute("aria-busy", this.get("_work").length > 0);
  }

  // what the user does

  typed() {
    // each letter asks anew, but not while the next one is on its way
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), 120);
  }

  flush() {
    clearTimeout(this.timer);
    const [text, against] = [this.text.value, this.against.value];
    if (text !== this.get("text") || against !== this.get("against")) this.set({ text, against });
  }

  async upload(file) {
    if (!file) return;
    this.said =
      file.size > MOST
        ? `${file.name} has ${(file.size / 1e6).toFixed(0)} MB; up to 8 MB can be dropped in: give its path instead`
        : "";
    if (this.said) return this.paint();
    try {
      this.set({ _upload: { name: file.name, data: new DataView(await file.arrayBuffer()) } });
    } catch (error) {
      this.said = `${file.name} could not be read: ${error.message}`;
      this.paint();
    }
  }

  aim(cell, canvas) {
    const over = this.panes.findIndex((pane) => pane.canvas === canvas);
    if (String(cell) === String(this.pointed) && over === this.over) return;
    [this.pointed, this.over] = [cell, over];
    this.paint();
  }

  pin(cell) {
    this.set({ patch: cell && String(cell) === String(this.pinned) ? null : cell });
  }

  toggle(head) {
    const chosen = this.get("_chosen");
    const rest = chosen.filter((other) => String(other) !== String(head));
    this.set({ _chosen: rest.length < chosen.length ? rest : [...chosen, head] });
  }

  ask(what) {
    this.asker.ask(what);
  }

  onClick({ target }) {
    const step = this.walk.find(([button]) => button === target);
    if (step) return this.ask({ do: "walk", by: step[1] });
    if (target === this.choose) return this.file.click();
    if (target === this.all) return this.set({ _chosen: [] });
    const cell = target.closest(".tkm-cell");
    if (!cell) return;
    this.cursor = cell.at;
    this.toggle(cell.at);
  }

  onKey(event) {
    const { key, target } = event;
    if (target.matches(".tkt-canvas")) {
      const [rows, cols] = this.get("_a").grid || [1, 1];
      const [r, c] = this.pointed || this.pinned || [0, 0];
      const to = {
        ArrowUp: [r - 1, c],
        ArrowDown: [r + 1, c],
        ArrowLeft: [r, c - 1],
        ArrowRight: [r, c + 1],
      }[key];
      if (to)
        return this.done(event, () =>
          this.aim([Math.max(0, Math.min(rows - 1, to[0])), Math.max(0, Math.min(cols - 1, to[1]))], target),
        );
      if (key === "Enter" || key === " ") return this.done(event, () => this.pin([r, c]));
    }
    const cell = target.closest?.(".tkm-cell");
    if (cell) {
      const to = this.heads.moved(key, cell.at);
      if (to)
        return this.done(event, () => {
          this.cursor = to;
          this.paintHeads();
          this.heads.focus(to);
        });
      if (key === "Enter" || key === " ") return this.done(event, () => this.toggle(cell.at));
    }
    const kinds = Object.keys(BESIDE).filter(
      (name) => (name !== "texts" && name !== "edited") || this.get("_has")[name],
    );
    const colour = (by) =>
      this.set({
        opacity: Math.round(100 * Math.max(0, Math.min(1, this.get("opacity") + by))) / 100,
      });
    const acts = {
      n: () => this.ask({ do: "walk", by: 1 }),
      p: () => this.ask({ do: "walk", by: -1 }),
      b: () => this.set({ beside: kinds[(kinds.indexOf(this.get("beside")) + 1) % kinds.length] }),
      d: () => !this.difference.parentNode.hidden && this.set({ difference: !this.get("difference") }),
      g: () => this.set({ raw: !this.get("raw") }),
      s: () => this.holdScale(this.get("limit") === null),
      "[": () => colour(-0.1),
      "]": () => colour(0.1),
      Escape: () =>
        this.pinned || this.pointed ? (this.aim(null), this.set({ patch: null })) : this.set({ _chosen: [] }),
    };
    if (acts[key]) this.done(event, acts[key]);
  }

  holdScale(on) {
    this.set({ limit: on && this.get("_a").values ? this.limitOf(this.get("_a")) : null });
  }

  onMove(event) {
    const pane = this.panes.find((one) => one.canvas === event.target);
    if (pane) this.aim(pane.cellAt(event), pane.canvas);
  }

  onDrop(event) {
    if (![...event.dataTransfer.types].includes("Files")) return; // a word dragged into a box
    event.preventDefault();
    event.stopPropagation();
    this.root.classList.toggle("tkt-over", event.type === "dragover");
    if (event.type === "drop") this.upload(event.dataTransfer.files[0]);
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  const names = [
    "text",
    "against",
    "method",
    "image",
    "beside",
    "other_image",
    "other_method",
    "difference",
    "opacity",
    "raw",
    "limit",
    "patch",
    "_chosen",
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
  const stop = keep(view, names, (on) => {
    view.root.addEventListener("click", (e) => view.onClick(e), on);
    for (const node of [view.text, view.against]) {
      node.addEventListener("input", () => view.typed(), on);
      node.addEventListener("change", () => view.flush(), on);
    }
    for (const [node, name] of [
      [view.method, "method"],
      [view.image, "image"],
      [view.beside, "beside"],
      [view.otherImage, "other_image"],
      [view.otherMethod, "other_method"],
    ]) {
      node.addEventListener("change", () => view.set({ [name]: node.value }), on);
    }
    view.difference.addEventListener("change", () => view.set({ difference: view.difference.checked }), on);
    view.raw.addEventListener("change", () => view.set({ raw: view.raw.checked }), on);
    view.hold.addEventListener("change", () => view.holdScale(view.hold.checked), on);
    view.opacity.addEventListener("input", () => view.set({ opacity: Number(view.opacity.value) }), on);
    view.file.addEventListener(
      "change",
      () => {
        view.upload(view.file.files[0]);
        view.file.value = "";
      },
      on,
    );
    view.path.addEventListener(
      "change",
      () => {
        view.ask({ do: "path", path: view.path.value });
        view.path.value = "";
      },
      on,
    );
    for (const pane of view.panes) {
      pane.canvas.addEventListener("mousemove", (e) => view.onMove(e), on);
      pane.canvas.addEventListener("mouseleave", () => view.aim(null), on);
      pane.canvas.addEventListener(
        "click",
        (e) => {
          const cell = pane.cellAt(e);
          if (cell) view.pin(cell);
        },
        on,
      );
      pane.canvas.addEventListener("blur", () => view.aim(null), on);
    }
    for (const kind of ["dragover", "dragleave", "drop"])
      view.root.addEventListener(kind, (e) => view.onDrop(e), on);
  });
  return () => {
    stop();
    clearTimeout(view.timer);
  };
}

export default { render };
