"""Run notebooks from top to bottom and store them with their outputs: `python docs/notebooks.py [NAME …]`.

What is stored shows pictures on a code-hosting page: widgets keep their picture and words, not their state.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
LEFT = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def emptied(output: nbformat.NotebookNode) -> bool:
    """Whether it said that something is loading, and says nothing any more."""
    data = output.get("data", {})
    return "text/html" in data and not data["text/html"] and set(data) <= {"text/html", "text/plain"}


def store(path: str | Path) -> float:
    """Execute one notebook and write it whole with its outputs. Returns the seconds it took."""
    path = Path(path)
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    NotebookClient(notebook, timeout=180, kernel_name="python3", store_widget_state=False).execute()
    seconds = time.perf_counter() - start
    notebook.metadata.pop("widgets", None)
    notebook.metadata["kernelspec"], notebook.metadata["language_info"] = LEFT, {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not emptied(output)]
    nbformat.validate(notebook)
    part = path.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(path)
    return seconds


def main() -> None:
    asked = sys.argv[1:] or [path.stem for path in sorted(FOLDER.glob("*.ipynb"))]
    for name in asked:
        path = FOLDER / f"{Path(name).stem}.ipynb"
        print(f"{path.name}: {store(path):.1f} s, {path.stat().st_size / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
