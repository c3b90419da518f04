"""A matplotlib figure that shows itself as the last line of a cell, without pyplot and its global state."""

from __future__ import annotations

import io

from matplotlib.figure import Figure as _Figure


class Figure(_Figure):
    """A figure by the object interface. IPython draws such ones only once pyplot was imported, so it brings its PNG."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=80)
        return out.getvalue()
