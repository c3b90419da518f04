"""The built-in world: scenes of which everything is known, and the small CLIP trained on them from scratch."""
