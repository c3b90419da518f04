"""Any open_clip model, unmodified, as a `Model`: geometry, encoding, loading."""
