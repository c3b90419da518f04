// What a panel sees of the explorer's model.

/** @import { Model } from "../base/types.d.ts" */

const CHANGE = "change:";

/**
 * The model of one part: its own traits, under its own names. No more than any host offers.
 * @implements {Model}
 */
export class Part {
  /**
   * @param {Model} model the explorer's
   * @param {string} name of the part
   */
  constructor(model, name) {
    this.model = model;
    this.name = name;
  }

  /**
   * A trait's name in the explorer's model.
   * @param {string} trait
   */
  key(trait) {
    return trait === "theme" ? trait : `${this.name}__${trait}`;
  }

  /** @param {string} event */
  event(event) {
    return event.startsWith(CHANGE) ? CHANGE + this.key(event.slice(CHANGE.length)) : event;
  }

  /** @param {string} trait */
  get(trait) {
    return this.model.get(this.key(trait));
  }

  /**
   * @param {string} trait
   * @param {unknown} value
   */
  set(trait, value) {
    this.model.set(this.key(trait), value);
  }

  save_changes() {
    this.model.save_changes();
  }

  /**
   * @param {string} event
   * @param {() => void} act
   */
  on(event, act) {
    this.model.on(this.event(event), act);
  }

  /**
   * @param {string} event
   * @param {() => void} act
   */
  off(event, act) {
    this.model.off(this.event(event), act);
  }
}
