"""Widgets: one panel is one folder. Panels know labs, results and figures, never torch."""
