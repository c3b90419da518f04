// The fronts of strategies: what each reaches at best, as bands of the plane and in words.

/** @import { Frame } from "../base/frame.js" */
/** @import { Band } from "../base/plane.js" */
/** @import { Across, Up } from "./records.js" */
/** @import { BandSent, FrontsSent, NamedMeasures, SettingsSent } from "./sent.d.ts" */

import { make, write } from "../base/dom.js";
import { share } from "../base/numbers.js";
import { ACROSS, anyStrategy, same, UP } from "./records.js";

/** By strategy; told apart by those who see few colours too. */
const COLOURS = /** @type {Record<string, string>} */ ({
  diagonal: "#3a78d8",
  strengths: "#d55e00",
  "strengths all": "#c99700",
  "directions 2": "#009e73",
  "class vectors": "#c4689b",
});
const OTHER = "#8a8f98";
/** What the other classes may lose, for which the words say how far a front reaches. */
const PRICE = 0.02;

/** @param {string} strategy */
const colourOf = (strategy) => COLOURS[strategy] ?? OTHER;

/**
 * @typedef {object} Seen
 * @property {Partial<FrontsSent>} fronts empty while there are none
 * @property {Across} x
 * @property {Up} y
 * @property {SettingsSent} settings of now
 * @property {string[]} looked strategies that are looked at
 */

/**
 * The bands of a plane.
 * @param {Seen} seen
 * @returns {Band[]}
 */
export function bandsOf({ fronts, x, y, settings, looked }) {
  const old = !same(fronts.of, anyStrategy(settings));
  return bandsIn(fronts, x, y).map((band) => ({
    x: band.x,
    y: band.y,
    low: band.low,
    high: band.high,
    colour: colourOf(band.strategy),
    strong: looked.includes(band.strategy),
    old,
  }));
}

/**
 * @param {Partial<FrontsSent>} fronts
 * @param {Across} x
 * @param {Up} y
 */
const bandsIn = ({ bands = [] }, x, y) => bands.filter((band) => band.across === x && band.up === y);

/**
 * How far a front reaches at a price; NaN for nowhere.
 * @param {BandSent} band
 * @param {number} least
 */
function reachOf(band, least) {
  const reached = band.x.filter((_, i) => band.y[i] >= least);
  return reached.length ? Math.max(...reached) : Number.NaN;
}

export class FrontsLegend {
  /**
   * @param {Frame} view
   * @param {Element} parent
   */
  constructor(view, parent) {
    this.node = make("div", "tked-fronts", parent);
    this.title = make("div", "tkl-soft", this.node);
    const line = make("div", "tkl-line", this.node);
    this.list = make("ul", "", line, { "aria-label": "fronts of strategies" });
    view.signs.put("fronts", make("div", "", line));
    this.button = view.button(line, "draw them");
    this.button.title = "what each strategy reaches at best over α and β";
    this.note = make("div", "tkl-soft", this.node);
  }

  /**
   * @param {Seen} seen
   * @param {NamedMeasures[]} marks the model as it is among them
   * @param {boolean} works whether they are being drawn
   */
  paint({ fronts, x, y, settings, looked }, marks, works) {
    const bands = bandsIn(fronts, x, y);
    const old = !same(fronts.of, anyStrategy(settings));
    this.list.classList.toggle("tked-old", old);
    this.button.hidden = works || !old;
    const before = marks.find(({ name }) => name === "as it is")?.[y] ?? Number.NaN;
    const least = before - PRICE;
    write(this.title, `What each strategy reaches: ${ACROSS[x]} with ${UP[y]} at most 2 points lower`);
    this.list.replaceChildren();
    for (const band of bands) {
      const item = make("li", "", this.list);
      const mark = make("i", "", item);
      mark.style.background = colourOf(band.strategy);
      const reach = reachOf(band, least);
      const words = Number.isFinite(reach) ? share(reach) : "none";
      make(looked.includes(band.strategy) ? "b" : "span", "", item).textContent = `${band.strategy} ${words}`;
    }
    const { draws = 1, left = 0 } = fronts;
    const over = draws > 1 ? `Lines: means of ${draws} draws of the few images; bands: all of them. ` : "";
    const leftOut = left ? `In ${left} draws nobody is wrong so. ` : "";
    const limit = "The best of each is chosen on what judges it: an upper limit.";
    write(this.note, bands.length ? `${over}${leftOut}${limit}` : "");
  }
}
