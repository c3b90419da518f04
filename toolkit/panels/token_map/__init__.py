"""`TokenMap`: where heads look."""
