// Asks Python for one thing after the other.

/** @import { Model } from "./types.d.ts" */

let asks = 0;

/**
 * An ask stays in the list until its id comes back, so that messages which Jupyter merges while the kernel is busy lose
 * none.
 */
export class Asker {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.name = Math.random().toString(36).slice(2, 10);
    /** @type {{id: string}[]} */
    this.open = [];
  }

  /** @param {{do: string, [more: string]: unknown}} what */
  ask(what) {
    const done = new Set(this.model.get("_answered"));
    const waiting = this.open.filter((ask) => !done.has(ask.id));
    asks += 1;
    this.open = [...waiting, { id: `${this.name} ${asks}`, ...what }];
    this.model.set("_asked", this.open);
    this.model.save_changes();
  }
}
