// Puts every panel's script and style together: `node .ci/bundle.mjs`, or with --check to compare and write nothing.
// A panel is a folder of toolkit/panels with a view.js. Its bundle says by a hash what it was made from, so that a test
// without node can tell a stale one.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PANELS = join(ROOT, "toolkit", "panels");
const BUNDLES = join(PANELS, "bundles");
const EXPLORER = "explorer";
const MADE_BY = [".ci/bundle.mjs", "package-lock.json"];

const SETTINGS = {
  absWorkingDir: ROOT,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minify: true,
  legalComments: "none",
  sourcemap: "external", // no comment that points to it: a host could not follow it
  sourcesContent: false, // the sources travel beside the maps
  outdir: BUNDLES,
  write: false,
  metafile: true,
  logLevel: "warning",
};

/**
 * The hash of files by name and content; tests/panels/test_bundles.py computes the same.
 * @param {string[]} names from the root, with forward slashes
 */
function hashOf(names) {
  const all = createHash("sha256");
  for (const name of [...names].sort()) {
    const own = createHash("sha256")
      .update(readFileSync(join(ROOT, name)))
      .digest("hex");
    all.update(`${name} ${own}\n`);
  }
  return all.digest("hex").slice(0, 16);
}

/**
 * The files of one panel's bundle by name.
 * @param {string} panel
 */
async function bundleOf(panel) {
  const settings = { ...SETTINGS, entryPoints: { [panel]: join(PANELS, panel, "view.js") } };
  const { metafile } = await build(settings);
  const hash = hashOf([...Object.keys(metafile.inputs), ...MADE_BY]);
  const words = `/* Made by "make js"; sources ${hash} */`;
  const { outputFiles } = await build({ ...settings, banner: { js: words, css: words } });
  return new Map(outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)]));
}

/**
 * The explorer's own module of all other panels, under the names of their folders.
 * @param {string[]} panels
 */
function moduleOf(panels) {
  const lines = panels
    .filter((name) => name !== EXPLORER)
    .map((name) => `export { default as ${name} } from "../${name}/view.js";`);
  return `// Made by "make js": every folder of panels with a view.js.\n\n${lines.join("\n")}\n`;
}

const checks = process.argv.includes("--check");
const panels = readdirSync(PANELS).filter((name) => existsSync(join(PANELS, name, "view.js")));
const listed = join(PANELS, EXPLORER, "panels.js");
const list = moduleOf(panels.sort());
const isListStale = !existsSync(listed) || readFileSync(listed, "utf8") !== list;
if (isListStale && checks) {
  console.error(`Stale: ${relative(ROOT, listed).split(sep).join("/")}. Run: make js`);
  process.exit(1);
}
if (isListStale) writeFileSync(listed, list);
const bundles = await Promise.all(panels.map(bundleOf));
const made = new Map(bundles.flatMap((files) => [...files]));
const there = existsSync(BUNDLES) ? readdirSync(BUNDLES) : [];
const surplus = there.filter((name) => !made.has(name));
const changed = [...made.keys()].filter(
  (name) => !there.includes(name) || !made.get(name).equals(readFileSync(join(BUNDLES, name))),
);

if (checks) {
  const stale = [...surplus, ...changed].sort();
  if (stale.length) {
    console.error(
      `Stale in ${relative(ROOT, BUNDLES).split(sep).join("/")}: ${stale.join(", ")}. Run: make js`,
    );
    process.exit(1);
  }
} else {
  mkdirSync(BUNDLES, { recursive: true });
  for (const name of surplus) rmSync(join(BUNDLES, name));
  for (const name of changed) writeFileSync(join(BUNDLES, name), made.get(name));
}

for (const panel of panels) {
  const [script, style] = ["js", "css"].map((kind) => made.get(`${panel}.${kind}`).length);
  console.log(
    `${panel}: script ${script} bytes, style ${style} bytes${changed.some((name) => name.startsWith(`${panel}.`)) ? ", new" : ""}`,
  );
}
