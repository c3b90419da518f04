"""The pages: none is orphaned, no link or picture is dead, files they name exist, examples name what there is."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import toolkit as tk

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
KNOWN = {page: page.read_text(encoding="utf-8") for page in PAGES}
LINES = 150
"""As long as the README may be."""


def links(page: Path) -> list[tuple[Path, str]]:
    """Every file a page links to, and the place in it; links to other hosts are left out."""
    found = re.findall(r"\]\(((?![a-z]+:)[^)\s#]*)(?:#([^)\s]+))?\)", KNOWN[page])
    return [((page.parent / target).resolve() if target else page, anchor) for target, anchor in found]


def anchors(text: str) -> set[str]:
    """The places of a page that a link may name, as code-hosting pages spell them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_is_there(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(KNOWN[target]), f"{page.name} links to {target.name}#{anchor}"


def test_every_page_is_reached_from_the_readme() -> None:
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in seen:
            seen.add(page)
            ahead += [target for target, _ in links(page) if target in KNOWN]
    assert set(DOCS.glob("*.md")) <= seen, "a page that nobody links to"
    assert ROOT / "CHANGELOG.md" in seen


def test_every_picture_is_shown_somewhere() -> None:
    shown = {target for page in PAGES for target, _ in links(page)}
    assert set((DOCS / "images").iterdir()) <= shown, "a picture that nobody shows"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_is_python_and_names_what_there_is(page: Path) -> None:
    made = {"snapshots"} if page.name == "CONTRIBUTING.md" else set()  # the recipe's reader; its own test runs it
    for block in re.findall(r"```python\n(.*?)```", KNOWN[page], re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tk":
                assert node.attr in {*tk.__all__, *made}, node.attr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"`((?:toolkit|tests|docs|benchmarks|notebooks)/[\w./]+)`", KNOWN[page]))
    for name in named - {"docs/images"}:
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def found(name: str) -> object:
    """What a dotted name stands for: a module, or something in one."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, inner = name.rpartition(".")
        return getattr(importlib.import_module(module), inner)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_that_is_named_exists(page: Path) -> None:
    for name in set(re.findall(r"`(?:python -m )?(toolkit(?:\.\w+)+)[^`…]*`", KNOWN[page])):
        assert found(name) is not None, f"{page.name} names {name}"


@pytest.mark.parametrize("script", sorted(DOCS.glob("*.py")), ids=lambda script: script.name)
def test_every_script_of_the_docs_can_be_imported(script: Path) -> None:
    done = subprocess.run([sys.executable, "-c", f"import {script.stem}"], cwd=DOCS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_file_of_the_architecture_exists() -> None:
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.(?:py|js|css))`", KNOWN[DOCS / "architecture.md"])
    assert len(named) > 20
    for name in named:
        assert any((place / name).exists() for place in (ROOT / "toolkit", ROOT)), name


def test_the_readme_fits_a_few_screens_and_begins_with_picture_and_commands() -> None:
    lines = KNOWN[ROOT / "README.md"].splitlines()
    assert len(lines) <= LINES
    first = "\n".join(lines[:25])
    assert "docs/images/explorer_mistakes.png" in first
    assert "make demo" in first
    assert "make test" in first


def test_the_changelog_has_this_version_and_known_headings_only() -> None:
    text = KNOWN[ROOT / "CHANGELOG.md"]
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0].startswith(f"[{tk.__version__}]")
    headings = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_names_this_version_and_invents_no_address() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= cited.keys()
    assert cited["version"] == tk.__version__
    assert cited["authors"] == [{"name": "The clip-head-toolkit authors"}]
    assert not {"doi", "url", "repository-code", "identifiers"} & cited.keys()
