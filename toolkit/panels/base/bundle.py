"""One script and one style for a panel made of others: what they share once, each panel in a scope of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.panels.base.compact import compact
from toolkit.panels.base.panel import css, read, source

END = "export default { render };"


def bundle(shared: Sequence[str], panels: Mapping[str, str], own: str) -> str:
    """The script: shared parts by file, panels by the name under which `own` finds their `render` in `PANELS`."""
    code = read("js", "common", *shared)
    scopes = ["const PANELS = {};\n"]
    for name, file in panels.items():
        view = read("js", file)
        if END not in view:
            raise ValueError(f"{file}/view.js does not end in {END!r}")
        inner = view.replace(END, f"PANELS.{name} = render;")
        scopes.append(f"{{\n{inner}}}\n")
    return compact(code + "".join(scopes) + read("js", own))


def bundle_css(parts: Sequence[str], own: str) -> str:
    """The style; of a part without one, nothing."""
    return css(*(part for part in (*parts, own) if source(part, "css").exists()))
