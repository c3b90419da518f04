// Predict: a guess by slider, number box or radio buttons; once revealed it stays beside the truth as a hollow diamond.

/** @import { Key, Place, Stop } from "../base/types.d.ts" */
/** @import { Guess, Setup } from "./guesses.js" */

import { make, targetOf, write } from "../base/dom.js";
import { Frame } from "../base/frame.js";
import { keep } from "../base/keep.js";
import { inPercent, NumberGuess, OptionGuess } from "./guesses.js";
import "./style.css";

/** @type {Key[]} */
const KEYS = [
  ["Arrows, Home, End", "move the mark, or choose another answer"],
  ["Space", "take the mark where it stands"],
  ["Enter", "reveal, once there is a guess"],
  ["?", "show or hide this list"],
];
const PAINTED_FROM = ["guess", "_answer", "_known", "_work", "_asked", "_answered"];
const WIDTH = 320; // of the axis, where it is not known yet

/**
 * @typedef {object} BarEnds where a bar begins and ends, from 0 to 1
 * @property {number} start
 * @property {number} end
 */

/**
 * @typedef {object} OptionRow one of the options, once revealed
 * @property {string} name
 * @property {boolean} right
 * @property {boolean} guessed
 * @property {BarEnds | null} bar
 * @property {string} value
 */

/**
 * @typedef {object} Answer what Python reveals: rows of options, or places on an axis from 0 to 1
 * @property {string} sentence
 * @property {string} because
 * @property {OptionRow[]} [rows]
 * @property {boolean} bars whether the rows have values
 * @property {{low: number, high: number}} asked the range that could be guessed
 * @property {{low: string, high: string}} ends
 * @property {string} truth
 * @property {number} truth_at
 * @property {string} [guess]
 * @property {number} guess_at
 * @property {string} [difference] in words, where the two marks are apart
 */

/** @typedef {(name: string, at: number, text?: string) => HTMLElement} Put puts something on the axis */

class View extends Frame {
  /**
   * @param {Place["model"]} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    super(model, el, "tkp", KEYS);
    /** @type {Setup} */
    const setup = this.get("_setup");
    const hasOptions = setup.options.length > 0;
    this.title.setAttribute("role", "heading");
    this.title.setAttribute("aria-level", "3");
    /** Why what was typed is no guess. */
    this.refused = "";
    /** What is painted of the answer. */
    this.key = "{}";
    /** Whether the user has just asked to reveal: the focus goes where the answer comes. */
    this.revealing = false;
    this.ask = make("div", "tkp-ask", this.body);
    /** @type {(guess: Guess, note: string) => void} */
    const take = (guess, note) => this.take(guess, note);
    const Control = hasOptions ? OptionGuess : NumberGuess;
    this.control = new Control(this.ask, setup, this.get("title"), take);
    this.note = make("div", "tkp-note", this.ask, { "aria-live": "polite" });
    const row = make("div", "tkp-row", this.ask);
    this.go = make("button", "tkp-go", row, { type: "button" });
    this.skip = make("button", "tkp-skip", row, { type: "button" });
    this.skip.textContent = "show without guessing";
    this.result = make("div", "tkp-result", this.body, { tabindex: "-1" });
    this.picture = hasOptions
      ? make("ul", "tkp-rows", this.result, { "aria-label": "what was asked and what is" })
      : make("div", "tkp-axis", this.result, { role: "img" });
    this.sentence = make("p", "tkp-sentence", this.result);
    this.because = make("p", "tkp-because", this.result);
  }

  /** @returns {Guess} */
  get guess() {
    return this.get("guess");
  }

  /** @returns {Answer | Record<string, never>} empty until it is revealed */
  get answer() {
    return this.get("_answer");
  }

  /** Whether Python is working the answer out. */
  get waits() {
    const done = this.get("_answered");
    const asked = /** @type {{id: string}[]} */ (this.get("_asked"));
    return this.get("_work").length > 0 || asked.some(({ id }) => !done.includes(id));
  }

  /**
   * @param {Guess} guess
   * @param {string} note
   */
  take(guess, note) {
    this.refused = note;
    if (guess === this.guess) this.paint();
    else this.set({ guess });
  }

  reveal() {
    if (this.waits || !this.get("_known")) return;
    this.revealing = true;
    this.asker.ask({ do: "reveal" });
    this.paint();
  }

  // paint

  paint() {
    const { guess, waits } = this;
    const known = this.get("_known");
    const revealed = "sentence" in this.answer;
    // while the control itself tells what it is set to, the summary need not
    const controlTells = !revealed && this.ask.contains(this.active);
    this.summary.setAttribute("aria-live", controlTells ? "off" : "polite");
    this.paintFrame();
    this.ask.hidden = revealed;
    this.result.hidden = !revealed;
    this.ask.inert = waits;
    this.root.setAttribute("aria-busy", String(waits));
    if (guess !== null) this.refused = "";
    this.control.paint(guess, this.refused ? this.control.box : this.active);
    this.control.box?.setAttribute("aria-invalid", String(this.refused !== ""));
    write(this.note, this.refused || (known ? "" : "The answer comes further down."));
    write(this.go, waits ? "Working it out …" : "Reveal");
    this.go.hidden = !known;
    this.go.disabled = guess === null;
    this.skip.hidden = !known || guess !== null;
    this.paintAnswer();
    if (this.revealing && !waits) {
      this.revealing = false;
      this.focusAfter(revealed);
    }
    this.painted();
  }

  /** @param {boolean} revealed */
  focusAfter(revealed) {
    const button = this.go.disabled ? this.skip : this.go;
    const node = revealed ? this.result : button;
    node.focus({ preventScroll: true });
  }

  paintAnswer() {
    const { answer } = this;
    const key = JSON.stringify([answer, this.picture.clientWidth]);
    if (key === this.key) return;
    this.key = key;
    write(this.sentence, answer.sentence || "");
    write(this.because, answer.because || "");
    this.because.hidden = !answer.because;
    if (!answer.sentence) return;
    if (answer.rows) this.paintRows(answer.rows, answer.bars);
    else this.paintAxis(/** @type {Answer} */ (answer));
  }

  /**
   * @param {OptionRow[]} rows
   * @param {boolean} bars
   */
  paintRows(rows, bars) {
    this.picture.classList.toggle("tkp-bars", bars);
    this.picture.replaceChildren(...rows.map((row) => this.rowOf(row, bars)));
  }

  /**
   * @param {OptionRow} row
   * @param {boolean} bars
   */
  rowOf(row, bars) {
    const line = make("li", "", null);
    line.classList.toggle("tkp-true", row.right);
    const mark = make("span", "tkp-mark", line, { "aria-hidden": "true" });
    if (row.guessed) make("i", "tkp-ghost", mark);
    if (row.right) make("i", "tkp-truth", mark);
    const name = make("span", "tkp-name", line);
    make("span", "", name).textContent = row.name;
    if (row.guessed) make("small", "", name).textContent = "your guess";
    if (row.right) make("small", "", name).textContent = "the answer";
    if (!bars) return line;
    const track = make("span", "tkp-track", line, { "aria-hidden": "true" });
    if (row.bar) {
      const bar = make("i", row.guessed ? "tkp-bar tkp-guessed" : "tkp-bar", track);
      bar.style.left = inPercent(row.bar.start);
      bar.style.width = inPercent(row.bar.end - row.bar.start);
    }
    make("span", "tkp-value", line).textContent = row.value;
    return line;
  }

  /** @param {Answer} answer */
  paintAxis(answer) {
    const box = this.picture;
    box.replaceChildren();
    box.setAttribute("aria-label", answer.sentence);
    /** @type {Put} */
    const put = (name, at, text) => {
      const node = make("span", name, box);
      node.style.left = inPercent(at);
      if (text !== undefined) node.textContent = text;
      return node;
    };
    const { low, high } = answer.asked;
    put("tkp-beyond", 0);
    put("tkp-range", low).style.width = inPercent(high - low);
    put("tkp-end", 0, answer.ends.low);
    put("tkp-end", 1, answer.ends.high);
    const labelTruth = () => this.label("tkp-is", answer.truth_at, answer.truth, put);
    if (!answer.guess) {
      put("tkp-truth", answer.truth_at);
      labelTruth();
      return;
    }
    const yours = `your guess ${answer.guess}`;
    const labelGuess = () => this.label("tkp-yours", answer.guess_at, yours, put);
    this.paintGap(answer, put);
    put("tkp-ghost", answer.guess_at);
    if (answer.difference) labelGuess(); // else the two marks are neighbours: one is painted inside the other
    put("tkp-truth", answer.truth_at);
    labelTruth();
    if (!answer.difference) labelGuess();
  }

  /**
   * Words under a mark: centred, but inside the axis at both ends.
   * @param {string} name
   * @param {number} at
   * @param {string} text
   * @param {Put} put
   */
  label(name, at, text, put) {
    const node = put(`tkp-label ${name}`, at, text);
    const wide = node.offsetWidth;
    node.style.left = `clamp(-8px, calc(${inPercent(at)} - ${wide / 2}px), calc(100% - ${wide - 8}px))`;
  }

  /**
   * The line between the two marks, with its words on it or, where it is short, beside it.
   * @param {Answer} answer
   * @param {Put} put
   */
  paintGap({ guess_at: guess, truth_at: truth, difference }, put) {
    const from = Math.min(guess, truth);
    const to = Math.max(guess, truth);
    put("tkp-gap", from).style.width = inPercent(to - from);
    if (!difference) return;
    const words = put("tkp-label tkp-off", (from + to) / 2, difference);
    const long = (to - from) * (this.picture.clientWidth || WIDTH);
    if (words.offsetWidth + 32 <= long) {
      words.style.transform = "translateX(-50%)";
      return;
    }
    const roomAfter = 1 - to;
    const before = from >= roomAfter;
    words.style.maxWidth = `calc(${inPercent(before ? from : roomAfter)} - 10px)`;
    words.style.left = before ? inPercent(from) : `calc(${inPercent(to)} + 14px)`;
    if (before) words.style.transform = "translateX(calc(-100% - 14px))";
  }

  // what the user does; the controls have keys of their own

  /** @param {KeyboardEvent} event */
  onAskKey(event) {
    if (event.key !== "Enter" || !targetOf(event).matches("input") || event.isComposing) return;
    event.preventDefault();
    if (this.guess !== null) this.reveal();
  }
}

/**
 * @param {Place} place
 * @returns {Stop}
 */
function render({ model, el }) {
  const view = new View(model, el);
  const width = new ResizeObserver(() => view.paintAnswer());
  const stop = keep(view, PAINTED_FROM, (on) => {
    view.control.listen(on);
    view.ask.addEventListener("keydown", (event) => view.onAskKey(event), on);
    for (const button of [view.go, view.skip]) button.addEventListener("click", () => view.reveal(), on);
  });
  width.observe(view.picture);
  return () => {
    stop();
    width.disconnect();
  };
}

export default { render };
