"""The examples of README.md and of docs/start.md run as they stand."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def blocks(page: str) -> list[str]:
    """The Python examples of a page, in order."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


START = blocks("docs/start.md")


def test_the_explorer_of_the_first_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_NOTES", str(tmp_path / "notes"))
    names: dict[str, Any] = {}
    for block in START[:2]:
        exec(block, names)
    explorer, end = names["explorer"], time.monotonic() + 120
    while explorer.ablation.change is None or "edit" not in explorer.parts or explorer.edit.edit is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    exec(START[2], names)
    assert str(explorer.ablation.heads) == "L3.H7 L3.H5"
    assert (tmp_path / "found.html").stat().st_size > 10_000
    assert names["explorer"].error == ""


@pytest.mark.slow
def test_the_verbs_of_the_first_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (verbs,) = [block for block in START if "tk.save_checkpoint" in block]
    names: dict[str, Any] = {"tk": __import__("toolkit")}
    exec(verbs, names)
    assert names["parts"].error < 1e-5
    assert "landbird on water" in capsys.readouterr().out
    assert (tmp_path / "edited.safetensors").exists()


@pytest.mark.slow
def test_the_ten_lines_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_NOTES", str(tmp_path / "notes"))
    (lines,) = blocks("README.md")
    tree = ast.parse(lines)
    assert len(tree.body) == len([line for line in lines.splitlines() if line]) == 10
    names: dict[str, Any] = {}
    exec(lines.replace("\ntk.Explorer(", "\nexplorer = tk.Explorer("), names)
    said = capsys.readouterr().out
    for words in ("explained", "token map of “a waterbird”", "zero-ablation of", "landbird on water", "edit diagonal"):
        assert words in said
    assert len(names["heads"]) > 1
    explorer = names["explorer"].wait()
    assert explorer.error == ""
    assert len(explorer.gallery.ids) > 100
    assert set(explorer.worst_pair) == {"landbird", "waterbird"}
