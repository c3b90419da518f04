// Many thumbnails in one picture.

/** @import { Bytes } from "./types.d.ts" */

/** The picture of a sheet as an object URL, made anew when the bytes change. */
export class SheetUrl {
  constructor() {
    /** @type {Bytes | undefined} */
    this.bytes = undefined;
    this.url = "";
  }

  /** @param {Bytes} bytes */
  of(bytes) {
    if (this.bytes === bytes) return this.url;
    this.bytes = bytes;
    this.drop();
    this.url = bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : "";
    return this.url;
  }

  drop() {
    if (this.url) URL.revokeObjectURL(this.url);
  }
}
