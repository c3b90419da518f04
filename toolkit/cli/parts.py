"""`toolkit extract`, `info` and `report`: stores of parts, and what is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from toolkit.cli.group import Chosen, main, of_model
from toolkit.errors import InputError


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), required=True, help='Where to keep the parts, e.g. "x.zarr".')
@of_model
@click.option("--precision", default="float32", show_default=True, help='Of the store; "float16" halves it.')
@click.option("--layers", help='Keep the heads of these alone: "-4" for the last four, or "20,21"; default all.')
@click.option("--no-mlps", is_flag=True, help="Leave the embedding term and the MLPs out.")
@click.option("--pooled", is_flag=True, help="Keep what the model multiplies by its projection too.")
@click.option("--batch", type=click.IntRange(1), help="Images at a time; default 64, on a GPU what fits.")
@click.option("--split", default="test", show_default=True, help="What to call these images.")
@click.option("--overwrite", is_flag=True, help="Replace a store of something else.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON and nothing else.")
def extract(
    folder: Path, store: Path, chosen: Chosen, precision: str, layers: str | None, no_mlps: bool, pooled: bool,
    batch: int | None, split: str, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """The parts of every image below FOLDER (sub-folders are classes) into a store; run again, it resumes."""
    from toolkit.api.images.extract import extract as run
    from toolkit.data.folder import image_folder

    data = image_folder(folder, split)
    loaded = chosen.load()
    options: dict[str, Any] = {"precision": precision, "batch_size": batch, "overwrite": overwrite}
    options |= {"layers": _layers(layers), "mlps": not no_mlps, "pooled": pooled}
    acts = run(loaded, data, store, progress=not as_json, **options)
    if not as_json:
        click.echo(f"{loaded}\n{acts}")
        for row in acts.report.itertuples():
            click.echo(f"  {row.became}: {row.id} ({row.why})")
    click.echo(json.dumps(_facts(store), indent=1) if as_json else f"Store: {store.resolve()}")


def _layers(written: str | None) -> int | list[int] | None:
    """ "-4" or "20,21" as numbers."""
    if written is None:
        return None
    try:
        found = [int(word) for word in written.split(",")]
    except ValueError as error:
        accepted = '"-4" for the last four, or numbers with commas'
        raise InputError("extract", f"--layers {written}", accepted, "write them so") from error
    return found[0] if len(found) == 1 and found[0] < 0 else found


@main.command()
@click.argument("store", required=False, type=click.Path(path_type=Path))
@of_model
@click.option("--models", is_flag=True, help="Every model name of open_clip: supported as what, or refused and why.")
@click.option("--readers", is_flag=True, help="Every data set that can be read: its folders, splits and counts.")
@click.option("--check", is_flag=True, help="Read every file of the STORE: is each as it was written?")
@click.option("--upgrade", is_flag=True, help="Rewrite a STORE of an older format; killed, it resumes.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def info(
    store: Path | None, chosen: Chosen, models: bool, readers: bool, check: bool, upgrade: bool, as_json: bool
) -> None:
    """What a STORE holds; without one, the card of a model: layers, heads, grid, pooling, fingerprint."""
    if (check or upgrade) and store is None:
        option = "--check" if check else "--upgrade"
        raise InputError("info", f"{option} without a store", "a store", f"write toolkit info STORE {option}")
    lists = {"--models": models, "--readers": readers}
    asked = [option for option, given in lists.items() if given]
    if asked:
        if store or chosen.given or len(asked) > 1:
            given = f"{asked[0]} with {asked[1] if len(asked) > 1 else 'a store or a model'}"
            raise InputError("info", given, f"{asked[0]} alone", "leave the other out")
        _models(as_json) if models else _readers(as_json)
        return
    if store is not None and chosen.given:
        raise InputError("info", f"{store.name} with a model", "a store or a model", "leave one out")
    if store is not None and upgrade:
        _upgraded(store, quiet=as_json)
    if store is not None and check:
        _checked(store, quiet=as_json)
    facts = _facts(store) if store else chosen.load().card.to_dict()
    click.echo(
        json.dumps(facts, indent=1) if as_json else "\n".join(f"{name:12} {value}" for name, value in facts.items())
    )


def _upgraded(store: Path, quiet: bool) -> None:
    from toolkit.signs import sign
    from toolkit.store.upgrade import upgrade

    with sign("upgrade", "image", not quiet) as report:
        upgrade(store, report)


def _checked(store: Path, quiet: bool) -> None:
    """Raises StoreError for what is not as it was written."""
    from toolkit.store.check import check_store

    files, bytes_read = check_store(store)
    if not quiet:
        click.echo(f"{files:,} files ({bytes_read}) are as they were written.")


def _models(as_json: bool) -> None:
    """The table of `toolkit info --models`."""
    from toolkit.models.catalogue import catalogue, table

    found = catalogue()
    click.echo(json.dumps([row.to_dict() for row in found], indent=1) if as_json else table(found))


def _readers(as_json: bool) -> None:
    """The list of `toolkit info --readers`: what each accepts, its splits, and how many images there should be."""
    from toolkit.data.readers import readers

    found: list[dict[str, Any]] = [
        {
            "name": one.name,
            "layout": one.layout,
            "splits": list(one.splits),
            "documented": {split: dict(counts) for split, counts in one.documented.items()},
        }
        for one in readers().values()
    ]
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for row in found:
        click.echo(f"tk.{row['name']}: {row['layout']}")
        for split, counts in row["documented"].items():
            click.echo(f"  {split}: " + ", ".join(f"{name} {n:,}" for name, n in counts.items()))


def _facts(store: Path) -> dict[str, Any]:
    """What a store holds, as plain values."""
    from toolkit.api.images.extract import open_acts

    acts = open_acts(store)
    report = acts.report
    counts = acts.to_dataframe()["label"].value_counts()
    return {
        "store": store.name,
        "bytes": sum(p.stat().st_size for p in store.rglob("*") if p.is_file()),
        "images": len(acts),
        "left out": report["id"][report["became"] == "left out"].tolist(),
        "converted": report["id"][report["became"] == "converted"].tolist(),
        "labels": {str(k): int(v) for k, v in counts.items()},
        "split": acts.split,
        "kept": acts.kept.words,
        "rules out": acts.kept.rules_out or "nothing",
        "sum error": acts.error,
        **{k: v for k, v in acts.settings.items() if k != "card"},
        "model": acts.card.to_dict(),
    }


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--classes", "names", required=True, help='Class names with commas: "landbird,waterbird".')
@click.option("--templates", help="openai, plain, varied, a template or a file; default plain.")
@click.option("--heads", help='A head set, e.g. "L3.H7 L3.H5"; default located here.')
@click.option("--bank", "texts", help="A text bank for the heads' words, e.g. world, places.")
@click.option("--edit", "edited", type=click.Path(path_type=Path), help="An edit that edit.save wrote.")
@click.option("--data", type=click.Path(path_type=Path), help="The folder the store was made of, to show its images.")
@of_model
@click.option("--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True)
def report(
    store: Path, names: str, templates: str | None, heads: str | None, texts: str | None, edited: Path | None,
    data: Path | None, chosen: Chosen, out: Path,
) -> None:  # fmt: skip
    """One HTML file about a STORE: mistakes, heads and their words, ablation, edit, who paid; the numbers inside."""
    from toolkit.api.edit.load_edit import load_edit
    from toolkit.api.images.extract import open_acts
    from toolkit.api.words.textspan import textspan
    from toolkit.data.classes import classes
    from toolkit.data.folder import image_folder
    from toolkit.figures.report import report as write

    acts = open_acts(store).attach(chosen.load(), image_folder(data) if data else None)
    found = classes([name.strip() for name in names.split(",")], templates)
    spans = textspan(acts, texts, size=8) if texts else None
    made = load_edit(edited) if edited else None
    click.echo(f"Report: {write(out, acts, found, heads, spans=spans, edit=made).resolve()}")
