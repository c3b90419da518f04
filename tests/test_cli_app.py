"""`toolkit app` short of serving: the notebook it makes of its options, what it refuses, what its pages may name."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from PIL import Image

import toolkit as tk
from toolkit.cli import main, served

TEMPLATE = served.TEMPLATES / "voila" / "templates" / "toolkit"


@pytest.fixture
def app(monkeypatch):
    """Runs the command with a server that only notes what it is given; the output, or what was noted."""

    def serve(notebook, private, port, announce, *, ours):
        assert private.stat().st_mode & 0o077 == 0
        seen.append(
            {"book": nbformat.read(notebook, 4), "path": notebook, "private": private, "port": port, "ours": ours}
        )

    seen = []
    monkeypatch.setattr(served, "serve", serve)

    def run(*arguments, ok=True):
        result = CliRunner().invoke(main, ["app", "--no-browser", *map(str, arguments)])
        assert (result.exit_code == 0) is ok, result.output
        return seen[-1] if ok else result.output

    return run


@pytest.fixture
def photos(tmp_path):
    for name in ("cats/a", "cats/b", "cats/c", "dogs/d", "dogs/e", "dogs/f"):
        path = tmp_path / "it's photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "red").save(path)
    return tmp_path / "it's photos"


def source(noted) -> str:
    (cell,) = noted["book"].cells
    compile(cell.source, "cell", "exec")
    return cell.source


def test_the_built_in_model_and_scenes_unless_told_otherwise(app):
    noted = app()
    assert source(noted).splitlines() == [
        "import toolkit as tk",
        "",
        "model = tk.load()",
        'data = tk.scenes("val", n=1200)  # half are birds; the rest shows what an edit costs elsewhere',
        'tk.Explorer(model, data, ["landbird", "waterbird"])',
    ]
    nbformat.validate(noted["book"])
    assert noted["ours"]
    assert 0 < noted["port"] < 65536
    assert "not evidence for any method" in noted["book"].metadata.toolkit.about
    assert not noted["private"].exists()
    assert "n=60" in source(app("--images", 60))


def test_a_folder_of_images_spread_over_its_classes(app, photos):
    noted = app("--data", photos, "--images", 4)
    given = {}
    exec(source(noted).replace("tk.Explorer", "(lambda *given: given)").replace("tk.load()", "None"), given)
    assert list(given["data"].ids) == ["cats/a.png", "cats/b.png", "dogs/d.png", "dogs/e.png"]
    assert noted["book"].metadata.toolkit.about == "The built-in model, 4 images of it's photos."
    for many in ((), ("--images", 6), ("--images", 600)):
        assert "take" not in source(app("--data", photos, *many))


def test_the_chosen_model_by_paths_that_hold_in_another_folder(app, photos, tmp_path, monkeypatch):
    (tmp_path / "w.pt").touch()
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    named = source(
        app("--data", photos, "--model", "ViT-L-14", "--pretrained", "laion2b_s32b_b82k", "--device", "cuda")
    )
    assert "tk.load('ViT-L-14', pretrained='laion2b_s32b_b82k', device='cuda')" in named
    local = source(app("--data", photos, "--model", "model", "--checkpoint", "w.pt", "--view", "trunk"))
    assert f"tk.load({str(tmp_path / 'model')!r}, checkpoint={str(tmp_path / 'w.pt')!r}).view('trunk')" in local
    alone = source(app("--data", photos, "--pretrained", "w.pt"))
    assert f"tk.load(pretrained={str(tmp_path / 'w.pt')!r})" in alone


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "mine.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]), path)
    return path


def test_a_notebook_of_the_users_own_stays_where_and_what_it_is(app, notebook):
    before = notebook.read_bytes()
    noted = app("--notebook", notebook, "--port", 0)
    assert noted["path"] == notebook.resolve()
    assert not noted["ours"]
    assert notebook.read_bytes() == before


def test_what_is_refused_is_refused_in_words(app, notebook, tmp_path):
    (tmp_path / "broken.ipynb").write_text("{}")
    (tmp_path / "old.ipynb").write_text(json.dumps({"nbformat": 3, "worksheets": []}))
    (tmp_path / "text.md").write_text("# hello")
    cases = {
        ("--data", tmp_path / "none"): "which is not a folder",
        ("--data", notebook): "which is not a folder",
        ("--data", tmp_path): "in which no file is an image",
        ("--model", "ViT-B-32"): "a model without --data",
        ("--notebook", tmp_path / "none.ipynb"): "which is not a file",
        ("--notebook", tmp_path / "text.md"): "which does not end in .ipynb",
        ("--notebook", tmp_path / "broken.ipynb"): "which holds no notebook",
        ("--notebook", tmp_path / "old.ipynb"): "which holds no notebook",
        ("--notebook", notebook, "--data", tmp_path, "--images", 5): "--notebook with --data and --images",
        ("--notebook", notebook, "--model", "ViT-B-32"): "--notebook with a model",
    }
    for arguments, words in cases.items():
        said = app(*arguments, ok=False)
        assert said.startswith("Error: ")
        assert all(part in said for part in (words, "Accepted: ", "To fix: ")), said


def test_a_taken_port_is_refused_and_not_replaced_by_another(app):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"--port {port}, which is taken" in app("--port", port, ok=False)
    assert app("--port", port)["port"] == port


def test_without_voila_the_extra_is_named(app, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "voila" else find(name, *rest))
    assert "pip install 'clip-head-toolkit[lab]'" in app(ok=False)


def test_a_signal_while_it_starts_leaves_no_folder_and_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), served.private_folder() as folder:
        signal.raise_signal(signal.SIGTERM)
    assert not folder.exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_command_loads_neither_torch_nor_voila_before_it_must():
    code = "import toolkit.cli, sys; print([m for m in ('torch', 'voila', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_page_names_another_host():
    files = [path for path in TEMPLATE.rglob("*") if path.is_file()]
    assert {"index.html.j2", "page.html", "error.html", "404.html", "login.html", "app.css", "app.js"} <= {
        path.name for path in files
    }
    for path in files:
        assert not re.search(r"https?:|//[a-z]+\.|@import", path.read_text(encoding="utf-8")), path.name
    assert Path(tk.__file__).parent in TEMPLATE.parents
