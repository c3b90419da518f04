"""The bundles are what `make js` makes of the sources, hold nothing a strict host forbids, and stay small."""

from __future__ import annotations

import base64
import json
import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

import toolkit as tk
from toolkit.panels.base.bundle import BUNDLES, PANELS, WITH_MAPS, script, style
from toolkit.panels.base.panel import Panel
from toolkit.panels.explorer.parts import FOLDERS as PART_FOLDERS

ROOT = Path(tk.__file__).parents[1]
MADE_BY = (".ci/bundle.mjs", "package-lock.json")
FOLDERS = sorted(path.parent.name for path in PANELS.glob("*/view.js"))
IMPORT = re.compile(r"""^(?:import|export)\b[^"';]*"(\.[^"]+)";""", re.MULTILINE)


def sources(entry: Path) -> set[Path]:
    """A script and all it imports, styles too, by whatever detour."""
    found: set[Path] = set()
    ahead = [entry]
    while ahead:
        path = ahead.pop()
        if path not in found:
            found.add(path)
            if path.suffix == ".js":
                ahead += [(path.parent / name).resolve() for name in IMPORT.findall(path.read_text(encoding="utf-8"))]
    return found


def digest(root: Path, panel: str) -> str:
    """The hash of all that a bundle is made from; .ci/bundle.mjs computes the same."""
    files = [*sources(root / "toolkit" / "panels" / panel / "view.js"), *(root / name for name in MADE_BY)]
    lines = {path.relative_to(root).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}
    return sha256("".join(f"{name} {lines[name]}\n" for name in sorted(lines)).encode()).hexdigest()[:16]


def named(text: str) -> str:
    """The hash that a bundle carries."""
    found = re.match(r'/\* Made by "make js"; sources ([0-9a-f]{16}) \*/\n', text)
    return found[1] if found else "none"


@pytest.mark.parametrize("panel", FOLDERS)
@pytest.mark.parametrize("kind", ["js", "css"])
def test_a_bundle_is_as_new_as_its_sources(panel: str, kind: str) -> None:
    text = (BUNDLES / f"{panel}.{kind}").read_text(encoding="utf-8")
    assert named(text) == digest(ROOT, panel), f"{panel}.{kind} is stale: run make js"


def test_a_change_in_any_source_makes_a_bundle_stale(tmp_path: Path) -> None:
    shutil.copytree(PANELS, tmp_path / "toolkit" / "panels", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for name in MADE_BY:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    seen = {digest(tmp_path, "explorer")}
    assert seen == {digest(ROOT, "explorer")}
    for path in [*sources(tmp_path / "toolkit" / "panels" / "explorer" / "view.js"), tmp_path / "package-lock.json"]:
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        seen.add(digest(tmp_path, "explorer"))
    assert len(seen) == len(sources(PANELS / "explorer" / "view.js")) + 2


def test_there_is_a_bundle_for_every_panel_and_no_other() -> None:
    expected = {f"{panel}.{kind}{tail}" for panel in FOLDERS for kind in ("js", "css") for tail in ("", ".map")}
    assert {path.name for path in BUNDLES.iterdir()} == expected


def test_every_script_and_style_is_used_by_a_panel() -> None:
    used = set().union(*(sources(PANELS / panel / "view.js") for panel in FOLDERS))
    written = {path for kind in ("*.js", "*.css") for path in PANELS.rglob(kind) if path.parent != BUNDLES}
    assert written == used


def test_every_panel_gives_the_render_that_hosts_ask_for() -> None:
    for panel in FOLDERS:
        assert "\nexport default { render };\n" in (PANELS / panel / "view.js").read_text(encoding="utf-8")
        exported = re.search(r"export\{([\w$]+) as default\};\n$", script(panel))
        assert exported, panel
        assert re.search(rf"[ ,;]{re.escape(exported[1])}=\{{render:[\w$]+\}}", script(panel)), panel


def kinds(kind: type[Panel]) -> list[type[Panel]]:
    """All classes below one."""
    return [one for child in kind.__subclasses__() for one in (child, *kinds(child))]


def own(kind: type) -> bool:
    """Whether a class has a script itself; every instance has a class of its own too, which holds it as a trait."""
    return isinstance(vars(kind).get("_esm"), str)


def test_every_panel_class_shows_a_bundle_as_text() -> None:
    shown = [
        kind
        for kind in kinds(Panel)
        if kind.__module__.startswith("toolkit.") and isinstance(vars(kind).get("_esm"), str)
    ]  # an instance has a class of its own
    assert {kind.__module__.split(".")[2] for kind in shown} <= set(FOLDERS)
    for kind in shown:
        folder = kind.__module__.split(".")[2]
        assert (kind._esm, kind._css) == (script(folder), style(folder))
        assert type(kind._esm) is str
        assert type(kind._css) is str


FORBIDDEN = [
    r"\beval\b", r"\bFunction\(", r"\bimport\b", r"\brequire\(", r"importScripts", r"\bWorker\(", r"\bfetch\(",
    r"XMLHttpRequest", r"WebSocket", r"EventSource", r"sendBeacon", r"innerHTML", r"insertAdjacentHTML", r"outerHTML",
    r"document\.write", r"setTimeout\([\"'`]",
    r"sourceMappingURL", r"url\((?![\"'`]?\$\{)", r"@import", r"//[\w-]+\.\w",
]  # fmt: skip
NAMESPACE = "http://www.w3.org/2000/svg"
"""A name that browsers never ask the network for."""


def offences(text: str) -> list[str]:
    return [pattern for pattern in FORBIDDEN if re.search(pattern, text.replace(NAMESPACE, ""))]


@pytest.mark.parametrize("panel", FOLDERS)
def test_a_bundle_evaluates_nothing_and_asks_the_network_for_nothing(panel: str) -> None:
    assert offences(script(panel)) == []
    assert offences(style(panel)) == []


@pytest.mark.parametrize(
    "text",
    [
        'eval("1")', "new Function(a)", "import('./x.js')", 'import x from"x";', 'fetch("x")', "a.innerHTML=b",
        'x="https://example.org/x.js"', "@import 'x.css'", "background:url(x.png)", "setTimeout('x()',1)",
    ],
)  # fmt: skip
def test_the_check_finds_what_a_strict_host_forbids(text: str) -> None:
    assert offences(text)


def test_the_explorer_has_every_script_once_and_keeps_to_its_budget() -> None:
    parts = re.findall(r'default as (\w+) \} from "\.\./(\w+)/', (PANELS / "explorer" / "panels.js").read_text())
    assert {folder for _, folder in parts} == set(FOLDERS) - {"explorer"} > set(PART_FOLDERS.values())
    modules = json.loads((BUNDLES / "explorer.js.map").read_text(encoding="utf-8"))["sources"]
    assert len(modules) == len(set(modules))
    assert {f"../{folder}/view.js" for _, folder in parts} < set(modules)
    assert script("explorer").count("tk-summary") == 1, "the frame that all panels share"
    assert len(script("explorer").encode()) + len(style("explorer").encode()) <= 400_000


def test_the_source_map_travels_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WITH_MAPS, "1")
    code, comment = script("gallery").rsplit("//# sourceMappingURL=data:application/json;base64,", 1)
    monkeypatch.delenv(WITH_MAPS)
    assert code == script("gallery")
    found = json.loads(base64.b64decode(comment))
    own = found["sources"].index("../gallery/view.js")
    assert found["sourcesContent"][own] == (PANELS / "gallery" / "view.js").read_text(encoding="utf-8")
    assert found["mappings"]
