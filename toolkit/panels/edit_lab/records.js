// What Python sends of an edit, by name: the only place that knows in which order a row has its values.

/** @import { Pair } from "../base/types.d.ts" */

import { share } from "../base/numbers.js";

/** @typedef {"success" | "worst" | "like"} Across what the plane may have to the right */
/** @typedef {"locality" | "agreement"} Up and upwards */
/** @typedef {Across | Up} Measure */
/** @typedef {Partial<Record<Measure, number | null>>} Measures shares of an edit; null or absent where unknown */

/** @type {Record<Across, string>} */
export const ACROSS = { success: "target classes", worst: "worst group", like: "same mistakes" };
/** @type {Record<Up, string>} */
export const UP = { locality: "other classes", agreement: "predictions that stay" };
const MEASURES = /** @type {Record<Measure, string>} */ ({ ...ACROSS, ...UP });
const NAMES = /** @type {Measure[]} */ (Object.keys(MEASURES));

/**
 * The measures of an edit in words.
 * @param {Measures} measures
 */
export function inWords(measures) {
  const known = NAMES.filter((name) => Number.isFinite(measures[name]));
  return known.map((name) => `${MEASURES[name]} ${share(Number(measures[name]))}`).join(", ");
}

// settings

/** @typedef {unknown[]} Settings what an edit is made for, as Python says it of the edit that is there */

const WEIGHTS = ["alpha", "beta"];
const OTHERS = ["steps", "strategy", "scale"];

/**
 * What an edit would be made for now.
 * @param {(name: string) => unknown} get a trait
 * @returns {Settings}
 */
export function settingsOf(get) {
  const nonnegative = get("nonnegative") && get("strategy") === "diagonal"; // θ ≥ 0 is for the diagonal alone
  const others = OTHERS.map(get);
  return [...WEIGHTS.map(get), ...others, nonnegative, get("_chosen"), get("pair")];
}

/**
 * The same for any weights: what a grid over both of them is made for.
 * @param {Settings} settings
 * @returns {Settings}
 */
export const anyWeights = (settings) => [0, 0, ...settings.slice(WEIGHTS.length)];

/**
 * @param {unknown} a
 * @param {unknown} b
 */
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// rows

/** @typedef {{pair: Pair, n: number}} Mistakes how often a class was taken for another */

/**
 * @param {[truth: string, guess: string, n: number]} row
 * @returns {Mistakes}
 */
export const mistakesOf = ([truth, guess, n]) => ({ pair: [truth, guess], n });

/**
 * @typedef {object} Visit an edit that was looked at
 * @property {number} alpha
 * @property {number} beta
 * @property {number} steps
 * @property {number} plane which of the planes in words: the other settings
 * @property {Measures} measures
 * @property {unknown[]} place what Python knows it by
 */

/**
 * @param {[alpha: number, beta: number, steps: number, plane: number, ...measures: number[]]} row
 * @returns {Visit}
 */
export function visitOf([alpha, beta, steps, plane, ...values]) {
  const measures = Object.fromEntries(NAMES.map((name, i) => [name, values[i] ?? null]));
  return { alpha, beta, steps, plane, measures, place: [alpha, beta, steps, plane] };
}

/**
 * @typedef {Record<Measure, (number | null)[]> & {alphas: number[], betas: number[], of: Settings}} Front the grid over
 *   α and β as it fills, as Python sends it: of every measure a list, with β running fastest
 */

/** @typedef {{alpha: number, beta: number, measures: Measures}} GridCell */

/**
 * The grid cell by cell.
 * @param {Front} front
 * @returns {GridCell[]}
 */
export function cellsOf(front) {
  const { alphas = [], betas } = front;
  return alphas.flatMap((alpha, i) =>
    betas.map((beta, j) => {
      const at = i * betas.length + j;
      const measures = Object.fromEntries(NAMES.map((name) => [name, front[name][at]]));
      return { alpha, beta, measures };
    }),
  );
}

/** @typedef {{name: string} & Measures} Named an edit that was kept, or another method's */

/** @typedef {{name: string, ratio: number}} Scaled something an edit turned up or down */

/**
 * @typedef {object} Words what an edit did, as Python sends it; each part only once it is known
 * @property {[text: string, ratio: number][]} [down] texts turned down
 * @property {[text: string, ratio: number][]} [up]
 * @property {[head: string, ratio: number][]} [heads]
 * @property {[dimension: number, by: number][]} [moved]
 * @property {number | null} negative dimensions below zero
 * @property {{ce: number, success: number, locality: number}} [pulls]
 * @property {number | null} [gap] of the attainable fall, what is left
 */

/** @param {[name: string, ratio: number]} row */
export const scaledOf = ([name, ratio]) => ({ name, ratio });

/** @param {[dimension: number, by: number]} row */
export const movedOf = ([dimension, by]) => ({ dimension, by });
