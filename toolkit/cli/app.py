"""`toolkit app`: the explorer as a web page."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import threading
import webbrowser
from pathlib import Path
from typing import Any

import click

from toolkit.cli.group import Chosen, main, of_model
from toolkit.errors import InputError

SCENES = 1200
HONEST = "The built-in world demonstrates the tool; it is not evidence for any method."


@main.command()
@of_model
@click.option("--data", type=click.Path(path_type=Path), help="A folder of images instead of the built-in scenes.")
@click.option("--images", type=click.IntRange(1), help=f"How many; default {SCENES:,} scenes, or all of the folder.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="To serve on; default 0, any free one.")
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@click.option("--notebook", type=click.Path(path_type=Path), help="Serve a notebook of yours; it is not changed.")
def app(
    chosen: Chosen, data: Path | None, images: int | None, port: int, no_browser: bool, notebook: Path | None,
) -> None:  # fmt: skip
    """The explorer as a page in the browser: on this machine alone, for whoever has the address with its token."""
    _installed()
    if notebook:
        _alone(chosen, data, images)
        _readable(notebook)
    else:
        _together(chosen, data)
        made = explorer(chosen, data, images)
    port = _free(port)
    os.environ.setdefault("TOOLKIT_REPORTS", str(Path.cwd()))  # the kernel works in a folder that goes with it
    from toolkit.cli.served import private_folder, serve

    with private_folder() as private:
        if notebook:
            serve(notebook.resolve(), private, port, _announce(no_browser), ours=False)
        else:
            own = private / "explorer" / "Explorer.ipynb"
            own.parent.mkdir()
            own.write_text(json.dumps(made), encoding="utf-8")
            serve(own, private, port, _announce(no_browser), ours=True)


def explorer(chosen: Chosen, data: Path | None, images: int | None) -> dict[str, Any]:
    """A notebook of one cell that makes the explorer, as nbformat's plain values.

    Raises InputError for a folder that holds no images.
    """
    lines = ["import toolkit as tk", "", f"model = {_model(chosen)}"]
    if data is None:
        n = images or SCENES
        lines.append(f'data = tk.scenes("val", n={n})  # half are birds; the rest shows what an edit costs elsewhere')
        made, shown = 'tk.Explorer(model, data, ["landbird", "waterbird"])', f"{n:,} scenes of the built-in world"
    else:
        from toolkit.data.folder import image_folder
        from toolkit.data.paths import folder_given

        root = folder_given("app", data)
        there = len(image_folder(root))
        n = min(images or there, there)
        lines.append(f"data = tk.image_folder({str(root)!r})")
        if n < there:
            lines.append(f"data = data.take([i * {there} // {n} for i in range({n})])  # spread over all folders")
        made, shown = "tk.Explorer(model, data)", f"{n:,} images of {root.name}"
    named = str(chosen.model or chosen.checkpoint or chosen.pretrained or "The built-in model")
    about = f"{named}, {shown}." + (f" {HONEST}" if data is None else "")
    return notebook_of("\n".join([*lines, made]), "CLIP head explorer", about)


def notebook_of(source: str, title: str, about: str) -> dict[str, Any]:
    """A notebook of one code cell, for the toolkit's own kernel."""
    cell: dict[str, Any] = {"cell_type": "code", "id": "made", "metadata": {}, "source": source}
    cell |= {"execution_count": None, "outputs": []}
    kernel = {"name": "clip-head-toolkit", "display_name": "clip-head-toolkit", "language": "python"}
    metadata = {"kernelspec": kernel, "title": title, "toolkit": {"about": about}}
    return {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _model(chosen: Chosen) -> str:
    """The source that loads what options name."""
    given = [repr(_absolute(chosen.model))] if chosen.model else []
    if chosen.pretrained:
        given.append(f"pretrained={_absolute(chosen.pretrained)!r}")
    if chosen.checkpoint:
        given.append(f"checkpoint={str(chosen.checkpoint.expanduser().absolute())!r}")
    if chosen.device != "cpu":
        given.append(f"device={chosen.device!r}")
    return f"tk.load({', '.join(given)})" + ("" if chosen.view == "pool" else f".view({chosen.view!r})")


def _absolute(name: str) -> str:
    """A name, or the whole path of a file or folder: the kernel works in a folder of its own."""
    path = Path(name).expanduser()
    return str(path.absolute()) if path.exists() else name


def _announce(no_browser: bool) -> Any:
    """Tells the user the address, and opens it unless told not to."""

    def announce(address: str) -> None:
        click.echo(f"{address}\nEnd it with Ctrl-C.")
        if not no_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    return announce


def _installed() -> None:
    if importlib.util.find_spec("voila") is None:
        fix = "pip install 'clip-head-toolkit[lab]'"
        raise InputError("app", "an environment without Voilà", 'the extra "lab"', fix)


def _together(chosen: Chosen, data: Path | None) -> None:
    if chosen.given and data is None:
        given = "a model without --data"
        raise InputError("app", given, "--data with a model, or neither", "name a folder of images with --data")


def _alone(chosen: Chosen, data: Path | None, images: int | None) -> None:
    others = [name for name, value in (("--data", data), ("--images", images)) if value is not None]
    others += ["a model"] if chosen.given else []
    if others:
        given = f"--notebook with {' and '.join(others)}"
        raise InputError("app", given, "--notebook alone: it names its own model and data", "leave the others out")


def _readable(notebook: Path) -> None:
    """Raises InputError for what is no notebook."""
    given = f"--notebook {notebook}"
    accepted = "a Jupyter notebook, format 4"
    if not notebook.is_file() or notebook.suffix != ".ipynb":
        which = "which is not a file" if not notebook.is_file() else "which does not end in .ipynb"
        raise InputError("app", f"{given}, {which}", accepted, "check the path")
    try:
        book = json.loads(notebook.read_text(encoding="utf-8"))
        good = book["nbformat"] == 4 and isinstance(book["cells"], list)
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise InputError("app", f"{given}, which holds no notebook", accepted, "open and save it in Jupyter")


def _free(port: int) -> int:
    """The port, if it may be listened on; a free one for 0."""
    with socket.socket() as probe:
        if os.name != "nt":  # as the server will: one that has just ended is no obstacle
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError as error:
            why = "which may not be used" if isinstance(error, PermissionError) else "which is taken"
            raise InputError(
                "app", f"--port {port}, {why}", "a free port", "name another, or leave --port out"
            ) from error
        return int(probe.getsockname()[1])
