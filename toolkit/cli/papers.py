"""`toolkit reproduce`: a paper's table, measured again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from toolkit.cli.group import Chosen, main, of_model
from toolkit.errors import InputError


@main.group()
def reproduce() -> None:
    """A paper's table, measured again on this machine."""


@reproduce.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of Waterbirds.")
@click.option("--imagenet-r", type=click.Path(path_type=Path), help="Folder of ImageNet-R, for the edit's rows.")
@of_model
@click.option("--weights-as", default="fp32", show_default=True, help="fp32, bf16, fp16 or fp64.")
@click.option("--store", type=click.Path(path_type=Path, file_okay=False), help="Folder to keep the parts in.")
@click.option("--sizes", default="10,20,30", show_default=True, help="Images a class that heads are located on.")
@click.option("--seeds", type=click.IntRange(1), default=4, show_default=True, help="Draws of each size.")
@click.option("--edit-seeds", type=click.IntRange(1), default=3, show_default=True, help="Draws for the edit.")
@click.option("--pool", type=click.Choice(["train", "val"]), default="train", show_default=True, help="Drawn from.")
@click.option("--templates", default="openai", show_default=True, help="openai, plain, varied, a template or a file.")
@click.option("--alpha", default=10.0, show_default=True, help="Weight of the edit's success.")
@click.option("--beta", default=10.0, show_default=True, help="Weight of the edit's locality.")
@click.option("--steps", default=100, show_default=True, help="Of the edit.")
@click.option("--published-as", help="ViT-B-16, ViT-L-14 or ViT-H-14: these are its laion2b weights, from a file.")
@click.option("--overwrite", is_flag=True, help="Replace stores of something else.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the result as JSON here too.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def waterbirds(
    data: Path, imagenet_r: Path | None, chosen: Chosen, weights_as: str, store: Path | None, sizes: str, seeds: int,
    edit_seeds: int, pool: str, templates: str, alpha: float, beta: float, steps: int, published_as: str | None,
    overwrite: bool, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """R25 on Binary Waterbirds: base, TextSpan heads, located ablation over draws, validation variant, edit."""
    from toolkit.api.protocol.reproduce import reproduce_waterbirds
    from toolkit.store.whole import whole_file

    counts = [word.strip() for word in sizes.split(",")]
    if not all(word.isdecimal() for word in counts):
        raise InputError("reproduce", f"--sizes {sizes!r}", "whole numbers with commas", "write --sizes 10,20,30")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    loaded = chosen.load(precision=weights_as)
    found = reproduce_waterbirds(
        loaded, data, imagenet_r, store=store, sizes=[int(word) for word in counts], seeds=seeds, pool=pool,
        edit_seeds=edit_seeds, templates=templates, alpha=alpha, beta=beta, steps=steps, published_as=published_as,
        overwrite=overwrite, progress=not as_json, say=lambda words: click.echo(words, err=True),
    )  # fmt: skip
    text = json.dumps(found.to_dict(), indent=1)
    if out is not None:
        with whole_file(out) as part:
            part.write_text(text + "\n", encoding="utf-8")
    click.echo(text if as_json else str(found))
