// The panels of the explorer, each under the name of its part: a line more is a panel more.

export { default as grid } from "../head_grid/view.js";
export { default as gallery } from "../gallery/view.js";
export { default as spans } from "../span_explorer/view.js";
export { default as maps } from "../token_map/view.js";
export { default as ablation } from "../ablation_lab/view.js";
export { default as edit } from "../edit_lab/view.js";
export { default as two } from "../two_models/view.js";
