// A guided tour: a box that says what to look at, and a ring around it. The user may do anything meanwhile.

/** @import { Frame } from "../base/frame.js" */

import { make, targetOf, write } from "../base/dom.js";
import "./guide.css";

/** @type {Record<string, string>} what a step speaks of, in the explorer; while it is not there, the tab where it will be */
const LOOK = {
  confusion: ".tkex-picker",
  gallery: ".tkga",
  grid: ".tkhg",
  chosen: ".tkex-bar",
  words: ".tkse-main",
  where: ".tkt-pane",
  off: ".tkl-groups",
  edit: ".tkl-side",
  compare: ".tkco-centre",
  two: ".tkl-groups",
  tools: ".tk-head .tk-tools",
};
const LEAST = 160; // pixels of it that must be seen, or all
const BESIDE = 7; // pixels between it and the ring
const ABOVE = 4;
const LOW = 12; // pixels from the top of the panel within which the ring's words would leave it

/**
 * @typedef {object} Step as Python sends it
 * @property {string} title
 * @property {string} says
 * @property {string} look
 * @property {string} code
 * @property {string} tab
 * @property {string} target what it speaks of
 */

/** @type {Step} until Python has sent the tour */
const COMES = { title: "One moment …", says: "", look: "", code: "", tab: "", target: "" };

/**
 * What the explorer shows of itself.
 * @typedef {Frame & {
 *   paint: () => void,
 *   tabs: HTMLElement,
 *   all: {name: string, button: HTMLElement}[],
 *   tabOf: (target: Element) => string | undefined,
 * }} Explorer
 */

export class Guide {
  /** @param {Explorer} view */
  constructor(view) {
    this.view = view;
    /** @type {number | undefined} the step that was gone to here: only this display scrolls to what it speaks of */
    this.driven = undefined;
    /** @type {number | undefined} the frame in which the ring is placed anew */
    this.soon = undefined;
    this.button = view.tool("tour", "Guided tour");
    this.box = make("div", "tkgd", view.body, { role: "group", tabindex: "-1", hidden: "" });
    const said = make("div", "tkgd-said", this.box, { "aria-live": "polite", "aria-atomic": "true" });
    const top = make("div", "tkgd-top", said);
    this.title = make("b", "tkgd-title", top);
    this.count = make("span", "tkgd-soft", top);
    this.says = make("div", "", said);
    this.look = make("div", "tkgd-look", said);
    const line = make("div", "tkgd-line", this.box);
    make("span", "tkgd-soft", line).textContent = "In Python:";
    this.code = make("code", "", line);
    const row = make("div", "tkgd-row", line);
    this.back = view.button(row, "Back");
    this.next = view.button(row, "Next");
    this.leave = view.button(row, "Leave");
    this.ring = make("div", "tkgd-ring", view.root, { "aria-hidden": "true", hidden: "" });
    make("span", "", this.ring).textContent = "look here";
    for (const kind of ["wheel", "pointerdown"]) {
      view.root.addEventListener(kind, () => this.letScroll(), { passive: true });
    }
    this.sizes = new ResizeObserver(() => this.placeSoon());
    this.changes = new MutationObserver(() => this.placeSoon());
  }

  // what the model holds

  /** @returns {number} the step; −1 while there is no tour */
  get at() {
    return this.view.get("guide");
  }

  /** @returns {Step[]} sent when a tour begins */
  get steps() {
    return this.view.get("_tour");
  }

  get step() {
    return this.at < 0 ? undefined : this.steps[this.at] || COMES;
  }

  get isLast() {
    return this.at === this.steps.length - 1;
  }

  // paint

  paint() {
    const { step } = this;
    const on = step !== undefined;
    const wasLeft = !on && !this.box.hidden && this.box.contains(this.view.active);
    this.button.setAttribute("aria-expanded", String(on));
    if (on === this.box.hidden) this.turn(on);
    if (wasLeft) this.button.focus();
    if (step) this.paintStep(step);
    this.place();
  }

  /** @param {Step} step */
  paintStep(step) {
    const count = step === COMES ? "" : `step ${this.at + 1} of ${this.steps.length}`;
    this.box.setAttribute("aria-label", `guided tour, ${count}: ${step.title}`);
    write(this.count, count);
    write(this.title, step.title);
    write(this.says, step.says);
    write(this.look, step.look);
    write(this.code, step.code);
    this.back.disabled = this.at === 0;
    write(this.next, this.isLast ? "Done" : "Next");
  }

  /** @param {boolean} on */
  turn(on) {
    this.box.hidden = !on;
    this.away();
    if (!on) return;
    this.sizes.observe(this.view.root);
    const changes = { childList: true, subtree: true, attributeFilter: ["hidden", "class"] };
    this.changes.observe(this.view.body, changes);
  }

  away() {
    this.sizes.disconnect();
    this.changes.disconnect();
  }

  placeSoon() {
    this.soon ??= requestAnimationFrame(() => {
      this.soon = undefined;
      this.place();
    });
  }

  /** Whoever scrolls wants to look elsewhere. */
  letScroll() {
    this.driven = undefined;
  }

  /**
   * What a step speaks of; where the user is elsewhere, or it is still being made, the tab that leads there.
   * @param {Step} step
   * @returns {HTMLElement | undefined}
   */
  targetOf({ target, tab }) {
    const { all, root } = this.view;
    const here = !tab || tab === this.view.get("tab");
    /** @type {Iterable<HTMLElement>} */
    const nodes = here ? root.querySelectorAll(LOOK[target]) : [];
    const seen = [...nodes].find((node) => node.offsetHeight);
    return seen || all.find(({ name }) => name === tab)?.button;
  }

  /** The ring around what the step speaks of. */
  place() {
    const { step, ring, view } = this;
    const node = step && this.targetOf(step);
    ring.hidden = !node;
    if (!step || !node) return;
    const inner = node.getBoundingClientRect();
    const outer = view.root.getBoundingClientRect();
    const x = outer.left + view.root.clientLeft;
    const y = outer.top + view.root.clientTop;
    const left = Math.max(1, inner.left - x - BESIDE); // where there is room
    const top = Math.max(1, inner.top - y - ABOVE);
    const right = Math.min(view.root.clientWidth - 1, inner.right - x + BESIDE);
    const bottom = inner.bottom + ABOVE - y;
    ring.style.left = `${left}px`;
    ring.style.top = `${top}px`;
    ring.style.width = `${right - left}px`;
    ring.style.height = `${bottom - top}px`;
    ring.classList.toggle("tkgd-low", top < LOW);
    if (this.driven !== this.at) return; // another display, or Python: they do not scroll this page
    this.scroll(node, inner);
    const isThere = view.tabOf(node) !== step.tab;
    if (isThere && !view.get("_work").length) this.driven = undefined; // it stays where it is
  }

  /**
   * @param {HTMLElement} node
   * @param {DOMRect} rectangle where it is
   */
  scroll(node, { top, bottom }) {
    const box = this.box.getBoundingClientRect();
    const below = top >= box.bottom;
    const seen = bottom <= innerHeight || top < innerHeight - LEAST;
    if (below && seen) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    node.style.scrollMargin = `${box.height + 24}px 0 8px`; // the box stays above what it speaks of
    node.scrollIntoView({ block: "nearest", behavior: still ? "instant" : "smooth" });
    node.style.scrollMargin = "";
  }

  // what the user does

  /** @param {number} to */
  go(to) {
    this.driven = to;
    this.view.set({ guide: to });
    this.view.paint();
    if (to < 0) {
      this.button.focus();
      return;
    }
    const focused = /** @type {HTMLButtonElement | null} */ (this.view.active);
    if (!this.box.contains(focused) || focused?.disabled) this.box.focus();
  }

  /** To the next step; from the last, to the end. */
  goOn() {
    this.go(this.isLast ? -1 : this.at + 1);
  }

  /**
   * Whether a click was for the tour.
   * @param {Element} target
   */
  onClick(target) {
    if (target === this.button) this.go(this.step ? -1 : 0);
    else if (target === this.back) this.go(this.at - 1);
    else if (target === this.next) this.goOn();
    else if (target === this.leave) this.go(-1);
    else return false;
    return true;
  }

  /**
   * Whether a key was for the tour.
   * @param {KeyboardEvent} event
   */
  onKey(event) {
    const act = this.keyed(event.key, targetOf(event));
    if (act) this.view.done(event, act);
    return Boolean(act);
  }

  /**
   * What a key does.
   * @param {string} key
   * @param {Element} target
   * @returns {(() => void) | undefined}
   */
  keyed(key, target) {
    if (key === "t") return () => (this.step ? this.box.focus() : this.go(0));
    if (!this.step) return undefined;
    if (key === "Escape") return () => this.go(-1);
    if (key === "Enter" && target === this.box) return () => this.goOn();
    return this.box.contains(target) ? this.walked(key) : undefined;
  }

  /**
   * What a key does in the box.
   * @param {string} key
   * @returns {(() => void) | undefined}
   */
  walked(key) {
    const { at, isLast } = this;
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: () => isLast || this.go(at + 1),
      ArrowLeft: () => at === 0 || this.go(at - 1),
      Home: () => this.go(0),
      End: () => this.go(Math.max(at, this.steps.length - 1)),
    };
    return acts[key];
  }
}
