// The maps as CSV, a head a line.

/** @import { Head } from "../base/types.d.ts" */

/**
 * A field.
 * @param {string} text
 */
const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/**
 * @param {string[]} scores
 * @param {Float32Array} values map after map
 * @param {Head[]} heads in the order of a map
 * @param {Head[]} picked
 */
export function csvOf(scores, values, heads, picked) {
  const names = scores.map((name) => quoted(name || "value"));
  const selected = new Set(picked.map(String));
  const lines = heads.map((head, i) => {
    const own = scores.map((_, score) => values[score * heads.length + i]);
    return [...head, ...own, selected.has(String(head))].join(",");
  });
  const first = ["layer", "head", ...names, "selected"].join(",");
  return `${[first, ...lines].join("\n")}\n`;
}
