// Doctor: a line for every check, the worst first; each opens to why it matters and what to do.

/** @import { Key, Place, Stop } from "../base/types.d.ts" */

import { make, targetOf, write } from "../base/dom.js";
import { Frame } from "../base/frame.js";
import { keep } from "../base/keep.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Tab, Enter", "to a line; why it matters and what to do"],
  ["r", "check again"],
  ["?", "show or hide this list"],
];
const PAINTED_FROM = ["_findings", "_of", "_said", "_work"];
/** @type {Record<string, string>} by verdict */
const SIGNS = { ok: "✓", warning: "!", wrong: "✗", "not checked": "–" };
const OPEN = ["wrong", "warning"];

/**
 * @typedef {object} FindingSent a line
 * @property {string} check
 * @property {string} verdict "ok", "warning", "wrong" or "not checked"
 * @property {string} said what was seen
 * @property {string} why it matters
 * @property {string} fix "" for nothing to do
 */

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkdo", KEYS);
    this.again = this.tool("check again", "Make all checks anew");
    this.said = make("div", "", this.body, { role: "status" });
    this.list = make("div", "tkdo-list", this.body);
    /** What is painted of the lines. */
    this.linesKey = "";
    /** @type {Map<string, boolean>} by check, whether the user opened or closed its line */
    this.turned = new Map();
  }

  /** @returns {FindingSent[]} the worst first */
  get findings() {
    return this.get("_findings");
  }

  get works() {
    return this.get("_work").length > 0;
  }

  paint() {
    this.paintFrame();
    const { findings } = this;
    const left = this.get("_of") - findings.length;
    const rest = left > 0 ? `${left} to come` : "";
    write(this.said, [this.get("_said"), rest].filter(Boolean).join("; "));
    this.again.disabled = this.works;
    const key = JSON.stringify(findings);
    if (key !== this.linesKey) {
      this.linesKey = key;
      this.paintLines(findings);
    }
    this.root.setAttribute("aria-busy", String(this.works));
    this.painted();
  }

  /**
   * The list anew; the line that had the focus keeps it.
   * @param {FindingSent[]} findings
   */
  paintLines(findings) {
    const had = this.active?.closest(".tkdo-line")?.getAttribute("data-check");
    const lines = findings.map((finding) => this.buildLine(finding));
    this.list.replaceChildren(...lines);
    const line = lines.find((node) => node.dataset.check === had);
    line?.querySelector("summary")?.focus();
  }

  /** @param {FindingSent} finding */
  buildLine({ check, verdict, said, why, fix }) {
    const line = make("details", "tkdo-line", null, { "data-check": check, "data-verdict": verdict });
    line.open = this.turned.get(check) ?? OPEN.includes(verdict);
    const head = make("summary", "", line);
    make("span", "tkdo-verdict", head).textContent = `${SIGNS[verdict] ?? ""} ${verdict}`;
    make("span", "tkdo-check", head).textContent = check;
    make("span", "tkdo-said", head).textContent = said;
    const more = make("div", "tkdo-more", line);
    this.buildMore(more, "Why", why);
    if (fix) this.buildMore(more, "What to do", fix);
    return line;
  }

  /**
   * @param {Element} parent
   * @param {string} label
   * @param {string} text
   */
  buildMore(parent, label, text) {
    const node = make("div", "", parent);
    make("b", "", node).textContent = `${label}: `;
    node.append(text);
  }

  checkAgain() {
    if (!this.works) this.asker.ask({ do: "again" });
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    if (targetOf(event) === this.again) this.checkAgain();
    const line = /** @type {HTMLDetailsElement | null} */ (targetOf(event).closest("summary")?.parentElement);
    if (line?.dataset.check) this.turned.set(line.dataset.check, !line.open); // it turns after this event
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key === "r") this.done(event, () => this.checkAgain());
  }
}

/**
 * @param {Place} place
 * @returns {Stop}
 */
function render({ model, el }) {
  const view = new View(model, el);
  return keep(view, PAINTED_FROM, (on) => {
    view.root.addEventListener("click", (event) => view.onClick(event), on);
  });
}

export default { render };
