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
  const lines = [["heads off, no edit", offWords(marks)]];
  lines.push([name, words((row) => row)]);
  if (other) lines.push([other, words((row) => row.beside)]);
  return lines.filter(([, told]) => told);
}

/** @param {NamedMeasures[]} marks */
function offWords(marks) {
  const { worst = null, locality = null } = marks.find(({ name }) => name === "heads off") ?? {};
  const price = locality === null ? "" : `; other classes ${share(locality)}`;
  return worst === null ? "" : `worst group ${share(worst)}${price}`;
}
