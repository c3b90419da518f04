// The axes of a plane of shares: their ends, where grid lines are, and what is written at them.

/** @typedef {{low: number, high: number}} Range */

const STEPS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]; // between grid lines

/**
 * The ends of an axis: all values, and some room.
 * @param {number[]} values
 * @param {{least: number, share: number}} room at each end: at least so much, and a share of what the values span
 * @returns {Range}
 */
export function rangeOf(values, { least, share }) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = Math.max(least, share * (high - low));
  return { low: low - room, high: high + room };
}

/**
 * Where grid lines are.
 * @param {Range} range
 * @param {number} most of them
 */
export function linesOf({ low, high }, most) {
  const step = STEPS.find((one) => (high - low) / one <= most) || 1;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(value);
  return found;
}

/** @param {number} value */
export const inPercent = (value) => String(Number((100 * value).toFixed(1)));
