"""Loading is said before it takes its seconds, where somebody looks: in a notebook and in a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading

import nbformat
import pytest
from nbclient import NotebookClient

from toolkit.waking import saying, waking

CODE = "import toolkit as tk; tk.InputError; print('light'); tk.load; print('heavy'); tk.extract; print('end')"


def test_in_a_log_nothing_is_said():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=300, check=True)
    assert (done.stdout, done.stderr) == ("light\nheavy\nend\n", "")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminal to write to")
def test_in_a_terminal_a_line_is_wiped_again():
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", CODE], stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        said = b""
        try:
            while block := os.read(ours, 4096):
                said += block
        except OSError:  # the other end is closed
            pass
        assert running.wait(300) == 0
    os.close(ours)
    words = said.decode()
    assert words.count("Loading PyTorch, once in a session") == 1
    assert words.index("light") < words.index("Loading PyTorch") < words.index("heavy")
    shown = words.split("Loading PyTorch")[1].split("heavy")[0]
    assert shown.endswith(" \r"), "wiped before anything else is written"


def test_in_a_notebook_an_output_says_it_and_is_emptied():
    book = nbformat.v4.new_notebook()
    cells = [
        "import toolkit as tk\nprint('before')\ntk.load\nprint('after')",
        "model = tk.load()\nprint('loaded')",
        "from PIL import Image\nmodel.preprocess(Image.new('RGB', (90, 70)))\nprint('encoded')",
    ]
    book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    seen = []

    class Client(NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] in ("display_data", "update_display_data"):
                seen.append(msg["content"]["data"].get("text/html", ""))
            return super().process_message(msg, cell, cell_index)

    Client(book, kernel_name="python3", timeout=300).execute()
    assert [bool(words) for words in seen] == [True, False, True, False]
    assert "PyTorch" in seen[0]
    assert "open_clip" in seen[2]
    first = book.cells[0].outputs
    assert "".join(one.get("text", "") for one in first) == "before\nafter\n"
    assert [one["data"]["text/html"] for one in first if one.output_type == "display_data"] == [""]


def test_what_is_loaded_is_not_said(capfd):
    import torch  # noqa: F401

    with waking("torch"):
        pass
    assert capfd.readouterr() == ("", "")


def test_beside_the_main_thread_nothing_is_said(monkeypatch):
    said = []
    monkeypatch.setattr("toolkit.waking._say", lambda words: said.append(words) or (lambda: None))

    def run():
        with saying("something"):
            pass

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert said == []
    run()
    assert said == ["something"]


def test_the_built_in_explorer_loads_no_more_than_it_needs():
    """The seconds and the megabytes of a first explorer are those of the libraries behind it."""
    heavy = ["open_clip", "torchvision", "transformers", "timm", "torch._dynamo", "sympy", "matplotlib", "plotly"]
    heavy += ["pandas", "sklearn", "scipy", "pyarrow", "xarray"]
    code = (
        "import sys, toolkit as tk\n"
        "explorer = tk.Explorer(tk.load(), tk.scenes('val', n=120), engine=tk.Engine())\n"
        "explorer.part('doctor')\n"
        f"print(explorer.doctor.checkup.counts, [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.endswith("[]\n")
