"""`toolkit demo` and `toolkit lab`."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from toolkit.cli.group import ROOT, Chosen, main, of_model
from toolkit.errors import InputError, MissingWeightsError


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-output"),
    show_default=True,
    help="Folder for pictures and page.",
)
@click.option("--images", type=click.IntRange(40), default=2400, show_default=True, help="Test scenes to look at.")
@click.option(
    "--image",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A photograph of yours instead of the built-in world.",
)
@click.option("--text", default="water", show_default=True, help="Look for heads that write this …")
@click.option("--against", default="land", show_default=True, help="… rather than this.")
@of_model
@click.option("--no-lab", is_flag=True, help="Do not open JupyterLab afterwards.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON and nothing else.")
def demo(
    out: Path, images: int, image: Path | None, chosen: Chosen, text: str, against: str, no_lab: bool, as_json: bool,
) -> None:  # fmt: skip
    """A tour: groups, the exact sum, layers, heads; as a page, then in JupyterLab."""
    start = time.perf_counter()
    if not as_json:
        click.echo("Loading …", err=True)
    if image is None and (text, against) != ("water", "land"):
        given = "--text or --against without --image"
        raise InputError("demo", given, "a photograph with them", "name one with --image")
    if image is None and chosen.model is not None:
        raise InputError(
            "demo",
            f"--model {chosen.model} without --image",
            "--image with --model, or neither",
            "name a photograph with --image",
        )
    loaded = chosen.load()
    result, path = _glance(loaded, image, text, against, out) if image else _tour(loaded, images, out)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=1))
        return
    click.echo(f"\nPage: {path.resolve()}\n{time.perf_counter() - start:.0f} s in all.")
    if not no_lab and sys.stdin.isatty():
        _lab(ROOT / "notebooks" / "01_first_look.ipynb")


def _tour(model: Any, images: int, out: Path) -> tuple[Any, Path]:
    from toolkit.figures.demo import HONEST, write_tour
    from toolkit.labs.tour import tour

    result = tour(model, images)
    click.echo(f"{model}\n{result.data}\n\n{result.birds}\n", err=True)
    click.echo(f"parts sum to the embedding: largest relative difference {result.error:.1e}", err=True)
    for name, curve in result.curves.items():
        click.echo(f"mean-ablation, {name} (n = {curve.n}), layer by layer:", err=True)
        for what, values in (("attention", curve.attention), ("embedding term and MLPs", curve.mlps)):
            click.echo(f"  {what:24} " + " ".join(f"{100 * a:5.1f}" for a in values) + " %", err=True)
    click.echo(f"\n{HONEST}", err=True)
    return result, write_tour(result, out)


def _glance(model: Any, image: Path, text: str, against: str, out: Path) -> tuple[Any, Path]:
    from toolkit.data.decoder import shown
    from toolkit.figures.demo import write_glance
    from toolkit.labs.tour import glance

    if not image.is_file():
        raise MissingWeightsError("demo", f"--image {image}, which is not a file", "a photograph", "check the path")
    try:
        opened, _ = shown(image)  # photographs lie as their camera did
    except Exception as error:  # decoders raise whatever they like
        raise InputError(
            "demo",
            f"--image {image.name}, which is not an image Pillow can read ({error})",
            "JPEG, PNG, WebP …",
            "pass a photograph",
        ) from error
    result = glance(model, opened, text, against)
    click.echo(f"{model}\nparts sum to the embedding: relative difference {result.error:.1e}", err=True)
    return result, write_glance(result, out)


def _lab(notebook: Path) -> None:
    """JupyterLab on a notebook, until the user ends it."""
    if not notebook.exists():
        raise InputError(
            "demo",
            f"no notebook at {notebook}",
            "a checkout of the repository",
            "run the demo from a checkout, or pass --no-lab",
        )
    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError(
            "demo",
            "an environment without JupyterLab",
            'the extra "lab"',
            "pip install 'clip-head-toolkit[lab]', or pass --no-lab",
        )
    click.echo("Opening JupyterLab; end it with Ctrl-C.")
    subprocess.run([sys.executable, "-m", "jupyter", "lab", str(notebook)], check=False)


@main.command()
def lab() -> None:
    """JupyterLab on the notebooks."""
    _lab(ROOT / "notebooks" / "01_first_look.ipynb")
