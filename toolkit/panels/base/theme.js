// Whether the page around a panel is dark.

/** What hosts call themselves: in an attribute, by a class, or by a theme's name. */
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

/** The attributes by which hosts tell. */
export const TOLD_BY = ["class", "data-jp-theme-light", "data-jp-theme-name", "data-theme", "theme"];
