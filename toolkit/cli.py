"""The console command `toolkit`."""

from __future__ import annotations

import importlib.util
import inspect
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from toolkit import __version__
from toolkit.errors import InputError, MissingWeightsError, ToolkitError

ROOT = Path(__file__).resolve().parents[1]


class Group(click.Group):
    """Shows the toolkit's own errors as one clear message instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ToolkitError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="clip-head-toolkit")
def main() -> None:
    """From a CLIP mistake to the attention heads that cause it."""


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
@click.option("--model", help='open_clip name or a folder, e.g. "ViT-B-32"; default the built-in model.')
@click.option("--pretrained", help="open_clip tag of the weights.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Local .pt or .safetensors weights.")
@click.option("--text", default="water", show_default=True, help="Look for heads that write this …")
@click.option("--against", default="land", show_default=True, help="… rather than this.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--no-lab", is_flag=True, help="Do not open JupyterLab afterwards.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON and nothing else.")
def demo(
    out: Path, images: int, image: Path | None, model: str | None, pretrained: str | None, checkpoint: Path | None,
    text: str, against: str, device: str, no_lab: bool, as_json: bool,
) -> None:  # fmt: skip
    """A tour: groups, the exact sum, layers, heads; as a page, then in JupyterLab."""
    start = time.perf_counter()
    if not as_json:
        click.echo("Loading …", err=True)
    from toolkit.api.load import load

    if image is None and (text, against) != ("water", "land"):
        given = "--text or --against without --image"
        raise InputError("demo", given, "a photograph with them", "name one with --image")
    if image is None and model is not None:
        raise InputError(
            "demo",
            f"--model {model} without --image",
            "--image with --model, or neither",
            "name a photograph with --image",
        )
    loaded = load(model, pretrained, checkpoint=checkpoint, device=device)
    result, path = _glance(loaded, image, text, against, out) if image else _tour(loaded, images, out)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=1))
        return
    click.echo(f"\nPage: {path.resolve()}\n{time.perf_counter() - start:.0f} s in all.")
    if not no_lab and sys.stdin.isatty():
        _lab(ROOT / "notebooks" / "01_first_look.ipynb")


def _tour(model: Any, images: int, out: Path) -> tuple[Any, Path]:
    from toolkit.api.tour import tour
    from toolkit.figures.demo import HONEST, write_tour

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
    from PIL import Image, ImageOps, UnidentifiedImageError

    from toolkit.api.tour import glance
    from toolkit.figures.demo import write_glance

    if not image.is_file():
        raise MissingWeightsError("demo", f"--image {image}, which is not a file", "a photograph", "check the path")
    try:
        opened = ImageOps.exif_transpose(Image.open(image)).convert("RGB")  # photographs lie as their camera did
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
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
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), required=True, help='Where to keep the parts, e.g. "x.zarr".')
@click.option("--model", help="open_clip name or a folder; default the built-in model.")
@click.option("--pretrained", help="open_clip tag of the weights.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Local .pt or .safetensors weights.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--precision", default="float32", show_default=True, help='Of the store; "float16" halves it.')
@click.option("--batch", type=click.IntRange(1), help="Images at a time; default 64, on a GPU what fits.")
@click.option("--split", default="test", show_default=True, help="What to call these images.")
@click.option("--overwrite", is_flag=True, help="Replace a store of something else.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON and nothing else.")
def extract(
    folder: Path, store: Path, model: str | None, pretrained: str | None, checkpoint: Path | None, device: str,
    precision: str, batch: int | None, split: str, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """The parts of every image below FOLDER (sub-folders are classes) into a store; run again, it resumes."""
    from toolkit.api.extract import extract as run
    from toolkit.api.load import load
    from toolkit.data.folder import image_folder

    data = image_folder(folder, split)
    loaded = load(model, pretrained, checkpoint=checkpoint, device=device)
    options: dict[str, Any] = {"precision": precision, "batch_size": batch, "overwrite": overwrite}
    acts = run(loaded, data, store, progress=not as_json, **options)
    if not as_json:
        click.echo(f"{loaded}\n{acts}")
        for row in acts.report.itertuples():
            click.echo(f"  {row.became}: {row.id} ({row.why})")
    click.echo(json.dumps(_facts(store), indent=1) if as_json else f"Store: {store.resolve()}")


@main.command()
@click.argument("store", required=False, type=click.Path(path_type=Path))
@click.option("--model", help="open_clip name or a folder; default the built-in model.")
@click.option("--pretrained", help="open_clip tag of the weights.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Local .pt or .safetensors weights.")
@click.option("--models", is_flag=True, help="Every model name of open_clip: supported as what, or refused and why.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def info(
    store: Path | None, model: str | None, pretrained: str | None, checkpoint: Path | None, models: bool, as_json: bool
) -> None:
    """What a STORE holds; without one, the card of a model: layers, heads, grid, pooling, fingerprint."""
    from toolkit.api.load import load

    if models:
        if store or model or pretrained or checkpoint:
            raise InputError("info", "--models with a store or a model", "--models alone", "leave the other out")
        _models(as_json)
        return
    if store is not None and (model or pretrained or checkpoint):
        raise InputError("info", f"{store.name} with a model", "a store or a model", "leave one out")
    facts = _facts(store) if store else load(model, pretrained, checkpoint=checkpoint).card.to_dict()
    click.echo(
        json.dumps(facts, indent=1) if as_json else "\n".join(f"{name:12} {value}" for name, value in facts.items())
    )


def _models(as_json: bool) -> None:
    """The table of `toolkit info --models`."""
    from toolkit.models.catalogue import catalogue, table

    found = catalogue()
    click.echo(json.dumps([row.to_dict() for row in found], indent=1) if as_json else table(found))


def _facts(store: Path) -> dict[str, Any]:
    """What a store holds, as plain values."""
    from toolkit.api.extract import open_acts

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
@click.option("--model", help="open_clip name or a folder; default the built-in model.")
@click.option("--pretrained", help="open_clip tag of the weights.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Local .pt or .safetensors weights.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True)
def report(
    store: Path, names: str, templates: str | None, heads: str | None, texts: str | None, edited: Path | None,
    data: Path | None, model: str | None, pretrained: str | None, checkpoint: Path | None, device: str, out: Path,
) -> None:  # fmt: skip
    """One HTML file about a STORE: mistakes, heads and their words, ablation, edit, who paid; the numbers inside."""
    from toolkit.api.edit_file import load_edit
    from toolkit.api.extract import open_acts
    from toolkit.api.load import load
    from toolkit.api.textspan import textspan
    from toolkit.data.classes import classes
    from toolkit.data.folder import image_folder
    from toolkit.figures.report import report as write

    acts = open_acts(store).attach(
        load(model, pretrained, checkpoint=checkpoint, device=device), image_folder(data) if data else None
    )
    found = classes([name.strip() for name in names.split(",")], templates)
    spans = textspan(acts, texts, size=8) if texts else None
    made = load_edit(edited) if edited else None
    click.echo(f"Report: {write(out, acts, found, heads, spans=spans, edit=made).resolve()}")


@main.group()
def reproduce() -> None:
    """A paper's table, measured again on this machine."""


@reproduce.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of Waterbirds.")
@click.option("--imagenet-r", type=click.Path(path_type=Path), help="Folder of ImageNet-R, for the edit's rows.")
@click.option("--model", help="open_clip name or a folder; default the built-in model.")
@click.option("--pretrained", help="open_clip tag of the weights.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Local .pt or .safetensors weights.")
@click.option("--device", default="cpu", show_default=True)
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
    data: Path, imagenet_r: Path | None, model: str | None, pretrained: str | None, checkpoint: Path | None,
    device: str, weights_as: str, store: Path | None, sizes: str, seeds: int, edit_seeds: int, pool: str,
    templates: str, alpha: float, beta: float, steps: int, published_as: str | None, overwrite: bool,
    out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """R25 on Binary Waterbirds: base, TextSpan heads, located ablation over draws, validation variant, edit."""
    from toolkit.api.load import load
    from toolkit.api.reproduce import reproduce_waterbirds
    from toolkit.store.whole import whole_file

    counts = [word.strip() for word in sizes.split(",")]
    if not all(word.isdecimal() for word in counts):
        raise InputError("reproduce", f"--sizes {sizes!r}", "whole numbers with commas", "write --sizes 10,20,30")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    loaded = load(model, pretrained, checkpoint=checkpoint, device=device, precision=weights_as)
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


@main.command()
@click.argument("name")
@click.option("--seed", type=click.IntRange(0), help="Test seed, for benchmarks that take one.")
@click.option(
    "--weights", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Folder of another trained model."
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON and nothing else.")
def bench(name: str, seed: int | None, weights: Path | None, as_json: bool) -> None:
    """Run a benchmark of the repository: `ablate`, `decompose`, `edit`, `edited`, `engine`, `located`, `maps`,
    `organism`, `slider` or `textspan`.
    """
    folder = ROOT / "benchmarks"
    known = sorted(p.stem for p in folder.glob("*.py") if "def report(" in p.read_text(encoding="utf-8"))
    if name not in known:
        raise InputError(
            "bench",
            repr(name),
            ", ".join(known) or "benchmarks of a checkout of the repository",
            "name one of these, in a checkout",
        )
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = {k: v for k, v in (("seed", seed), ("weights", weights)) if v is not None}
    for option in given:
        if option not in inspect.signature(module.run).parameters:
            raise InputError("bench", f"--{option} with {name}", f"{name} without it", f"leave --{option} out")
    result = module.run(**given)
    click.echo(json.dumps(result, indent=1) if as_json else module.report(result))


@main.command()
def lab() -> None:
    """JupyterLab on the notebooks."""
    _lab(ROOT / "notebooks" / "01_first_look.ipynb")


if __name__ == "__main__":
    main()
