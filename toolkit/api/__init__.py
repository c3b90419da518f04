"""The public verbs: they join models, data and the mathematics."""
