// What an edit did, in words.

/** @import { EditWords, Pulls, Scaled } from "./sent.d.ts" */

import { make } from "../base/dom.js";
import { whole } from "../base/numbers.js";

/** @param {Scaled} scaled */
const times = ({ name, ratio }) => `${name} ×${ratio.toFixed(2)}`;

/** @param {Scaled[]} scaled */
function textsInWords(scaled) {
  const texts = scaled.map(({ name, ratio }) => times({ name: `“${name}”`, ratio }));
  return texts.join(", ") || "nothing";
}

/**
 * Which of the losses decides.
 * @param {Pulls} pulls
 */
export const pullsInWords = ({ ce, success, locality }) =>
  `cross-entropy ${whole(ce)}, success ${whole(success)}, locality ${whole(locality)}`;

/**
 * What an edit did: of each part its name and its words.
 * @param {EditWords} words
 */
export function wordRows({ down, up = [], heads, pulls, moved, negative = null, gap, made }) {
  /** @type {[name: string, words: string][]} */
  const rows = [];
  if (made) rows.push(["the edit", made.join(" · ")]);
  if (down) rows.push(["turned down", textsInWords(down)], ["turned up", textsInWords(up)]);
  if (heads) rows.push(["scales heads", heads.map(times).join(", ")]);
  if (pulls) rows.push(["pull on θ", pullsInWords(pulls)]);
  if (moved) {
    const dimensions = moved.map(({ dimension, by }) => {
      return `${dimension} (${by < 0 ? "−" : "+"}${Math.abs(by).toFixed(2)})`;
    });
    const below = negative === null ? "" : `; ${negative} below zero`;
    rows.push(["dimensions", dimensions.join(", ") + below]);
  }
  if (gap !== undefined && gap !== null) {
    rows.push(["left to gain", `${(100 * gap).toFixed(1)} % of the attainable fall`]);
  }
  return rows;
}

/**
 * What one edit did; where another is given, what that one did beside it.
 * @param {Element} node
 * @param {EditWords} words
 * @param {EditWords} others empty for none
 * @param {string} name of the edit
 * @param {string} otherName
 */
export function paintWords(node, words, others, name, otherName) {
  const rows = wordRows(words);
  const beside = new Map(wordRows(others));
  node.classList.toggle("tked-two", beside.size > 0);
  node.replaceChildren();
  /** @type {(tag: "b" | "span" | "strong", text: string) => void} */
  const cell = (tag, text) => {
    make(tag, "", node).textContent = text;
  };
  if (beside.size) {
    cell("b", "");
    cell("strong", name);
    cell("strong", otherName);
  }
  const names = [...new Set([...rows.map(([row]) => row), ...beside.keys()])];
  const own = new Map(rows);
  for (const row of names) {
    cell("b", row);
    cell("span", own.get(row) ?? "–");
    if (beside.size) cell("span", beside.get(row) ?? "–");
  }
}
