// A view is painted for as long as it is shown.

/** @import { On, Stop } from "./types.d.ts" */
/** @import { Frame } from "./frame.js" */

import { TOLD_BY } from "./theme.js";

const OF_THE_FRAME = ["title", "description", "summary", "error", "theme"];

/**
 * Keep a view painted while its model and the host's theme change; returns what ends that.
 * @param {Frame & {paint: () => void}} view
 * @param {string[]} names the traits it is painted from
 * @param {(on: On) => void} listen adds the view's own listeners
 * @returns {Stop}
 */
export function keep(view, names, listen) {
  const stop = new AbortController();
  const on = { signal: stop.signal };
  view.root.addEventListener("keydown", (event) => view.keydown(event), on);
  listen(on);
  let asked = false;
  const repaint = () => {
    if (asked) return; // one picture per update, however many traits changed
    asked = true;
    queueMicrotask(() => {
      asked = false;
      view.paint();
    });
  };
  const events = [...names, ...OF_THE_FRAME].map((name) => `change:${name}`);
  for (const event of events) view.model.on(event, repaint);
  const say = () => view.signs.paint(); // often, and nothing else has changed
  view.model.on("change:_signs", say);
  const host = new MutationObserver(repaint);
  for (const node of [document.body, document.documentElement]) {
    host.observe(node, { attributes: true, attributeFilter: TOLD_BY });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint, on);
  view.paint();
  return () => {
    stop.abort();
    view.signs.end();
    host.disconnect();
    for (const event of events) view.model.off(event, repaint);
    view.model.off("change:_signs", say);
  };
}
