// Numbers as words and places.

/**
 * A number kept between two ends.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const within = (value, low, high) => Math.max(low, Math.min(high, value));

/**
 * 0, 1, … below n.
 * @param {number} n
 */
export const upTo = (n) => [...Array(n).keys()];

/**
 * Whether two rows or lists hold the same.
 * @param {unknown} a
 * @param {unknown} b
 */
export const alike = (a, b) => String(a) === String(b);

/**
 * A share with one digit: "34.2 %".
 * @param {number} value
 */
export const share = (value) => `${(100 * value).toFixed(1)} %`;

/**
 * A share with as many digits as it bears: "3.4 %", "34 %".
 * @param {number} value
 */
export function percent(value) {
  if (!Number.isFinite(value)) return "–";
  const digits = value < 0.0995 ? 1 : 0;
  return `${(100 * value).toFixed(digits)} %`;
}

/**
 * A share without digits: "34 %".
 * @param {number} value
 */
export const whole = (value) => `${Math.round(100 * value)} %`;

/**
 * A change in points: "+1.5".
 * @param {number} value
 */
export const points = (value) => `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)}`;

/**
 * A number with two digits that count: "−0.12".
 * @param {number} value
 */
export function short(value) {
  if (!Number.isFinite(value)) return "–";
  return `${value < 0 ? "−" : ""}${Math.abs(value).toPrecision(2)}`;
}

/**
 * A number with its sign: "+0.0123"; what would round to zero as a power of ten.
 * @param {number} value
 * @param {number} digits
 */
export function signed(value, digits = 4) {
  const size = Math.abs(value);
  const visible = size >= 0.5 * 10 ** -digits || !size;
  const text = visible ? size.toFixed(digits) : size.toExponential(1).replace("-", "−");
  return (value < 0 ? "−" : "+") + text;
}

/**
 * A number of any size in few letters: "0.12", "2.5e−4".
 * @param {number} value
 */
export function brief(value) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-2 && size < 1e4)) return short(value);
  return value.toExponential(1).replaceAll("-", "−").replace("e+", "e");
}
