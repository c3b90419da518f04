// The narrow contract: what anywidget promises to every host, and nothing more. `tests/browser/narrow.py` serves it.

const models = new Map();
const modules = new Map();
const outbox = [];
let numbers = 0;

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const binary = (value) => value instanceof DataView || value instanceof ArrayBuffer || ArrayBuffer.isView(value);

function text(value) {
  const all = value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  let out = "";
  for (let i = 0; i < all.length; i += 30000) out += String.fromCharCode(...all.subarray(i, i + 30000));
  return btoa(out);
}

function same(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  if (binary(a) || binary(b)) return binary(a) && binary(b) && text(a) === text(b);
  const keys = Object.keys(a);
  return Array.isArray(a) === Array.isArray(b) && keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
}

function apart(value, path, found) { // a message without its binary parts, which travel beside it
  if (binary(value)) {
    found.push([path, text(value)]);
    return null;
  }
  if (Array.isArray(value)) return value.map((one, i) => apart(one, [...path, i], found));
  if (!value || typeof value !== "object") return value;
  const kept = Object.entries(value).map(([key, one]) => [key, apart(one, [...path, key], found)]);
  return Object.fromEntries(kept.filter(([key, one]) => one !== null || !binary(value[key])));
}

function together(state, paths, buffers) {
  paths.forEach((path, i) => {
    let at = state;
    for (const key of path.slice(0, -1)) at = at[key];
    at[path[path.length - 1]] = new DataView(bytes(buffers[i]).buffer);
  });
  return state;
}

class Model {
  constructor(name, state) {
    Object.assign(this, { name, state, changed: new Set(), expected: new Map(), listeners: new Map() });
    this.face = Object.freeze({ // what a panel may use
      get: (key) => this.state[key],
      set: (key, value) => { this.changed.add(key); this.put(key, value); },
      save_changes: () => this.save(),
      on: (event, act) => this.listeners.set(event, [...(this.listeners.get(event) || []), act]),
      off: (event, act) => this.listeners.set(event, (this.listeners.get(event) || []).filter((other) => act && other !== act)),
      send: (content) => this.post({ method: "custom", content }, []),
    });
  }

  put(key, value) { // one after the other, heard at once: the hardest order a host may choose
    if (same(this.state[key], value)) return;
    this.state[key] = value;
    for (const event of [`change:${key}`, "change"]) for (const act of this.listeners.get(event) || []) act();
  }

  post(data, buffers) {
    outbox.push({ name: this.name, n: ++numbers, data, buffers });
    return numbers;
  }

  save() {
    if (!this.changed.size) return;
    const found = [];
    const keys = [...this.changed];
    this.changed.clear();
    const state = apart(Object.fromEntries(keys.map((key) => [key, this.state[key]])), [], found);
    const n = this.post({ method: "update", state, buffer_paths: found.map(([path]) => path) }, found.map(([, data]) => data));
    for (const key of keys) this.expected.set(key, n);
  }

  receive({ data: { method, state, buffer_paths, answers, content }, buffers }) {
    if (method === "custom") return (this.listeners.get("msg:custom") || []).forEach((act) => act(content, []));
    together(state, buffer_paths, buffers);
    for (const [key, value] of Object.entries(state)) {
      if (method === "echo_update" && this.expected.has(key)) { // an echo of something older than what was set since
        if (this.expected.get(key) !== answers) continue;
        this.expected.delete(key);
      }
      this.put(key, value);
    }
  }
}

async function widgetOf(esm) { // each module once
  if (!modules.has(esm)) modules.set(esm, import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" }))));
  const made = (await modules.get(esm)).default;
  return typeof made === "function" ? made() : made;
}

window.host = {
  knows: (name) => models.has(name),

  async show(name, packed, place, shadow) {
    const fresh = !models.has(name);
    if (fresh) {
      const { data: { state, buffer_paths }, buffers } = JSON.parse(packed);
      models.set(name, new Model(name, together(state, buffer_paths, buffers)));
    }
    const { face } = models.get(name);
    const section = document.createElement("section");
    section.dataset.place = place;
    section.setAttribute("aria-label", `${name}, view ${place}`);
    document.querySelector("main").append(section);
    const root = shadow ? section.attachShadow({ mode: "open" }) : section;
    const [style, el] = [document.createElement("style"), document.createElement("div")];
    style.textContent = face.get("_css");
    root.append(style, el);
    const widget = await widgetOf(face.get("_esm"));
    if (fresh) await widget.initialize?.({ model: face });
    await widget.render({ model: face, el });
  },

  exchange(batch) {
    for (const [name, packed] of batch) models.get(name)?.receive(JSON.parse(packed));
    return outbox.splice(0);
  },
};
