"""`toolkit bench`."""

from __future__ import annotations

import importlib.util
import inspect
import json
from pathlib import Path

import click

from toolkit.cli.group import ROOT, main
from toolkit.errors import InputError
from toolkit.waking import saying


@main.command()
@click.argument("name")
@click.option("--seed", type=click.IntRange(0), help="Test seed, for benchmarks that take one.")
@click.option(
    "--weights", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Folder of another trained model."
)
@click.option(
    "--journey", type=click.Choice(["alpha", "images", "spans"]), help="Of `path`: one journey alone, call by call."
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON and nothing else.")
def bench(name: str, seed: int | None, weights: Path | None, journey: str | None, as_json: bool) -> None:
    """Run a benchmark of the repository: `ablate`, `decompose`, `dials`, `edit`, `edited`, `engine`, `explorer`,
    `located`, `maps`, `memory`, `organism`, `path`, `rivals`, `scale`, `slider` or `textspan`.
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
    options = {"seed": seed, "weights": weights, "journey": journey}
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in inspect.signature(module.run).parameters:
            raise InputError("bench", f"--{option} with {name}", f"{name} without it", f"leave --{option} out")
    with saying(f"Measuring {name}: some minutes; Ctrl-C ends it …"):
        result = module.run(**given)
    click.echo(json.dumps(result, indent=1) if as_json else module.report(result))
