// What a panel says of work that takes long: what it does, how far it is, and a button that ends it.

/** @import { Frame } from "./frame.js" */

import { make, targetOf, write } from "./dom.js";

const AFTER = 1000; // milliseconds before anything is said
const AGAIN = 1000; // and before it is said anew
const MINUTE = 60;
const HOUR = 60 * MINUTE;

/**
 * @typedef {object} SignSent how far some work is
 * @property {string} what it does just now; "" for no more than the panel says of it
 * @property {string} unit what is counted, in the singular
 * @property {number} done
 * @property {number} of 0 where that is unknown
 * @property {number | null} rate units a second
 * @property {number | null} left seconds
 * @property {boolean} stopped whether it was ended before it was there
 */

/**
 * A time in words: "12 s", "3 min", "1.5 h".
 * @param {number} seconds
 */
export function lasting(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 1.5 * HOUR) return `${Math.round(seconds / MINUTE)} min`;
  return `${(seconds / HOUR).toFixed(1)} h`;
}

/** @param {number} rate units a second */
function pace(rate) {
  if (rate >= 10) return `${Math.round(rate).toLocaleString("en")}/s`;
  if (rate >= 0.1) return `${rate.toFixed(1)}/s`;
  return `one in ${lasting(1 / rate)}`;
}

/**
 * How far it is: "1,200 of 4,115 texts".
 * @param {SignSent} sign
 */
function progress({ unit, done, of }) {
  const total = of.toLocaleString("en");
  const units = unit && ` ${unit}${of === 1 ? "" : "s"}`;
  return `${done.toLocaleString("en")} of ${total}${units}`;
}

/**
 * What is said of some work that runs.
 * @param {SignSent | undefined} sign
 * @param {number} seconds since it began
 */
function runs(sign, seconds) {
  if (!sign?.of) return lasting(seconds);
  const said = [progress(sign)];
  if (sign.rate) said.push(pace(sign.rate));
  if (sign.left !== null) said.push(`${lasting(sign.left)} left`);
  return said.join(" · ");
}

/**
 * One line of it.
 * @typedef {object} Line
 * @property {HTMLElement} node
 * @property {HTMLElement} what
 * @property {HTMLElement} bar
 * @property {HTMLElement} far
 * @property {HTMLButtonElement} button
 */

export class Signs {
  /**
   * @param {Frame} frame
   * @param {Element} parent
   */
  constructor(frame, parent) {
    this.frame = frame;
    this.node = make("div", "tk-signs", parent);
    /** @type {Map<string, number>} when each part was first seen at work, in milliseconds */
    this.since = new Map();
    /** @type {Map<string, Line>} by part */
    this.lines = new Map();
    /** @type {Map<string, Element>} where the line of a part stands, if not with the others */
    this.places = new Map();
    /** @type {Set<string>} parts asked to stop that have not yet */
    this.ending = new Set();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.node.addEventListener("click", (event) => this.onClick(event));
  }

  /**
   * Let the line of a part stand elsewhere: what nobody asked for must not move what one looks at.
   * @param {string} part
   * @param {HTMLElement} place
   */
  put(part, place) {
    this.places.set(part, place);
    place.addEventListener("click", (event) => this.onClick(event));
  }

  /** @returns {Record<string, SignSent>} */
  get told() {
    return this.frame.get("_signs") ?? {};
  }

  /** @returns {string[]} parts whose answer is on its way */
  get work() {
    return this.frame.get("_work") ?? [];
  }

  paint() {
    clearTimeout(this.timer);
    const { work, told } = this;
    const now = performance.now();
    for (const part of this.since.keys()) if (!work.includes(part)) this.since.delete(part);
    for (const part of this.ending) if (!work.includes(part)) this.ending.delete(part);
    for (const part of work) if (!this.since.has(part)) this.since.set(part, now);
    const old = work.filter((part) => now - this.sinceOf(part) >= AFTER);
    const stopped = Object.keys(told).filter((part) => told[part].stopped && !work.includes(part));
    const shown = [...old, ...stopped];
    for (const [part, line] of this.lines) {
      if (shown.includes(part)) continue;
      line.node.remove();
      this.lines.delete(part);
    }
    for (const part of shown) this.paintLine(part, told[part]);
    const waits = work.map((part) => AFTER - (now - this.sinceOf(part))).filter((wait) => wait > 0);
    const next = old.length > 0 ? Math.min(AGAIN, ...waits) : Math.min(...waits);
    if (Number.isFinite(next)) this.timer = setTimeout(() => this.paint(), next);
  }

  /** @param {string} part */
  sinceOf(part) {
    return this.since.get(part) ?? performance.now();
  }

  /**
   * @param {string} part
   * @param {SignSent | undefined} sign
   */
  paintLine(part, sign) {
    const line = this.lines.get(part) ?? this.buildLine(part);
    const words = sign?.what || this.frame.get("_doing")?.[part] || part;
    const seconds = (performance.now() - this.sinceOf(part)) / 1000;
    const share = sign?.of ? sign.done / sign.of : undefined;
    const ending = this.ending.has(part);
    write(line.what, words);
    line.bar.classList.toggle("tk-sign-unknown", share === undefined && !sign?.stopped);
    line.bar.style.setProperty("--tk-share", String(share ?? 0));
    line.bar.setAttribute("aria-label", words);
    if (share === undefined) line.bar.removeAttribute("aria-valuenow");
    else line.bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    write(line.far, this.said(sign, seconds, ending));
    write(line.button, sign?.stopped ? "go on" : "stop");
    line.button.setAttribute("aria-label", `${sign?.stopped ? "go on" : "stop"}: ${words}`);
    line.button.disabled = ending;
  }

  /**
   * @param {SignSent | undefined} sign
   * @param {number} seconds
   * @param {boolean} ending
   */
  said(sign, seconds, ending) {
    if (sign?.stopped) return sign.of ? `stopped at ${progress(sign)}` : "stopped";
    if (ending) return "stopping …";
    return runs(sign, seconds);
  }

  /** @param {string} part */
  buildLine(part) {
    const node = make("div", "tk-sign", this.places.get(part) ?? this.node, { "data-part": part });
    const bar = make("div", "tk-sign-bar", node, {
      role: "progressbar",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    });
    const what = make("span", "tk-sign-what", node);
    const far = make("span", "tk-sign-far", node);
    const button = make("button", "tk-sign-stop", node, { type: "button" });
    const line = { node, what, bar, far, button };
    this.lines.set(part, line);
    return line;
  }

  /** @param {Event} event */
  onClick(event) {
    const target = targetOf(event);
    const part = target.closest(".tk-sign")?.getAttribute("data-part");
    if (!part || !target.closest(".tk-sign-stop")) return;
    const again = this.told[part]?.stopped;
    if (!again) this.ending.add(part);
    this.frame.asker.ask({ do: again ? "go on" : "stop work", part });
    this.paint();
  }

  /** The view goes away. */
  end() {
    clearTimeout(this.timer);
  }
}
