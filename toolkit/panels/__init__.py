"""Widgets: one panel is one .py, one .js and one .css. Panels know results and figures, never torch."""
