// Scores of heads as Python tells of them: what can be chosen, and what a score is called.

/** @import { Score } from "./types.d.ts" */

import { offer } from "./controls.js";

/**
 * The end of a score's colours: its guiltiest head; one that is much needed would make all guilty ones pale.
 * @param {Iterable<number>} values
 */
export function scaleEnd(values) {
  const known = [...values].filter(Number.isFinite);
  const guilty = Math.max(0, ...known);
  return guilty || Math.max(1e-12, ...known.map(Math.abs));
}

/**
 * Fill a list with the scores.
 * @param {HTMLSelectElement} select
 * @param {Score[]} scores
 */
export function offerScores(select, scores) {
  offer(
    select,
    scores.map(({ name, label }) => [name, label]),
  );
}

/**
 * A score by name; one that is not told of is called by its name.
 * @param {Score[]} scores
 * @param {string} name
 * @returns {Score}
 */
export function scoreNamed(scores, name) {
  return scores.find((one) => one.name === name) ?? { name, label: name, unit: "", takes_text: false };
}
