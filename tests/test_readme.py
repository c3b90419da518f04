"""The README's examples run as they stand."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_explorer_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_NOTES", str(tmp_path / "notes"))
    names: dict[str, Any] = {}
    for block in BLOCKS[:2]:
        exec(block, names)
    explorer, end = names["explorer"], time.monotonic() + 120
    while explorer.ablation.change is None or "edit" not in explorer.parts or explorer.edit.edit is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    exec(BLOCKS[2], names)
    assert str(explorer.ablation.heads) == "L3.H7 L3.H5"
    assert (tmp_path / "found.html").stat().st_size > 10_000
    assert names["explorer"].error == ""


@pytest.mark.slow
def test_the_verbs_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (verbs,) = [block for block in BLOCKS if "tk.save_checkpoint" in block]
    names: dict[str, Any] = {"tk": __import__("toolkit")}
    exec(verbs, names)
    assert names["parts"].error < 1e-5
    assert "landbird on water" in capsys.readouterr().out
    assert (tmp_path / "edited.safetensors").exists()


def test_every_example_is_python_and_names_what_there_is() -> None:
    import toolkit as tk

    for block in BLOCKS:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tk":
                assert node.attr in tk.__all__, node.attr


def test_every_picture_and_page_of_the_readme_is_there() -> None:
    for target in re.findall(r"\]\(((?!http|#)[^)#]+)", README.read_text(encoding="utf-8")):
        assert (README.parent / target).exists(), target
