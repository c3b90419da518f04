// A value as a colour, a mark and a word; toolkit/figures paints the same, and a test compares the two.

/**
 * Where a value lies in a palette whose middle is zero.
 * @param {number} value
 * @param {number} limit
 * @param {number[][]} palette
 * @param {number[]} missing the colour of what is no number
 */
export function colorOf(value, limit, palette, missing) {
  if (Number.isNaN(value)) return missing;
  const part = Math.min(1, Math.max(-1, value / limit));
  const place = ((part + 1) / 2) * (palette.length - 1);
  const low = Math.min(Math.floor(place), palette.length - 2);
  const along = place - low;
  return palette[low].map((channel, i) => {
    const next = palette[low + 1][i];
    return Math.floor(channel + (next - channel) * along + 0.5);
  });
}

/**
 * What is written on a cell whose colour cannot tell its value.
 * @param {number} value
 * @param {number} limit
 */
export function markOf(value, limit) {
  if (Number.isNaN(value)) return "×";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  const beyond = Math.abs(value) > limit * (1 + 1e-6);
  if (!beyond) return "";
  return value > 0 ? "+" : "−";
}

/**
 * @param {number} value
 * @param {number} digits that are told
 */
export function words(value, digits = 4) {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  const text = Number(value.toPrecision(digits)).toString().replace("-", "−");
  return value > 0 ? `+${text}` : text;
}

/**
 * The colour of what is written on another.
 * @param {number[]} rgb
 */
export function inkOn([red, green, blue]) {
  const light = 0.299 * red + 0.587 * green + 0.114 * blue;
  return light > 140 ? "#14171c" : "#ffffff";
}
