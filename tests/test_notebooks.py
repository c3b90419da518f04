"""Every shipped notebook runs from top to bottom without network or GPU, leaves nothing behind, and is stored so that a
code-hosting page shows its results.
"""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import toolkit as tk
from toolkit.panels.explorer.guide import cells
from toolkit.teach.tasks import TASKS

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LAB = [path for path in NOTEBOOKS if path.stem[:2] in ("01", "02", "03", "05", "06")]
NOWHERE = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
GUIDE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8").split("**Exercises.**")[0]
TEXT = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS}


REVEAL = """
import gc, time, warnings
warnings.simplefilter("ignore")
from toolkit.panels.predict.panel import Predict
for one in [one for one in gc.get_objects() if issubclass(type(one), Predict) and not one.revealed]:
    one.reveal()
    end = time.monotonic() + 60
    while one.truth is None and not one.error and time.monotonic() < end:
        time.sleep(0.02)
    print(one.revealed, one.error or one.truth, sep="|")
"""
"""Run after every question: its answer can be had there and then, not only when the notebook is over."""


def run(notebook, folder, monkeypatch, **variables):
    """Run a notebook in a folder, without network and GPU; what every question revealed where it stands."""
    for name in ("WATERBIRDS", "IMAGENET_R", "CLIP_MODEL", "CLIP_PRETRAINED", "DEVICE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**NOWHERE, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", **variables}.items():
        monkeypatch.setenv(name, value)
    asks, own = [], []
    for cell in notebook.cells:
        own.append(cell)
        if cell.cell_type == "code" and "teach.predict(" in cell.source:
            asks.append(nbformat.v4.new_code_cell(REVEAL))
            own.append(asks[-1])
    notebook.cells = own
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=180, kernel_name="python3", resources=place).execute()
    notebook.cells = [cell for cell in notebook.cells if all(cell is not ask for ask in asks)]
    return ["".join(output.text for output in ask.outputs if output.name == "stdout").strip() for ask in asks]


def as_told(truth, said):
    """Whether the instructor page's words hold a truth: an option, the largest of several, or a number as rounded."""
    found = ast.literal_eval(truth) if truth[0] in "{0123456789-" else truth
    if isinstance(found, dict):
        found = max(found, key=found.get)
    if isinstance(found, str):
        return found in said
    number = re.search(r"\d+(?:\.(\d+))?", said)
    return round(found, len(number[1] or "")) == float(number[0])


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path, warm, monkeypatch, tmp_path):
    if path != NOTEBOOKS[0]:  # the first runs in a kernel as anybody's
        monkeypatch.setenv("JUPYTER_PATH", warm.path)
    notebook = nbformat.read(path, as_version=4)
    revealed = run(notebook, tmp_path, monkeypatch)
    assert all(re.fullmatch(r"True\|.+", line) for line in revealed), revealed
    expected = re.findall(rf"^\| {path.stem[:2]} \| [^|]+ \| ([^|]+) \| [^|]+ \|$", GUIDE, re.MULTILINE)
    assert len(expected) == len(revealed)
    for line, said in zip(revealed, expected, strict=True):
        assert as_told(line.removeprefix("True|"), said), f"{line} in the notebook, {said} on the instructor page"
    notebook.metadata.pop("widgets", None)  # whoever saves with it saves more
    assert len(nbformat.writes(notebook)) < 1_000_000
    for cell in notebook.cells:
        assert cell.cell_type != "code" or cell.outputs, cell.source
    assert list(tmp_path.iterdir()) == [], "a notebook leaves nothing in the reader's folder"


@pytest.mark.slow
@pytest.mark.parametrize("others", [True, False])
def test_the_tables_run_on_folders_of_the_real_layouts(others, monkeypatch, tmp_path):
    folder = tk.teach.waterbirds_folder(tmp_path, train=60, val=40, test=80)
    given = {"WATERBIRDS": str(folder), "CLIP_MODEL": "built-in"}
    if others:
        given["IMAGENET_R"] = str(tk.teach.imagenet_r_folder(tmp_path, n=200))
    notebook = nbformat.read(ROOT / "notebooks" / "08_tables_and_figures.ipynb", as_version=4)
    run(notebook, tmp_path, monkeypatch, **given)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert str(folder) in said
    assert "no masks, so neither" in said  # CUB's segmentations are not beside it
    assert ("no images of other classes" in said) is not others


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_stored_with_results_that_a_page_can_show(path):
    notebook = TEXT[path.stem]
    nbformat.validate(notebook)
    assert path.stat().st_size < 1_000_000
    assert "widgets" not in notebook.metadata
    pictures = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        assert cell.outputs, cell.source
        assert all(output.output_type != "error" for output in cell.outputs), cell.source
        shown = [output.data for output in cell.outputs if "data" in output]
        picture = any("image/png" in data or "<img" in data.get("text/html", "") for data in shown)
        live = any("application/vnd.jupyter.widget-view+json" in data for data in shown)
        assert picture or not live, f"a widget without a picture: {cell.source}"
        pictures += picture
    assert pictures >= 2


@pytest.mark.parametrize("name", TEXT)
def test_what_a_notebook_says_of_itself(name):
    notebook = TEXT[name]
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "no evidence for any method" in prose, "numbers of the built-in world are marked as such"
    assert re.search(r"\*\d+ minutes", prose)
    for place in re.findall(r"\]\(\.\./([^)#]+)", prose):
        assert (ROOT / place).is_file(), place
    paths = (str(ROOT), "/tmp/", "/home/", "/root/")
    assert not [path for path in paths if path in nbformat.writes(notebook)]


def test_the_first_notebook_is_the_tour():
    own = [
        cell.source
        for cell in TEXT["01_first_look"].cells
        if cell.cell_type == "code" and "predict(" not in cell.source
    ]
    assert own == [code for _, code in cells()]
    prose = "\n".join(cell.source for cell in TEXT["01_first_look"].cells)
    assert all(text in prose for text, _ in cells()[1:])


def loaded_and_stored(source: str) -> tuple[set[str], set[str]]:
    """Names a cell uses before it has made them itself, roughly; and those it makes."""
    tree = ast.parse(source)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    made |= {alias.asname or alias.name.split(".")[0] for node in imports for alias in node.names}
    made |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    made |= {arg.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for arg in node.args}
    return {node.id for node in names if isinstance(node.ctx, ast.Load)} - made, made


@pytest.mark.parametrize("path", LAB, ids=lambda p: p.stem)
def test_the_cells_of_the_lab_stand_on_their_own(path):
    known = set(dir(builtins))
    found = [
        cell for cell in TEXT[path.stem].cells if cell.cell_type == "code" and "lab" in cell.metadata.get("tags", ())
    ]
    assert len(found) >= 5
    for cell in found:
        used, made = loaded_and_stored(cell.source)
        assert used <= known, f"{used - known} in {cell.source}"
        known |= made


def test_every_exercise_stands_in_its_notebook():
    for task in TASKS:
        (name,) = [stem for stem in TEXT if stem.startswith(task.notebook)]
        sources = [cell.source for cell in TEXT[name].cells if cell.cell_type == "code"]
        assert any(f'exercise("{task.title}")' in source for source in sources), task.title
        assert any(".check(answer)" in source for source in sources)


def test_the_notebooks_are_those_of_the_list():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"0{i}" for i in range(1, 9)]
