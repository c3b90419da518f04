"""`toolkit doctor`: what a careful person checks before believing a number."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from toolkit.cli.group import Chosen, main, of_model


@main.command()
@of_model
@click.option(
    "--data",
    "places",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A folder of images (sub-folders are classes), a table, or a store of parts; once for every split.",
)
@click.option("--classes", "names", help='Class names with commas: "landbird,waterbird"; default the labels.')
@click.option("--templates", help="openai, plain, varied, a template or a file; default plain.")
@click.option("--weights", help='What the weights are, to be held against: "ViT-B-32:openai", a file or a folder.')
@click.option("-n", "images", type=click.IntRange(1), default=200, show_default=True, help="Images of every split.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON and nothing else.")
def doctor(
    chosen: Chosen, places: tuple[Path, ...], names: str | None, templates: str | None, weights: str | None,
    images: int, as_json: bool,
) -> None:  # fmt: skip
    """Is the model whole, is the data what it seems, is there enough of it? Exit status 3: warnings, 4: wrong."""
    from toolkit.api.doctor.doctor import doctor as look
    from toolkit.data.classes import classes

    model = chosen.load()
    data = [_read(place, model) for place in places]
    labels = sorted({str(label) for one in data for label in one.labels} - {""})
    asked = [name.strip() for name in names.split(",")] if names else labels
    found = look(
        model, data, classes(asked, templates) if asked else None, checkpoint=weights, n=images, progress=not as_json
    )  # fmt: skip
    click.echo(found.to_json() if as_json else str(found))
    sys.exit(found.exit_code)


def _read(place: Path, model: Any) -> Any:
    """A folder of images or a table as samples of a split of its name; a store as parts with the model."""
    from toolkit.api.images.extract import open_acts
    from toolkit.data.folder import image_folder
    from toolkit.data.table import table

    if (place / "zarr.json").is_file():
        return open_acts(place).attach(model)
    return image_folder(place, place.name) if place.is_dir() else table(place)
