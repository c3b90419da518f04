"""The scripts and styles of the panels, as `make js` put them together: read here, and made by nothing of Python."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from toolkit.errors import InputError

PANELS = Path(__file__).parents[1]
BUNDLES = PANELS / "bundles"
WITH_MAPS = "TOOLKIT_SOURCE_MAPS"
"""Set to 1 before the import, it sends the source maps along: a browser's debugger then shows the sources."""


def script(panel: str) -> str:
    """The script of a panel by the name of its folder, one module with all that it imports."""
    text = _read(f"{panel}.js")
    return text + source_map(panel) if os.environ.get(WITH_MAPS) == "1" else text


def style(panel: str) -> str:
    """The style of a panel by the name of its folder, with that of all that its script imports."""
    return _read(f"{panel}.css")


def _read(name: str) -> str:
    try:
        return (BUNDLES / name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        given = f"the bundle {name}, which is not there"
        raise InputError("panels", given, "a bundle of every panel's folder", "run make js once") from error


def source_map(panel: str) -> str:
    """The comment that gives a debugger the map of a script, with the sources in it."""
    found = json.loads((BUNDLES / f"{panel}.js.map").read_text(encoding="utf-8"))
    found["sourcesContent"] = [(BUNDLES / name).read_text(encoding="utf-8") for name in found["sources"]]
    packed = base64.b64encode(json.dumps(found).encode()).decode()
    return f"//# sourceMappingURL=data:application/json;base64,{packed}\n"
