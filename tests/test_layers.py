"""Imports point one way: a folder of the package may import only those below it, and `import toolkit` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import toolkit as tk

PACKAGE = Path(tk.__file__).parent
ORDER = [
    *(
        "version",
        "errors",
        "interrupts",
        "signs",
        "waking",
        "engine",
        "core",
        "models",
        "data",
        "organism",
        "store",
        "api",
        "explanations",
        "labs",
    ),
    *("figures", "panels", "teach", "cli", "__main__"),
]
FOREIGN = {
    "core": {"torch", "numpy", "scipy", "pandas", "xarray", "threadpoolctl"},
    "models": {"torch", "numpy", "open_clip", "timm", "PIL", "safetensors", "huggingface_hub"},
}


def imports(path: Path) -> set[str]:
    """Every module a file names in an import, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    own = room(path)
    assert own in ORDER
    for name in imports(path):
        if name.startswith("toolkit."):
            assert ORDER.index(name.split(".")[1]) <= ORDER.index(own), f"{path.name} imports {name}"


@pytest.mark.parametrize("folder", FOREIGN)
def test_core_and_models_import_nothing_a_bare_gpu_box_lacks_at_import_time(folder):
    code = f"import pkgutil, importlib, sys, toolkit.{folder} as p\n"
    code += f"for m in pkgutil.iter_modules(p.__path__): importlib.import_module('toolkit.{folder}.' + m.name)\n"
    code += (
        "print([m for m in ('ipywidgets', 'anywidget', 'plotly', 'pandas', 'xarray', 'IPython') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
    for path in FILES:
        if room(path) == folder:
            for name in imports(path):
                top = name.split(".")[0]
                assert top in FOREIGN[folder] | {"toolkit"} | sys.stdlib_module_names, f"{path.name} imports {name}"


def test_panels_never_import_torch():
    for path in FILES:
        if room(path) == "panels":
            assert not any(name.split(".")[0] in ("torch", "open_clip") for name in imports(path)), path


def test_import_toolkit_does_not_import_torch_or_numpy():
    heavy = ("torch", "numpy", "plotly", "ipywidgets", "pandas")
    code = f"import toolkit, sys; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize("name", tk.__all__)
def test_every_public_name_exists_with_a_docstring(name):
    assert (getattr(tk, name).__doc__ or "").strip()


def test_a_misspelt_public_name_is_answered_with_the_right_one():
    with pytest.raises(AttributeError, match="did you mean 'decompose'"):
        tk.decompos  # noqa: B018


def test_no_file_or_folder_bears_a_public_name():
    """Importing it would put the module in the place of the verb: `tk.explain` was one until a folder took its name."""
    assert {path.stem for path in PACKAGE.iterdir()} & set(tk.__all__) == {"teach"}


ROOMS = [
    *("checks", "images", "doctor", "words", "switch_off", "locate", "where", "edit", "methods", "keywords", "protocol")
]


def test_the_rooms_of_the_verbs_stand_one_above_the_other():
    assert sorted(p.stem for p in (PACKAGE / "api").iterdir() if p.stem not in ("__init__", "__pycache__")) == sorted(
        ROOMS
    )
    for path in FILES:
        inside = path.relative_to(PACKAGE).parts
        if inside[0] == "api" and len(inside) > 2:
            for name in imports(path):
                if name.startswith("toolkit.api."):
                    theirs = name.split(".")[2]
                    assert ROOMS.index(theirs) <= ROOMS.index(inside[1]), f"{path} imports {name}"


def modules() -> dict[str, Path]:
    """Every file of the package by the name it is imported under."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def needs(path: Path, known: dict[str, Path]) -> set[str]:
    """The files that a file imports from, wherever the import stands: under TYPE_CHECKING and in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & known.keys()) or {node.module}
    return found


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Files that import each other by whatever detour: what is left when nobody without arrows in or out is left."""
    left = dict(graph)
    while True:
        targets = set().union(*left.values()) if left else set()
        loose = {name for name, theirs in left.items() if not theirs & left.keys() or name not in targets}
        if not loose:
            return [{name} | left[name] & left.keys() for name in sorted(left)]
        left = {name: theirs for name, theirs in left.items() if name not in loose}


def test_the_finder_of_circles_finds_one():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [{"b", "c"}, {"b", "c"}]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_file_imports_itself_by_a_detour():
    known = modules()
    assert circles({name: needs(path, known) - {name} for name, path in known.items()}) == []


def test_no_two_classes_share_a_name():
    seen: dict[str, Path] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                assert seen.setdefault(node.name, path) == path, f"{node.name} in {path} and {seen[node.name]}"


LINES, METHODS = 450, 25


def test_what_is_long_says_why():
    for path in FILES:
        tree = ast.parse(path.read_text())
        if len(path.read_text().splitlines()) > LINES:
            assert "Long because" in (ast.get_docstring(tree) or ""), path
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                public = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
                reason = "Long because" in (ast.get_docstring(node) or "")
                assert len(public) <= METHODS or reason, f"{path}: {node.name} has {len(public)} public methods"


def test_the_list_of_public_names_is_one_line_a_name():
    """The lazy door reads the stub line by line; what type checkers see in it must be the same."""
    first, *lines = ast.parse((PACKAGE / "__init__.pyi").read_text()).body
    assert isinstance(first, ast.Expr)
    for line in lines:
        assert isinstance(line, ast.ImportFrom), ast.unparse(line)
        assert [alias.asname == alias.name for alias in line.names] == [True], ast.unparse(line)
    told = {line.names[0].name: line.module for line in lines if isinstance(line, ast.ImportFrom)}
    assert len(told) == len(lines)
    assert told.pop("__version__") == "toolkit.version"
    assert told == tk._WHERE
    assert sorted(told) == tk.__all__ == dir(tk)


@pytest.mark.parametrize("name", [name for name in tk.__all__ if name not in tk.WHOLE])
def test_a_public_name_comes_from_the_file_that_makes_it(name):
    assert getattr(tk, name).__module__ == tk._WHERE[name]
