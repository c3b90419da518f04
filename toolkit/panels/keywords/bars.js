// The list of keywords: a row each, with its bar, its interval and the mark of what is left without the pair.

/** @import { Frame } from "../base/frame.js" */

import { make, targetOf } from "../base/dom.js";
import { percent, within } from "../base/numbers.js";

/**
 * @typedef {object} KeywordRow
 * @property {string} text
 * @property {number} score
 * @property {number | null} low
 * @property {number | null} high
 * @property {number} residual without the pair
 * @property {number} q
 * @property {string} flag "S", "M" or ""
 * @property {number | null} with_it share of right images with it
 * @property {number | null} without
 * @property {number} n_with
 * @property {string} repeats what it stands for too
 * @property {boolean} beneath whether it is one of the lowest
 */

const COLUMNS = [
  "keyword",
  "nearer to right ← 0 → nearer to wrong images; ◇ without the pair",
  "score",
  "right: with it · without",
  "q",
];
/** @type {Record<string, string>} */
const FLAGS = {
  S: "marks wrong images of this class alone",
  M: "marks wrong images of other classes too",
};

/**
 * A score with its sign.
 * @param {number} value
 */
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

/**
 * A share, or that there is none.
 * @param {number | null} value
 */
const known = (value) => (value === null ? "–" : percent(value));

/**
 * A false discovery rate.
 * @param {number} q
 */
function rate(q) {
  if (!Number.isFinite(q)) return "–";
  return q < 0.001 ? "< 0.001" : q.toFixed(q < 0.1 ? 3 : 2);
}

export class Bars {
  /**
   * @param {Frame} view
   * @param {Element} parent
   */
  constructor(view, parent) {
    this.view = view;
    this.columns = make("div", "tkkw-columns", parent, { "aria-hidden": "true" });
    for (const words of COLUMNS) make("span", "", this.columns).textContent = words;
    this.node = make("div", "tkkw-list", parent, { role: "listbox", "aria-label": "keywords" });
    /** @type {{text: string, node: HTMLElement}[]} */
    this.options = [];
    /** What is painted. */
    this.key = "";
  }

  /** The keywords shown. */
  get texts() {
    return this.options.map(({ text }) => text);
  }

  /**
   * @param {KeywordRow[]} rows
   * @param {string} chosen
   * @param {string} against
   * @param {number} between keywords that are not shown
   */
  paint(rows, chosen, against, between) {
    const key = JSON.stringify([rows, between]);
    if (key !== this.key) {
      this.key = key;
      this.build(rows, between);
    }
    this.columns.hidden = !rows.length;
    const there = this.texts.includes(chosen);
    this.options.forEach(({ text, node }, i) => {
      const on = there ? text === chosen : i === 0;
      node.setAttribute("aria-selected", String(text === chosen));
      node.classList.toggle("tkkw-paired", text === against);
      node.tabIndex = on ? 0 : -1;
    });
  }

  /**
   * @param {KeywordRow[]} rows
   * @param {number} between
   */
  build(rows, between) {
    const focused = this.options.findIndex(({ node }) => node.contains(this.view.active));
    const ends = rows.flatMap(({ score, low, high, residual }) => [
      score,
      low ?? score,
      high ?? score,
      residual,
    ]);
    const least = Math.min(0, ...ends);
    const most = Math.max(0, ...ends);
    const wide = Math.max(1e-9, most - least);
    /** @param {number} value */
    const place = (value) => within((100 * (value - least)) / wide, 0, 100);
    this.node.replaceChildren();
    this.options = [];
    let told = false;
    for (const row of rows) {
      if (between && row.beneath && !told) {
        told = true;
        const words = `… ${between} more; below, those nearest to right images`;
        make("div", "tkkw-between", this.node, { role: "presentation" }).textContent = words;
      }
      this.options.push({ text: row.text, node: this.buildRow(row, place) });
    }
    if (focused >= 0) this.options[Math.min(focused, rows.length - 1)]?.node.focus();
  }

  /**
   * @param {KeywordRow} row
   * @param {(value: number) => number} place in percent
   */
  buildRow(row, place) {
    const { text, score, low, high, residual, flag, repeats } = row;
    const also = repeats ? `${text}; also: ${repeats}` : text;
    const option = make("div", "tkkw-row", this.node, { role: "option", tabindex: "-1", title: also });
    make("span", "tkkw-text", option).textContent = text;
    const plot = make("div", "tkkw-plot", option);
    const bar = make("i", "tkkw-bar", plot);
    const [from, to] = [place(Math.min(0, score)), place(Math.max(0, score))];
    bar.style.left = `${from}%`;
    bar.style.width = `${to - from}%`;
    bar.style.background = `var(${score > 0 ? "--tk-wrong-bar" : "--tk-right-bar"})`;
    make("i", "tkkw-zero", plot).style.left = `${place(0)}%`;
    if (low !== null && high !== null) {
      const line = make("i", "tkkw-line", plot);
      line.style.left = `${place(low)}%`;
      line.style.width = `${place(high) - place(low)}%`;
    }
    make("i", "tkkw-rest", plot).style.left = `${place(residual)}%`;
    const number = make("span", "tkkw-number", option);
    make("b", "", number).textContent = signed(score);
    make("span", "tkkw-number", option).textContent = `${known(row.with_it)} · ${known(row.without)}`;
    const rated = make("span", "tkkw-number", option);
    rated.textContent = rate(row.q);
    if (flag) {
      rated.append(` ${flag}`);
      rated.title = FLAGS[flag];
    }
    option.setAttribute("aria-label", this.words(row));
    return option;
  }

  /** @param {KeywordRow} row */
  words({ text, score, low, high, residual, q, with_it, without }) {
    const limits = low !== null && high !== null ? `, interval ${signed(low)} to ${signed(high)}` : "";
    const shares = `right with it ${known(with_it)}, without it ${known(without)}`;
    return `${text}: score ${signed(score)}${limits}; without the pair ${signed(residual)}; q ${rate(q)}; ${shares}`;
  }

  /**
   * The keyword in whose row an event happened.
   * @param {Element} target
   */
  textOf(target) {
    return this.options.find(({ node }) => node.contains(target))?.text;
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const at = this.options.findIndex(({ node }) => node.contains(targetOf(event)));
    const last = this.options.length - 1;
    /** @type {Record<string, number>} */
    const ways = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: last };
    const to = ways[event.key];
    if (to !== undefined) this.view.done(event, () => this.options[within(to, 0, last)].node.focus());
    else if (event.key === "Enter" || event.key === " ") {
      this.view.done(event, () => this.view.set({ text: this.options[at].text }));
    }
  }
}
