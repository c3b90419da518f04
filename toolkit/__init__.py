"""CLIP head toolkit: from a CLIP mistake to the attention heads that cause it, live in a notebook.

>>> import toolkit as tk
>>> model = tk.load()                                  # the built-in model: no network, no GPU
>>> parts = tk.decompose(model, tk.scenes("test", n=4))
>>> parts.error < 1e-5                                 # the parts sum to the embedding
True
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from toolkit.interrupts import hold_imports
from toolkit.version import __version__ as __version__
from toolkit.waking import waking as _waking

hold_imports()
WHOLE = {"teach": "toolkit.teach", "methods": "toolkit.api.methods"}
"""Names that are packages."""
LIGHT = ("toolkit.errors", "toolkit.version")
"""What needs no torch."""


def _public() -> dict[str, str]:
    """Public name → the file it comes from, as `__init__.pyi` beside this file lists them."""
    listed = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    lines = re.findall(r"^from (\S+) import (\w+) as \w+$", listed, re.MULTILINE)
    return {name: module for module, name in lines if not name.startswith("_")}


_WHERE = _public()
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that `import toolkit` needs no torch."""
    if name in WHOLE:
        with _waking("torch"):
            return import_module(WHOLE[name])
    if name not in _WHERE:
        from difflib import get_close_matches

        near = get_close_matches(name, _WHERE, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}{hint}")
    if _WHERE[name] in LIGHT:
        value = getattr(import_module(_WHERE[name]), name)
    else:
        with _waking("torch"):
            value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
