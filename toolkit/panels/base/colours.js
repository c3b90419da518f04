// Colours out of a palette.

/** @import { Rgb } from "./types.d.ts" */

import { within } from "./numbers.js";

/**
 * The colour at a place of a palette, from 0 to 1, between its two neighbours.
 * @param {Rgb[]} palette
 * @param {number} place
 */
export function rgbAt(palette, place) {
  const at = within(place, 0, 1) * (palette.length - 1);
  const low = palette[Math.floor(at)];
  const high = palette[Math.ceil(at)];
  return low.map((channel, i) => Math.round(channel + (high[i] - channel) * (at % 1)));
}

/**
 * A colour as CSS writes it.
 * @param {number[]} rgb
 */
export const css = (rgb) => `rgb(${rgb.join(" ")})`;
