"""From images to parts: load a model, take images apart, keep what came of it, judge and search them."""
