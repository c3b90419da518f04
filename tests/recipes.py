"""The recipes of CONTRIBUTING.md, put into a copy of the toolkit as they are printed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
BLOCK = re.compile(r"<!-- (file|line|append): (\S+?)(?: (after|before) \"(.+?)\")? -->\n```\w*\n(.*?)```\n", re.DOTALL)
COPIED = ("toolkit", "tests", ".ci")
LINKED = ("node_modules", "package.json", "package-lock.json", "tsconfig.json", "biome.jsonc", "pyproject.toml", "docs")


class Block(NamedTuple):
    """A block of code: what is done with it, with which file, and beside which line of it."""

    does: str
    path: str
    where: str
    line: str
    code: str


def blocks() -> list[Block]:
    """The blocks of the page that go into files, in order."""
    return [Block(*found) for found in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]


def copied(folder: Path) -> Path:
    """A copy of the toolkit with all recipes in it; its folder."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LINKED:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    for block in blocks():
        put(folder, block)
    return folder


def put(folder: Path, block: Block) -> None:
    """One block into its file."""
    path = folder / block.path
    if block.does == "file":
        assert not path.exists(), f"{block.path} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    if block.does == "append":
        path.write_text(f"{text.rstrip()}\n\n\n{block.code}", encoding="utf-8")
        return
    assert text.count(f"{block.line}\n") == 1, f"{block.path} has no line {block.line!r}"
    pieces = (block.line + "\n", block.code) if block.where == "after" else (block.code, block.line + "\n")
    path.write_text(text.replace(f"{block.line}\n", "".join(pieces)), encoding="utf-8")
