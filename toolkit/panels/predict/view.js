// Predict: a guess by slider, number box or radio buttons; once revealed it stays beside the truth as a hollow diamond.

import { Asker, Frame, keep, make, write } from "../base/common.js";
import "./style.css";

const MINE = [
  ["Arrows, Home, End", "move the mark, or choose another answer"],
  ["Space", "take the mark where it stands"],
  ["Enter", "reveal, once there is a guess"],
  ["?", "show or hide this list"],
];
const share = (x) => `${(100 * x).toFixed(2)}%`;
let groups = 0;

class NumberGuess {
  // a slider whose first position is low and whose last is high, and a number box
  constructor(parent, setup, name, change) {
    Object.assign(this, setup, { change });
    this.last = Math.ceil((this.high - this.low) / this.step - 1e-9);
    this.node = make("div", "tkp-number", parent);
    const line = make("div", "tkp-line", this.node);
    this.slider = make("input", "tkp-slider", line, {
      type: "range",
      min: 0,
      max: this.last,
      step: 1,
      "aria-label": `your guess: ${name}`,
    });
    for (const [value, at] of [
      [this.low, 0],
      [this.high, 1],
    ]) {
      const end = make("span", "tkp-end", line, { "aria-hidden": "true" });
      end.textContent = this.told(value);
      end.style.left = share(at);
    }
    const field = make("label", "tkp-field", this.node);
    this.box = make("input", "", field, {
      type: "number",
      min: this.low,
      max: this.high,
      step: this.step,
      "aria-label": "your guess as a number",
    });
    make("span", "", field).textContent = this.unit;
  }

  told(value) {
    const { places, unit } = this;
    const number =
      places === null || Math.abs(value) >= 1e7
        ? Number(value.toPrecision(4))
        : Number(value.toFixed(places));
    return `${String(number).replace("-", "−")} ${unit}`.trim();
  }

  valueAt(position) {
    if (position >= this.last) return this.high;
    return Math.max(this.low, Number((this.low + position * this.step).toPrecision(12)));
  }

  listen(on) {
    const take = () => this.change(this.valueAt(Number(this.slider.value)), "");
    this.slider.addEventListener("input", take, on);
    this.slider.addEventListener("click", () => this.guess === null && take(), on); // the mark was right where it stood
    this.slider.addEventListener(
      "keydown",
      (e) => {
        if (e.key !== " ") return;
        e.preventDefault();
        take();
      },
      on,
    );
    this.box.addEventListener("input", () => this.read(), on);
  }

  read() {
    const text = this.box.value;
    const value = Number(text);
    const fits = text !== "" && value >= this.low && value <= this.high;
    const empty = text === "" && !this.box.validity.badInput;
    this.change(fits ? value : null, fits || empty ? "" : `A number from ${this.range}, please.`);
  }

  paint(guess, focused) {
    this.guess = guess;
    const at = guess === null ? Math.round(this.last / 2) : Math.round((guess - this.low) / this.step);
    this.slider.value = Math.max(0, Math.min(this.last, guess === this.high ? this.last : at));
    this.slider.setAttribute("aria-valuetext", guess === null ? "no guess yet" : this.told(guess));
    this.slider.classList.toggle("tkp-unset", guess === null);
    const text = guess === null ? "" : String(guess);
    if (focused !== this.box || (guess !== null && Number(this.box.value) !== guess)) this.box.value = text;
  }
}

class OptionGuess {
  constructor(parent, setup, name, change) {
    this.node = make("div", "tkp-options", parent, { role: "radiogroup", "aria-label": name });
    const group = `tkp-${++groups}`; // a group of its own in every display
    this.change = change;
    this.radios = setup.options.map((option) => {
      const label = make("label", "tkp-option", this.node);
      const radio = make("input", "", label, { type: "radio", name: group });
      make("span", "", label).textContent = option;
      radio.option = option;
      return radio;
    });
  }

  listen(on) {
    for (const radio of this.radios)
      radio.addEventListener("change", () => this.change(radio.option, ""), on);
  }

  paint(guess) {
    const chosen = this.radios.find((radio) => radio.option === guess);
    for (const radio of this.radios) {
      radio.checked = radio === chosen;
      radio.tabIndex = radio === (chosen || this.radios[0]) ? 0 : -1;
    }
  }
}

class View extends Frame {
  constructor(model, el) {
    super(model, el, "tkp", MINE);
    const setup = model.get("_setup");
    for (const [name, value] of [
      ["role", "heading"],
      ["aria-level", "3"],
    ])
      this.title.setAttribute(name, value);
    this.asker = new Asker(model);
    this.ask = make("div", "tkp-ask", this.body);
    const Kind = setup.options.length ? OptionGuess : NumberGuess;
    this.control = new Kind(this.ask, setup, model.get("title"), (guess, note) => this.take(guess, note));
    this.note = make("div", "tkp-note", this.ask, { "aria-live": "polite" });
    const row = make("div", "tkp-row", this.ask);
    this.go = make("button", "tkp-go", row, { type: "button" });
    this.skip = make("button", "tkp-skip", row, { type: "button" });
    this.skip.textContent = "show without guessing";
    this.result = make("div", "tkp-result", this.body, { tabindex: "-1" });
    this.picture = setup.options.length
      ? make("ul", "tkp-rows", this.result, { "aria-label": "what was asked and what is" })
      : make("div", "tkp-axis", this.result, { role: "img" });
    this.sentence = make("p", "tkp-sentence", this.result);
    this.because = make("p", "tkp-because", this.result);
    this.refused = "";
    this.key = "{}";
  }

  get focused() {
    return this.root.getRootNode().activeElement;
  }

  take(guess, note) {
    this.refused = note;
    if (guess === this.model.get("guess")) this.paint();
    else this.set({ guess });
  }

  get waits() {
    const done = this.model.get("_answered");
    return (
      this.model.get("_work").length > 0 || this.model.get("_asked").some(({ id }) => !done.includes(id))
    );
  }

  reveal() {
    if (this.waits || !this.model.get("_known")) return;
    this.mine = true; // the focus goes where the answer comes
    this.asker.ask({ do: "reveal" });
    this.paint();
  }

  paint() {
    const m = this.model;
    const [guess, answer, known, waits] = [m.get("guess"), m.get("_answer"), m.get("_known"), this.waits];
    const revealed = "sentence" in answer;
    // while the control itself tells what it is set to, the summary need not
    this.summary.setAttribute("aria-live", !revealed && this.ask.contains(this.focused) ? "off" : "polite");
    this.paintFrame();
    this.ask.hidden = revealed;
    this.result.hidden = !revealed;
    this.ask.inert = waits;
    this.root.setAttribute("aria-busy", waits);
    if (guess !== null) this.refused = "";
    this.control.paint(guess, this.refused ? this.control.box : this.focused);
    this.control.box?.setAttribute("aria-invalid", this.refused !== "");
    write(this.note, this.refused || (known ? "" : "The answer comes further down."));
    write(this.go, waits ? "Working it out …" : "Reveal");
    this.go.hidden = !known;
    this.go.disabled = guess === null;
    this.skip.hidden = !known || guess !== null;
    this.paintAnswer(answer);
    if (this.mine && !waits) {
      this.mine = false;
      (revealed ? this.result : this.go.disabled ? this.skip : this.go).focus({
        preventScroll: true,
      });
    }
    this.painted();
  }

  paintAnswer(answer) {
    const key = JSON.stringify([answer, this.picture.clientWidth]);
    if (key === this.key) return;
    this.key = key;
    write(this.sentence, answer.sentence || "");
    write(this.because, answer.because || "");
    this.because.hidden = !answer.because;
    if (!answer.sentence) return;
    if (answer.rows) this.paintRows(answer);
    else this.paintAxis(answer);
  }

  paintRows({ rows, bars }) {
    this.picture.classList.toggle("tkp-bars", bars);
    this.picture.replaceChildren(
      ...rows.map((row) => {
        const line = make("li", "", null);
        line.classList.toggle("tkp-true", row.right);
        const mark = make("span", "tkp-mark", line, { "aria-hidden": "true" });
        if (row.guessed) make("i", "tkp-ghost", mark);
        if (row.right) make("i", "tkp-truth", mark);
        const name = make("span", "tkp-name", line);
        make("span", "", name).textContent = row.name;
        for (const [is, words] of [
          [row.guessed, "your guess"],
          [row.right, "the answer"],
        ])
          if (is) make("small", "", name).textContent = words;
        if (!bars) return line;
        const track = make("span", "tkp-track", line, { "aria-hidden": "true" });
        if (row.bar) {
          const bar = make("i", row.guessed ? "tkp-bar tkp-guessed" : "tkp-bar", track);
          bar.style.left = share(row.bar[0]);
          bar.style.width = share(row.bar[1] - row.bar[0]);
        }
        make("span", "tkp-value", line).textContent = row.value;
        return line;
      }),
    );
  }

  paintAxis(a) {
    const box = this.picture;
    box.replaceChildren();
    box.setAttribute("aria-label", this.model.get("_answer").sentence);
    const put = (name, at, text) => {
      const node = make("span", name, box);
      node.style.left = share(at);
      if (text !== undefined) node.textContent = text;
      return node;
    };
    put("tkp-beyond", 0);
    put("tkp-range", a.asked[0]).style.width = share(a.asked[1] - a.asked[0]);
    a.ends.forEach((text, i) => put("tkp-end", i, text));
    const labels = [["tkp-is", a.truth_at, a.truth]];
    if (a.guess) {
      this.paintGap(a, put);
      labels.push(["tkp-yours", a.guess_at, `your guess ${a.guess}`]);
      put("tkp-ghost", a.guess_at);
    }
    if (a.difference) this.label(...labels.pop(), put); // else the two marks are neighbours: one is painted inside the other
    put("tkp-truth", a.truth_at);
    for (const label of labels) this.label(...label, put);
  }

  label(name, at, text, put) {
    // centred, but inside the axis at both ends
    const node = put(`tkp-label ${name}`, at, text);
    const wide = node.offsetWidth;
    node.style.left = `clamp(-8px, calc(${share(at)} - ${wide / 2}px), calc(100% - ${wide - 8}px))`;
  }

  paintGap({ guess_at, truth_at, difference }, put) {
    // the line between, with its words on it or, where it is short, beside it
    const [from, to] = [Math.min(guess_at, truth_at), Math.max(guess_at, truth_at)];
    put("tkp-gap", from).style.width = share(to - from);
    if (!difference) return;
    const words = put("tkp-label tkp-off", (from + to) / 2, difference);
    const room = Math.max(from, 1 - to);
    if (words.offsetWidth + 32 <= (to - from) * (this.picture.clientWidth || 320))
      words.style.transform = "translateX(-50%)";
    else {
      words.style.maxWidth = `calc(${share(room)} - 10px)`;
      words.style.left = room > from ? `calc(${share(to)} + 14px)` : share(from);
      if (room === from) words.style.transform = "translateX(calc(-100% - 14px))";
    }
  }

  onAskKey(event) {
    if (event.key !== "Enter" || !event.target.matches("input") || event.isComposing) return;
    event.preventDefault();
    if (this.model.get("guess") !== null) this.reveal();
  }

  onKey() {} // the controls have keys of their own
}

function render({ model, el }) {
  const view = new View(model, el);
  const names = ["guess", "_answer", "_known", "_work", "_asked", "_answered"];
  const wide = new ResizeObserver(() => view.paintAnswer(model.get("_answer")));
  const stop = keep(view, names, (on) => {
    view.control.listen(on);
    view.ask.addEventListener("keydown", (e) => view.onAskKey(e), on);
    for (const button of [view.go, view.skip]) button.addEventListener("click", () => view.reveal(), on);
  });
  wide.observe(view.picture);
  return () => {
    stop();
    wide.disconnect();
  };
}

export default { render };
