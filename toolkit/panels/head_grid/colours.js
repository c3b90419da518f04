// A value as a colour, a mark and a word; toolkit/figures paints the same, and a test compares the two.

export function colorOf(value, limit, palette, missing) {
  if (Number.isNaN(value)) return missing;
  const t = ((Math.min(1, Math.max(-1, value / limit)) + 1) / 2) * (palette.length - 1);
  const i = Math.min(Math.floor(t), palette.length - 2);
  return palette[i].map((c, k) => Math.floor(c + (palette[i + 1][k] - c) * (t - i) + 0.5));
}

export function markOf(value, limit) {
  if (Number.isNaN(value)) return "×";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  return Math.abs(value) > limit * (1 + 1e-6) ? (value > 0 ? "+" : "−") : "";
}

export function words(value) {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  const text = Number(value.toPrecision(4)).toString().replace("-", "−");
  return value > 0 ? "+" + text : text;
}
