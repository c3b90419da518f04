// Made by "make js": every folder of panels with a view.js.

export { default as ablation_lab } from "../ablation_lab/view.js";
export { default as compare_lab } from "../compare_lab/view.js";
export { default as doctor } from "../doctor/view.js";
export { default as edit_lab } from "../edit_lab/view.js";
export { default as gallery } from "../gallery/view.js";
export { default as head_grid } from "../head_grid/view.js";
export { default as keywords } from "../keywords/view.js";
export { default as predict } from "../predict/view.js";
export { default as span_explorer } from "../span_explorer/view.js";
export { default as token_map } from "../token_map/view.js";
export { default as two_models } from "../two_models/view.js";
