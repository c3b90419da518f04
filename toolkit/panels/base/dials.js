// α and β: sliders on a log scale with a true zero, typed values, and a pad for both at once. After labs.js.

import { make } from "./common.js";

const [PER, TOP] = [20, 160]; // positions a decade; 10⁸ at the top. Position 0 is zero, position 1 is 1.
const valueAt = (position) =>
  position <= 0 ? 0 : Number((10 ** ((Math.min(position, TOP + 1) - 1) / PER)).toPrecision(3));
const placeOf = (value) =>
  value <= 0 ? 0 : Math.max(1, Math.min(TOP + 1, Math.round(PER * Math.log10(value)) + 1));
export const told = (value) =>
  value >= 1e5 ? String(value.toExponential()).replace("e+", "e") : String(value);
export const brief = (value) => told(Number(value.toPrecision(3)));

export class LogDial {
  // one weight: label, typed value, slider
  constructor(parent, letter, words, change) {
    Object.assign(this, { words, change });
    const line = make("label", "tked-dial", parent);
    make("b", "", line).textContent = letter;
    make("span", "", line).textContent = words;
    this.typed = make("input", "", line, {
      type: "text",
      inputmode: "decimal",
      "aria-label": `${letter}, weight of ${words}, typed`,
    });
    this.slider = make("input", "", parent, {
      type: "range",
      min: "0",
      max: TOP + 1,
      step: "1",
      "aria-label": `${letter}, weight of ${words}`,
    });
    this.ticks = make("div", "tked-ticks", parent, { "aria-hidden": "true" });
    for (const [position, words] of [
      [0, "0"],
      [21, "10"],
      [61, "10³"],
      [101, "10⁵"],
      [141, "10⁷"],
    ]) {
      const tick = make("i", "", this.ticks);
      tick.textContent = words;
      tick.style.left = `${(100 * position) / (TOP + 1)}%`;
    }
  }

  listen(on) {
    this.slider.addEventListener("input", () => this.change(valueAt(Number(this.slider.value))), on);
    this.typed.addEventListener("change", () => this.read(), on);
  }

  read() {
    const text = this.typed.value.trim().replace("−", "-");
    const value = Number(text || NaN);
    this.change(Number.isFinite(value) ? value : text); // Python says what is wrong with anything else
  }

  paint(value) {
    const focused = this.slider.getRootNode().activeElement;
    if (focused !== this.typed || Number(this.typed.value) === value) this.typed.value = told(value);
    this.slider.value = placeOf(value);
    this.slider.setAttribute("aria-valuetext", `${this.words} ${value}`);
  }
}

export class Pad {
  // α to the right, β upwards; zero is a band of its own
  constructor(parent, change) {
    this.change = change;
    this.node = make("div", "tked-pad", parent, { tabindex: "0", role: "application" });
    this.knob = make("i", "tked-knob", this.node);
    make("span", "tked-x", this.node).textContent = "α →";
    make("span", "tked-y", this.node).textContent = "β →";
  }

  listen(on) {
    const move = (event) => {
      const box = this.node.getBoundingClientRect();
      const x = Math.round(((event.clientX - box.left) / box.width) * (TOP + 1));
      const y = Math.round((1 - (event.clientY - box.top) / box.height) * (TOP + 1));
      this.change(valueAt(x), valueAt(y));
    };
    this.node.addEventListener(
      "pointerdown",
      (e) => {
        this.node.setPointerCapture(e.pointerId);
        this.held = true;
        this.node.focus();
        move(e);
        e.preventDefault();
      },
      on,
    );
    this.node.addEventListener("pointermove", (e) => this.held && move(e), on);
    for (const end of ["pointerup", "pointercancel"])
      this.node.addEventListener(
        end,
        () => {
          this.held = false;
        },
        on,
      );
  }

  key(event, values) {
    // where an arrow leads
    const by = event.shiftKey ? PER : PER / 4;
    const step = {
      ArrowLeft: [-by, 0],
      ArrowRight: [by, 0],
      ArrowDown: [0, -by],
      ArrowUp: [0, by],
    }[event.key];
    if (!step) return false;
    this.change(...values.map((v, i) => valueAt(placeOf(v) + step[i])));
    return true;
  }

  paint(alpha, beta) {
    const [x, y] = [alpha, beta].map((v) => (100 * placeOf(v)) / (TOP + 1));
    this.knob.style.left = `${x}%`;
    this.knob.style.bottom = `${y}%`;
    this.node.setAttribute("aria-label", `α ${alpha}, β ${beta}; arrows move`);
  }
}
