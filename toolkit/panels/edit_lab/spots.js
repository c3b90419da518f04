// The points of the plane: the grid, where one has been, other methods, what was kept, where one is.

/** @import { Spot } from "../base/plane.js" */
/** @import { Across, GridCell, Up } from "./records.js" */
/** @import { FrontSent, GridPlace, Measures, NamedMeasures, SettingsSent, Visit, VisitPlace } from "./sent.d.ts" */

import { brief } from "../base/dials.js";
import { within } from "../base/numbers.js";
import { anyWeights, cellsOf, inWords, same } from "./records.js";

/** @typedef {{cell: GridPlace} | {visit: VisitPlace} | {name: string}} Place an edit that was or can be made */

/**
 * @typedef {object} Given
 * @property {Across} x the measure to the right
 * @property {Up} y and upwards
 * @property {FrontSent} front the grid, as far as it is there
 * @property {Visit[]} visits
 * @property {NamedMeasures[]} marks other methods' edits
 * @property {NamedMeasures[]} kept
 * @property {Measures} point where one is
 * @property {Measures | undefined} other where the edit beside is
 * @property {string} beside its strategy
 * @property {string[]} planes other settings in words
 * @property {SettingsSent} settings of now
 * @property {boolean} isOther whether the edit that is shown was made for others
 * @property {(place: Place) => void} go
 * @property {() => void} swap looks at the edit beside
 */

/**
 * All of them, in the order in which they are painted.
 * @param {Given} given
 * @returns {Spot[]}
 */
export function spotsOf(given) {
  const { front, visits, marks, kept, point, settings, isOther } = given;
  const old = !same(front.of, anyWeights(settings));
  return [
    ...cellsOf(front).map((cell) => gridSpot(cell, old, given)),
    ...visits.map((visit) => visitSpot(visit, given)),
    ...marks.map((mark) => markSpot(mark, given)),
    ...kept.map((one) => keptSpot(one, given)),
    ...(given.other ? [besideSpot(given.other, given)] : []),
    { kind: "now", old: isOther, ...placeOf(point, given) },
  ];
}

/**
 * Where measures lie in the plane.
 * @param {Measures} measures
 * @param {Given} given
 */
const placeOf = (measures, { x, y }) => ({ x: measures[x] ?? Number.NaN, y: measures[y] ?? Number.NaN });

/**
 * @param {GridCell} cell
 * @param {boolean} old whether the grid is one of other settings
 * @param {Given} given
 * @returns {Spot}
 */
function gridSpot({ alpha, beta, measures }, old, given) {
  const weights = `α ${brief(alpha)}, β ${brief(beta)}`;
  return {
    kind: "cell",
    old,
    ...placeOf(measures, given),
    color: weightColour(alpha, beta),
    words: `${old ? "other settings: " : ""}${weights}: ${inWords(measures)}`,
    go: () => given.go({ cell: { alpha, beta } }),
  };
}

/**
 * From pale, where β is larger, to dark: three decades are the most. Grey, as colours are the strategies'.
 * @param {number} alpha
 * @param {number} beta
 */
function weightColour(alpha, beta) {
  const decades = Math.log10(Math.max(alpha, 1e-3)) - Math.log10(Math.max(beta, 1e-3));
  return `rgb(104 110 122 / ${60 + 13 * within(decades, -3, 3)}%)`;
}

/**
 * @param {Visit} visit
 * @param {Given} given
 * @returns {Spot}
 */
function visitSpot(visit, given) {
  const { alpha, beta, steps, plane } = visit;
  const settings = `α ${brief(alpha)}, β ${brief(beta)}, ${steps} steps, ${given.planes[plane]}`;
  const words = `visited: ${settings}: ${inWords(visit)}`;
  const go = () => given.go({ visit: { alpha, beta, steps, plane } });
  return { kind: "seen", ...placeOf(visit, given), words, go };
}

/**
 * @param {Measures} other
 * @param {Given} given
 * @returns {Spot}
 */
function besideSpot(other, given) {
  const words = `${given.beside}: ${inWords(other)}`;
  return { kind: "beside", old: given.isOther, ...placeOf(other, given), words, go: given.swap };
}

/**
 * @param {NamedMeasures} mark
 * @param {Given} given
 * @returns {Spot}
 */
function markSpot(mark, given) {
  const words = `${mark.name}: ${inWords(mark)}`;
  return { kind: "mark", ...placeOf(mark, given), name: mark.name, words };
}

/**
 * @param {NamedMeasures} kept
 * @param {Given} given
 * @returns {Spot}
 */
function keptSpot(kept, given) {
  const { name } = kept;
  const words = `kept as ${name}: ${inWords(kept)}`;
  return { kind: "kept", ...placeOf(kept, given), name, words, go: () => given.go({ name }) };
}
