// Bytes as numbers, SVG nodes, and thumbnails from one sheet.

import { make } from "./common.js";
import "./tiles.css";

export const floats = (bytes) =>
  new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));

export function drawn(tag, parent, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

// Thumbnails from one sheet: tiles [{id, title, label, caption}], the first of them at `offset` in the sheet.
export function paintTiles(line, tiles, offset, n, { columns, side }, url, chosen) {
  while (line.children.length > tiles.length) line.lastChild.remove();
  while (line.children.length < tiles.length) make("div", "tkm-thumb", line, { role: "option" });
  tiles.forEach(({ id, title, label, caption }, i) => {
    const tile = line.children[i];
    const at = offset + i;
    tile.image = id;
    tile.textContent = url ? "" : id;
    tile.style.backgroundImage = url ? `url("${url}")` : "";
    tile.style.backgroundSize = `${columns * side}px ${Math.ceil(n / columns) * side}px`;
    tile.style.backgroundPosition = `${-(at % columns) * side}px ${-Math.floor(at / columns) * side}px`;
    tile.title = title;
    tile.setAttribute("aria-label", label);
    tile.setAttribute("aria-selected", id === chosen);
    tile.tabIndex = i === 0 ? 0 : -1;
    if (caption) make("span", "tkm-caption", tile).textContent = caption;
  });
}

export function tileKey(view, event) {
  // walk along thumbnails, choose one; whether the key was of that kind
  const tile = event.target.closest?.(".tkm-thumb");
  const to = { ArrowLeft: tile?.previousSibling, ArrowRight: tile?.nextSibling }[event.key];
  const chosen = event.key === "Enter" || event.key === " ";
  if (!tile || !(to || chosen)) return false;
  view.done(event, () => (chosen ? tile.click() : to.focus()));
  return true;
}

// The picture of a sheet as an object URL, made anew when the bytes change.
export class SheetUrl {
  of(bytes) {
    if (this.bytes !== bytes) {
      this.bytes = bytes;
      this.drop();
      this.url = bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : "";
    }
    return this.url;
  }

  drop() {
    if (this.url) URL.revokeObjectURL(this.url);
  }
}
