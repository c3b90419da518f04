// What a person wants to know first: the worst group and the price, of each edit in a line.

/** @import { GroupRow, RowAfter } from "../base/types.d.ts" */
/** @import { NamedMeasures } from "./sent.d.ts" */

import { points, share } from "../base/numbers.js";

/**
 * @param {GroupRow} row
 * @param {RowAfter} after
 */
const changeOf = ({ before }, { after, low, high }) => {
  return `${share(before)} → ${share(after)} (${points(after - before)} [${points(low)}, ${points(high)}])`;
};

/**
 * A line for each edit: its name and its words; none while there are no rows.
 * @param {GroupRow[]} rows with what the edit beside makes of them
 * @param {string} name of the edit that is looked at
 * @param {string} other of the one beside it; "" for none
 * @param {NamedMeasures[]} marks what is no edit: the first line is of the heads simply switched off
 */
export function verdicts(rows, name, other, marks) {
  const worst = rows.find((row) => row.sum);
  const price = rows.find((row) => row.other);
  /** @type {(of: (row: GroupRow) => RowAfter | undefined) => string} */
  const words = (of) => {
    const told = [worst, price].flatMap((row) => {
      const after = row && of(row);
      return after ? [`${row.name} ${changeOf(row, after)}`] : [];
    });
    return told.join("; ");
  };
  /** @type {[name: string, words: string][]} */
  const lines = [["heads off, no edit", offWords(marks, worst, price)]];
  lines.push([name, words((row) => row)]);
  if (other) lines.push([other, words((row) => row.beside)]);
  return lines.filter(([, told]) => told);
}

/**
 * @param {NamedMeasures[]} marks
 * @param {GroupRow | undefined} row of the worst group
 * @param {GroupRow | undefined} price of the other classes
 */
function offWords(marks, row, price) {
  const { worst = null, locality = null } = marks.find(({ name }) => name === "heads off") ?? {};
  if (worst === null || !row) return "";
  const best = Math.max(row.after, row.beside?.after ?? 0);
  const verdict = worst > best ? ": more than the edits here" : "";
  const paid =
    locality === null || !price ? "" : `; other classes ${share(price.before)} → ${share(locality)}`;
  return `worst group ${share(row.before)} → ${share(worst)}${verdict}${paid}`;
}
