// What every panel has in common; `panels/base.py` puts it before each panel's own code. Panels paint from the model's
// traits alone, so that a second display, a reload or a saved state shows the same picture. Texts go through textContent.

import "./common.css";

export function make(tag, name, parent, attributes = {}) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.append(node);
  return node;
}

export function write(node, text) {
  // the browser paints anew whatever is written to
  if (node.textContent !== text) node.textContent = text;
}

export function hostIsDark() {
  const { body, documentElement: html } = document;
  const light = body.dataset.jpThemeLight;
  if (light !== undefined) return light === "false";
  for (const node of [body, html]) {
    if (/\b(vscode-dark|vscode-high-contrast|dark|dark-theme)\b/.test(node.className)) return true;
    if (/\b(vscode-light|light)\b/.test(node.className)) return false;
    const named = node.dataset.theme || node.getAttribute("theme");
    if (named) return named === "dark";
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function define(parent, name, rows) {
  // terms and what they mean: [term, words, kind of the words]
  const list = make("dl", name, parent);
  for (const [term, words, kind] of rows) {
    make("dt", "", list).textContent = term;
    make("dd", kind && `tk-${kind}`, list).textContent = words;
  }
  return list;
}

const WHY = "Why: formula, shapes, caveats";

// The frame: title and tools, why the panel is there, description, body, the list of keys, the summary in words, the error.
export class Frame {
  constructor(model, el, name, keys) {
    this.model = model;
    this.seq = 0;
    this.root = make("div", `tk-panel ${name}`, el, {
      role: "group",
      "data-kept": model.get("_kept"),
    });
    const head = make("div", "tk-head", this.root);
    this.title = make("div", `tk-title ${name}-title`, head);
    this.tools = make("div", "tk-tools", head);
    this.folds = {};
    const { rows, terms } = model.get("_reading");
    if (rows) {
      const side = make("div", "tk-why", this.root);
      define(side, "", rows);
      const more = make("details", "", side);
      make("summary", "", more).textContent = "Terms";
      define(more, "", terms);
      keys = [...keys, ["w", WHY]];
      this.fold("w", "why", WHY, side);
    }
    this.description = make("div", "tk-description", this.root);
    this.body = make("div", `${name}-body`, this.root);
    this.keys = define(this.root, "tk-keys", keys);
    this.fold("?", "?", "Keys", this.keys);
    this.help = this.tools.firstChild; // other tools stand before it
    this.summary = make("div", `tk-summary ${name}-summary`, this.root, { "aria-live": "polite" });
    this.error = make("div", "tk-error", this.root, { role: "alert", hidden: "" });
  }

  button(parent, text, more) {
    const button = make("button", "", parent, { type: "button", ...more });
    button.textContent = text;
    return button;
  }

  tool(text, label) {
    // a button before the help button
    return this.tools.insertBefore(this.button(null, text, { "aria-label": label }), this.help);
  }

  fold(key, text, label, node) {
    // a part that a button and a key show and hide
    const button = this.tool(text, label);
    const turn = () => {
      if (node.contains(this.active)) button.focus(); // it is about to be hidden
      node.hidden = !node.hidden;
      button.setAttribute("aria-expanded", !node.hidden);
    };
    turn();
    button.addEventListener("click", turn);
    this.folds[key] = { button, node, turn };
  }

  paintFrame() {
    const m = this.model;
    const chosen = m.get("theme");
    this.theme = chosen === "auto" ? (hostIsDark() ? "dark" : "light") : chosen;
    this.root.dataset.theme = this.theme;
    this.root.setAttribute("aria-label", m.get("title") || "panel");
    for (const name of ["title", "description", "summary", "error"]) write(this[name], m.get(name));
    this.error.hidden = !m.get("error");
  }

  get active() {
    return this.root.getRootNode().activeElement;
  }

  painted() {
    this.root.dataset.seq = ++this.seq;
  } // what tests wait for

  keydown(event) {
    const held = event.ctrlKey || event.metaKey;
    if (event.key !== "Tab" && !(held && event.key === "s")) event.stopPropagation(); // the notebook would take letters for its own commands
    if (held || event.altKey) return;
    if (event.target.matches?.(event.key === "Escape" ? "[type=text], textarea" : "select, input, textarea"))
      return;
    const fold = this.folds[event.key];
    if (fold) return this.done(event, fold.turn);
    const here = Object.values(this.folds).find(
      ({ button, node }) => !node.hidden && [button, node].some((part) => part.contains(event.target)),
    );
    if (here && event.key === "Escape") return this.done(event, here.turn);
    this.onKey(event);
  }

  done(event, act) {
    event.preventDefault();
    act();
  }

  set(values) {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
  }
}

// Asks Python for one thing after the other: an ask stays in the list until its id comes back, so that messages which
// Jupyter merges while the kernel is busy lose none.
let asks = 0;
export class Asker {
  constructor(model) {
    this.model = model;
    this.name = Math.random().toString(36).slice(2, 10);
    this.open = [];
  }

  ask(what) {
    const done = new Set(this.model.get("_answered"));
    this.open = [...this.open.filter((ask) => !done.has(ask.id)), { id: `${this.name} ${++asks}`, ...what }];
    this.model.set("_asked", this.open);
    this.model.save_changes();
  }
}

// Keep a view painted while its model and the host's theme change; returns what ends that.
export function keep(view, names, listen) {
  const stop = new AbortController();
  const on = { signal: stop.signal };
  view.root.addEventListener("keydown", (e) => view.keydown(e), on);
  listen(on);
  let asked = false;
  const repaint = () => {
    // one picture per update, however many traits changed
    if (asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      view.paint();
    });
  };
  const all = [...names, "title", "description", "summary", "error", "theme"];
  for (const name of all) view.model.on(`change:${name}`, repaint);
  const host = new MutationObserver(repaint);
  const watched = {
    attributes: true,
    attributeFilter: ["class", "data-jp-theme-light", "data-jp-theme-name", "data-theme", "theme"],
  };
  for (const node of [document.body, document.documentElement]) host.observe(node, watched);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint, on);
  view.paint();
  return () => {
    stop.abort();
    host.disconnect();
    for (const name of all) view.model.off(`change:${name}`, repaint);
  };
}
