// Fields of a panel: labels and lists to choose from.

import { make } from "./dom.js";

/** @typedef {[value: string, words: string]} Option */

/** @type {WeakMap<HTMLSelectElement, string>} what a list offers, to fill it only when that changes */
const OFFERED = new WeakMap();

/**
 * A label around what is put into it.
 * @param {Element} parent
 * @param {string} words
 * @param {string} [name] its class
 */
export function labelled(parent, words, name = "tkl-label") {
  const label = make("label", name, parent);
  label.append(words);
  return label;
}

/**
 * A list to choose from; its own label where no other names it.
 * @param {Element | null} parent
 * @param {string} label
 * @param {Option[]} options
 */
export function choice(parent, label, options) {
  const select = make("select", "", parent, { "aria-label": label });
  offer(select, options);
  return select;
}

/**
 * Fill a list, unless it offers the same already.
 * @param {HTMLSelectElement} select
 * @param {Option[]} options
 * @param {(value: string) => boolean} isOff what cannot be chosen now
 */
export function offer(select, options, isOff = () => false) {
  const key = JSON.stringify(options.map(([value, words]) => [value, words, isOff(value)]));
  if (OFFERED.get(select) === key) return;
  OFFERED.set(select, key);
  const made = options.map(([value, words]) => {
    const option = make("option", "", null, { value });
    option.textContent = words;
    option.disabled = isOff(value);
    return option;
  });
  select.replaceChildren(...made);
}
