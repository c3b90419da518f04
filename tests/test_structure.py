"""The picture of the rooms in docs/architecture.md is that of the package as it is; its script sees what it should."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "docs" / "structure.py"


@pytest.fixture(scope="module")
def structure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("structure", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FILES = {
    "__init__.py": '"""The door."""\nif True:\n    from toolkit.api.verb.one import one',
    "errors.py": '"""What is said.\nIn two lines.\n\nAnd more."""',
    "core/__init__.py": '"""Numbers of `tensors`."""',
    "core/a.py": "from toolkit.errors import E",
    "core/b.py": "def f():\n    from toolkit.core import a",
    "api/__init__.py": '"""Verbs."""',
    "api/verb/__init__.py": '"""One verb."""',
    "api/verb/one.py": "import toolkit.core.b\nfrom toolkit.errors import E",
    "cli/__init__.py": '"""The console."""\nif TYPE_CHECKING:\n    from toolkit.api.verb import one',
}


def small(folder: Path, **more: str) -> Path:
    """A package of a few files."""
    for name, text in (FILES | more).items():
        path = folder / "toolkit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "toolkit"


def test_the_picture_shows_the_package_as_it_is() -> None:
    run = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, encoding="utf-8")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\n0 circles of files\n" in run.stdout
    assert (
        "api at first sight: 10 rooms (doctor, edit, images, keywords, locate, methods, protocol, switch_off, where,"
        " words)" in run.stdout
    )


def test_rooms_arrows_and_floors_of_a_small_package(structure: ModuleType, tmp_path: Path) -> None:
    seen = structure.drawn(structure.house(small(tmp_path)))
    assert seen["arrows"] == {"api/verb": ["core", "errors"], "cli": ["api/verb"], "core": ["errors"], "errors": []}
    assert {name: one["floor"] for name, one in seen["rooms"].items()} == {
        "errors": 0, "core": 1, "api/verb": 2, "cli": 3}  # fmt: skip
    assert {name: one["files"] for name, one in seen["rooms"].items()} == {
        "errors": 1, "core": 3, "api/verb": 2, "cli": 1}  # fmt: skip
    assert seen["rooms"]["core"]["job"] == "Numbers of tensors"
    assert seen["rooms"]["errors"]["job"] == "What is said. In two lines"


def test_what_a_longer_way_implies_goes_along_it(structure: ModuleType) -> None:
    needs = {"top": {"middle", "low"}, "middle": {"low"}, "low": set()}
    assert structure.bundles(needs) == {("top", "middle"): 2, ("middle", "low"): 2}


@pytest.mark.parametrize(
    ("name", "text", "members"),
    [
        ("core/a.py", "from toolkit.core.b import f", {"toolkit.core.a", "toolkit.core.b"}),
        ("core/c.py", "from toolkit.cli import main", {"core", "api/verb", "cli"}),
    ],
)
def test_a_circle_of_files_or_of_rooms_is_an_error(
    structure: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, members: set[str]
) -> None:
    assert structure.main(["--check"], small(tmp_path, **{name: text})) == 1
    said = capsys.readouterr().out.splitlines()
    circle = said[0].removeprefix("a circle: ").split(" → ")
    assert circle[0] == circle[-1]
    assert set(circle) == members


def test_a_picture_of_another_package_is_an_error_and_a_new_one_is_not(
    structure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = small(tmp_path)
    monkeypatch.setattr(structure, "PICTURE", tmp_path / "structure.png")
    assert structure.main([], package) == 0
    first = structure.PICTURE.read_bytes()
    assert structure.main(["--check"], package) == 0
    with Image.open(structure.PICTURE) as image:
        assert json.loads(image.info["Description"])["files"] == len(FILES)
        assert image.size[0] >= 1000
    assert structure.main([], package) == 0
    assert structure.PICTURE.read_bytes() == first
    small(tmp_path, **{"api/verb/two.py": '"""Another file."""'})
    assert structure.main(["--check"], package) == 1
    assert "run python docs/structure.py" in capsys.readouterr().out
