// Measures and settings of edits: what they are called, and whether two are the same.

/** @import { FrontSent, Measures, SettingsSent } from "./sent.d.ts" */

import { share } from "../base/numbers.js";

/** @typedef {"success" | "worst" | "like"} Across what the plane may have to the right */
/** @typedef {"locality" | "agreement"} Up and upwards */
/** @typedef {keyof Measures} Measure */

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

/**
 * The same settings for any weights: what a grid over both of them is made for.
 * @param {SettingsSent} settings
 * @returns {SettingsSent}
 */
export const anyWeights = (settings) => ({ ...settings, alpha: 0, beta: 0 });

/**
 * The same settings for any strategy and weights: what the fronts are made for.
 * @param {SettingsSent} settings
 * @returns {SettingsSent}
 */
export const anyStrategy = (settings) => ({ ...anyWeights(settings), strategy: "", nonnegative: false });

/**
 * Whether two are the same settings; none, of what is not there yet, are no settings.
 * @param {Partial<SettingsSent> | undefined} some
 * @param {SettingsSent} settings
 */
export function same(some, settings) {
  const names = /** @type {(keyof SettingsSent)[]} */ (Object.keys(settings));
  return names.every((name) => JSON.stringify(some?.[name]) === JSON.stringify(settings[name]));
}

/** @typedef {{alpha: number, beta: number, measures: Measures}} GridCell */

/**
 * The grid cell by cell; empty while there is none.
 * @param {FrontSent} front
 * @returns {GridCell[]}
 */
export function cellsOf(front) {
  const { alphas = [], betas } = front;
  return alphas.flatMap((alpha, i) =>
    betas.map((beta, j) => {
      const at = i * betas.length + j;
      const values = Object.fromEntries(NAMES.map((name) => [name, front[name][at]]));
      return { alpha, beta, measures: /** @type {Measures} */ (/** @type {unknown} */ (values)) };
    }),
  );
}
