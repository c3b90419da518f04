// Thumbnails from one sheet.

/** @import { Frame } from "./frame.js" */
/** @import { Sheet, Tile } from "./types.d.ts" */

import { make, targetOf } from "./dom.js";
import "./tiles.css";

/** @type {WeakMap<Element, string>} which image a thumbnail shows */
const IMAGES = new WeakMap();

/**
 * A row of thumbnails.
 * @param {Element} line
 * @param {Tile[]} tiles
 * @param {Sheet & {url: string, offset: number, total: number}} sheet the first tile is at `offset`, of `total`
 * @param {string | null} chosen
 */
export function paintTiles(line, tiles, { url, offset, total, columns, side }, chosen) {
  while (line.children.length > tiles.length) line.lastElementChild?.remove();
  while (line.children.length < tiles.length) make("div", "tkm-thumb", line, { role: "option" });
  const rows = Math.ceil(total / columns);
  tiles.forEach(({ id, title, label, caption }, i) => {
    const tile = /** @type {HTMLElement} */ (line.children[i]);
    const column = (offset + i) % columns;
    const row = Math.floor((offset + i) / columns);
    IMAGES.set(tile, id);
    tile.textContent = url ? "" : id;
    tile.style.backgroundImage = url ? `url("${url}")` : "";
    tile.style.backgroundSize = `${columns * side}px ${rows * side}px`;
    tile.style.backgroundPosition = `${-column * side}px ${-row * side}px`;
    tile.title = title;
    tile.setAttribute("aria-label", label);
    tile.setAttribute("aria-selected", String(id === chosen));
    tile.tabIndex = i === 0 ? 0 : -1;
    if (caption) make("span", "tkm-caption", tile).textContent = caption;
  });
}

/**
 * The image whose thumbnail was clicked, if one was.
 * @param {Element} target
 */
export function imageOf(target) {
  const tile = target.closest(".tkm-thumb");
  return tile ? IMAGES.get(tile) : undefined;
}

/**
 * Walk along thumbnails, or choose one; whether the key was of that kind.
 * @param {Frame} view
 * @param {KeyboardEvent} event
 */
export function tileKey(view, event) {
  const tile = /** @type {HTMLElement | null | undefined} */ (targetOf(event).closest?.(".tkm-thumb"));
  if (!tile) return false;
  if (event.key === "Enter" || event.key === " ") {
    view.done(event, () => tile.click());
    return true;
  }
  let to = null;
  if (event.key === "ArrowLeft") to = tile.previousElementSibling;
  if (event.key === "ArrowRight") to = tile.nextElementSibling;
  if (!(to instanceof HTMLElement)) return false;
  const neighbour = to;
  view.done(event, () => neighbour.focus());
  return true;
}
