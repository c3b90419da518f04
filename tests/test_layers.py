"""Imports point one way: a folder of the package may import only those below it, and `import toolkit` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import toolkit as tk

PACKAGE = Path(tk.__file__).parent
ORDER = ["errors", "core", "models", "data", "organism", "store", "api", "engine", "figures", "panels", "teach", "cli"]
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


def test_files_stay_readable():
    for path in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.js"), *PACKAGE.rglob("*.css")]:
        assert len(path.read_text().splitlines()) <= 370, path
