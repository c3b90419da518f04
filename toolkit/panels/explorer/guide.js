// A guided tour: a box that says what to look at, and a ring around it. The user may do anything meanwhile.

import { make, write } from "../base/common.js";
import "./guide.css";

const LOOK = {
  // what a step speaks of, in the explorer; while it is not there, the tab where it will be
  confusion: ".tkex-picker",
  gallery: ".tkga",
  grid: ".tkhg",
  chosen: ".tkex-bar",
  words: ".tkse-main",
  where: ".tkt-pane",
  off: ".tkl-groups",
  edit: ".tkl-side",
  two: ".tkl-groups",
  tools: ".tk-head .tk-tools",
};
const COMES = { title: "One moment …", says: "", look: "", code: "", tab: "" };
const LEAST = 160; // pixels of it that must be seen, or all

export class Guide {
  constructor(view) {
    this.view = view;
    this.button = view.tool("tour", "Guided tour");
    this.box = make("div", "tkgd", view.body, { role: "group", tabindex: "-1", hidden: "" });
    const said = make("div", "tkgd-said", this.box, {
      "aria-live": "polite",
      "aria-atomic": "true",
    });
    const top = make("div", "tkgd-top", said);
    this.title = make("b", "tkgd-title", top);
    this.count = make("span", "tkgd-soft", top);
    this.says = make("div", "", said);
    this.look = make("div", "tkgd-look", said);
    const line = make("div", "tkgd-line", this.box);
    make("span", "tkgd-soft", line).textContent = "In Python:";
    this.code = make("code", "", line);
    const row = make("div", "tkgd-row", line);
    [this.back, this.next, this.leave] = ["Back", "Next", "Leave"].map((words) => {
      const button = make("button", "", row, { type: "button" });
      button.textContent = words;
      return button;
    });
    this.ring = make("div", "tkgd-ring", view.root, { "aria-hidden": "true", hidden: "" });
    make("span", "", this.ring).textContent = "look here";
    const later = () => {
      this.soon ??= requestAnimationFrame(() => {
        this.soon = undefined;
        this.place();
      });
    };
    for (const kind of ["wheel", "pointerdown"]) {
      // whoever scrolls wants to look elsewhere
      view.root.addEventListener(
        kind,
        () => {
          this.driven = undefined;
        },
        { passive: true },
      );
    }
    this.sizes = new ResizeObserver(later);
    this.changes = new MutationObserver(later);
  }

  get at() {
    return this.view.model.get("guide");
  }

  get steps() {
    return this.view.model.get("_tour");
  } // sent when a tour begins

  get step() {
    return this.at < 0 ? undefined : this.steps[this.at] || COMES;
  }

  get focused() {
    return this.view.root.getRootNode().activeElement;
  }

  // paint

  paint() {
    const { step, at } = this;
    const left = !step && !this.box.hidden && this.box.contains(this.focused);
    this.button.setAttribute("aria-expanded", Boolean(step));
    if (Boolean(step) === this.box.hidden) this.turn(Boolean(step));
    if (left) this.button.focus();
    if (step) {
      const count = step === COMES ? "" : `step ${at + 1} of ${this.steps.length}`;
      this.box.setAttribute("aria-label", `guided tour, ${count}: ${step.title}`);
      write(this.count, count);
      for (const name of ["title", "says", "look", "code"]) write(this[name], step[name]);
      this.back.disabled = at === 0;
      write(this.next, this.last ? "Done" : "Next");
    }
    this.place();
  }

  turn(on) {
    this.box.hidden = !on;
    this.away();
    if (!on) return;
    this.sizes.observe(this.view.root);
    this.changes.observe(this.view.body, {
      childList: true,
      subtree: true,
      attributeFilter: ["hidden", "class"],
    });
  }

  away() {
    this.sizes.disconnect();
    this.changes.disconnect();
  }

  target({ target, tab }) {
    // where the user is elsewhere, or it is still being made, the tab that leads there
    const { root, tabs, model } = this.view;
    const node =
      !tab || tab === model.get("tab")
        ? [...root.querySelectorAll(LOOK[target])].find((n) => n.offsetHeight)
        : null;
    return node || [...tabs.children].find((n) => n.tab === tab);
  }

  place() {
    const { step, ring, view } = this;
    const node = step && this.target(step);
    ring.hidden = !node;
    if (!node) return;
    const [a, b] = [node.getBoundingClientRect(), view.root.getBoundingClientRect()];
    const [far, near] = [7, 4]; // beside and above what it is around, where there is room
    const [x, y] = [b.left + view.root.clientLeft, b.top + view.root.clientTop];
    const [left, top] = [Math.max(1, a.left - x - far), Math.max(1, a.top - y - near)];
    Object.assign(ring.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${Math.min(view.root.clientWidth - 1, a.right - x + far) - left}px`,
      height: `${a.bottom - y + near - top}px`,
    });
    ring.classList.toggle("tkgd-low", top < 12); // its words would leave the panel
    if (this.driven !== this.at) return; // another display, or Python: they do not scroll this page
    this.scroll(node, a);
    if (node.tab !== step.tab && !view.model.get("_work").length) this.driven = undefined; // it is there, and stays where it is
  }

  scroll(node, { top, bottom }) {
    const box = this.box.getBoundingClientRect();
    if (top >= box.bottom && (bottom <= innerHeight || top < innerHeight - LEAST)) return;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
    node.style.scrollMargin = `${box.height + 24}px 0 8px`; // the box stays above what it speaks of
    node.scrollIntoView({ block: "nearest", behavior });
    node.style.scrollMargin = "";
  }

  // what the user does

  get last() {
    return this.at === this.steps.length - 1;
  }

  go(to) {
    this.driven = to;
    this.view.set({ guide: to });
    this.view.paint();
    if (to < 0) this.button.focus();
    else if (!this.box.contains(this.focused) || this.focused.disabled) this.box.focus();
  }

  onClick(target) {
    // whether it was for the tour
    const { at } = this;
    const to = new Map([
      [this.button, this.step ? -1 : 0],
      [this.back, at - 1],
      [this.next, this.last ? -1 : at + 1],
      [this.leave, -1],
    ]).get(target);
    if (to !== undefined) this.go(to);
    return to !== undefined;
  }

  onKey(event) {
    // whether it was for the tour
    const { step, at, view } = this;
    const inside = this.box.contains(event.target);
    const act = {
      t: () => (step ? this.box.focus() : this.go(0)),
      Escape: step && (() => this.go(-1)),
      ...(step &&
        inside && {
          ArrowRight: () => !this.last && this.go(at + 1),
          ArrowLeft: () => at && this.go(at - 1),
          Home: () => this.go(0),
          End: () => this.go(Math.max(at, this.steps.length - 1)),
          Enter: event.target === this.box && (() => this.go(this.last ? -1 : at + 1)),
        }),
    }[event.key];
    if (act) view.done(event, act);
    return Boolean(act);
  }
}
