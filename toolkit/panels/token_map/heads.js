// The heads beside the maps: what each gives to a patch, or over all patches; which are chosen.

/** @import { Frame } from "../base/frame.js" */
/** @import { Cell, Head, PatchMap, Rgb } from "../base/types.d.ts" */

import { floats, make, write } from "../base/dom.js";
import { HeadMap } from "../base/map.js";
import { signed, upTo } from "../base/numbers.js";

const BEST = 4; // heads named for a patch

/** @param {Iterable<number>} values */
const sumOf = (values) => [...values].reduce((sum, value) => sum + value, 0);

/** @param {Head} head */
const nameOf = ([layer, head]) => `L${layer}.H${head}`;

/** @param {PatchMap | undefined} map */
export const knowsHeads = (map) => Boolean(map?.by_head?.byteLength);

/**
 * @typedef {object} Shown
 * @property {PatchMap} map whose heads are told
 * @property {Cell | null} cell the patch that is pointed at or held
 * @property {Head[]} chosen
 * @property {boolean} off whether the chosen heads are off, and not the only ones
 * @property {Rgb[]} palette
 */

export class HeadsSide {
  /**
   * @param {Frame} view
   * @param {Element} parent
   */
  constructor(view, parent) {
    /** @type {Head} the head in the tab order */
    this.cursor = [0, 0];
    this.layers = 0;
    this.heads = 0;
    /** @type {PatchMap | undefined} the map whose heads are unpacked, */
    this.from = undefined;
    /** and what each head gives each patch, head by head. */
    this.table = new Float32Array();
    this.name = make("div", "tkt-label", parent);
    this.map = new HeadMap(view, parent);
    this.map.node.setAttribute("aria-multiselectable", "true");
    this.all = make("button", "tkt-button", parent, { type: "button" });
    this.all.textContent = "all heads";
    this.point = make("div", "tkt-point", parent, { "aria-live": "polite" });
  }

  /**
   * @param {number} layers
   * @param {number} heads
   */
  shape(layers, heads) {
    this.layers = layers;
    this.heads = heads;
    this.map.shape(upTo(layers), heads);
  }

  /**
   * What every head gives: to the patch, or over all of them; not a number where the method knows no heads.
   * @param {PatchMap} map
   * @param {number | undefined} patch
   */
  valuesOf(map, patch) {
    const all = upTo(this.layers * this.heads);
    if (!map.by_head || !knowsHeads(map)) return all.map(() => Number.NaN);
    if (this.from !== map) {
      this.from = map;
      this.table = floats(map.by_head);
    }
    const size = map.grid[0] * map.grid[1];
    return all.map((i) => {
      if (patch !== undefined) return this.table[i * size + patch];
      return sumOf(this.table.subarray(i * size, (i + 1) * size));
    });
  }

  /** @param {Shown} shown */
  paint({ map, cell, chosen, off, palette }) {
    const patch = cell && map.grid ? cell[0] * map.grid[1] + cell[1] : undefined;
    const values = this.valuesOf(map, patch);
    const most = Math.max(...values.map(Math.abs).filter(Number.isFinite), 0) || 1;
    const names = new Set(chosen.map(String));
    /** @param {number} i */
    const place = (i) => (Number.isNaN(values[i]) ? 0.5 : 0.5 + (0.5 * values[i]) / most);
    /** @param {number} i */
    const words = (i) => (Number.isNaN(values[i]) ? "unknown to this method" : signed(values[i]));
    this.map.paint(this.cursor, palette, place, words, (node, i) => {
      const on = names.has(String(this.map.at[i]));
      node.setAttribute("aria-selected", String(on));
      node.classList.toggle("tkt-on", on);
      node.classList.toggle("tkt-off", on && off);
    });
    this.paintName(map, patch === undefined ? null : cell, most);
    this.all.disabled = !chosen.length;
    const list = `${off ? "off" : "summed"}: ${chosen.map(nameOf).join(" ")}; a click adds or takes away`;
    const lines = cell && patch !== undefined ? this.patchLines(map, cell, patch, values) : [];
    write(this.point, [...lines, chosen.length ? list : "all heads summed; a click chooses"].join("\n"));
  }

  /**
   * @param {PatchMap} map
   * @param {Cell | null} cell
   * @param {number} most the value at the end of the scale
   */
  paintName(map, cell, most) {
    let words = "what each head gives, in this image alone, over all patches";
    if (cell) words = `what each head reads at patch (${cell.join(", ")}) of this image`;
    const unknown = map.grid && !knowsHeads(map);
    let told = unknown ? "this method knows no heads" : words;
    if (map.values && !unknown) told += `, ±${signed(most).slice(1)}: orange towards the text, blue away`;
    write(this.name, told);
    this.map.node.setAttribute("aria-label", told);
  }

  /**
   * What a patch was used for, in lines.
   * @param {PatchMap} map
   * @param {Cell} cell
   * @param {number} patch
   * @param {number[]} values of all heads
   */
  patchLines(map, cell, patch, values) {
    const value = map.values ? floats(map.values)[patch] : Number.NaN;
    const first = `patch (${cell.join(", ")}) ${signed(value)}`;
    const known = values.map((one, i) => ({ value: one, head: this.map.at[i] })).filter((one) => one.value);
    if (!known.length) return [first];
    known.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    const best = known.slice(0, BEST).map((one) => `${nameOf(one.head)} ${signed(one.value)}`);
    const layers = upTo(this.layers).map((layer) => {
      return `${layer}: ${signed(sumOf(values.slice(layer * this.heads, (layer + 1) * this.heads)))}`;
    });
    return [first, `heads: ${best.join(", ")}`, `layers: ${layers.join(", ")}`];
  }
}
