"""The console command `toolkit` itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click

from toolkit.errors import ToolkitError
from toolkit.version import __version__

ROOT = Path(__file__).resolve().parents[2]
"""The checkout, where there is one."""


class Commands(click.Group):
    """Shows the toolkit's own errors as one clear message instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ToolkitError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="clip-head-toolkit")
def main() -> None:
    """From a CLIP mistake to the attention heads that cause it."""


class Chosen(NamedTuple):
    """The model that options name."""

    model: str | None
    pretrained: str | None
    checkpoint: Path | None
    device: str
    view: str

    @property
    def given(self) -> bool:
        """Whether any was named."""
        return bool(self.model or self.pretrained or self.checkpoint)

    def load(self, **options: Any) -> Any:
        """The model, ready."""
        from toolkit.api.images.load import load

        found = load(self.model, self.pretrained, checkpoint=self.checkpoint, device=self.device, **options)
        return found if self.view == "pool" else found.view(self.view)


def of_model(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that name a model; the command gets them as one argument, `chosen`."""

    @wraps(command)
    def run(
        model: str | None, pretrained: str | None, checkpoint: Path | None, device: str, view: str, **others: Any
    ) -> Any:
        return command(chosen=Chosen(model, pretrained, checkpoint, device, view), **others)

    options = (
        click.option("--model", help='open_clip name or a folder, e.g. "ViT-B-32"; default the built-in model.'),
        click.option("--pretrained", help="open_clip tag of the weights."),
        click.option("--checkpoint", type=click.Path(path_type=Path), help="Local .pt or .safetensors weights."),
        click.option("--device", default="cpu", show_default=True),
        click.option("--view", type=click.Choice(["pool", "trunk"]), default="pool", show_default=True,
                     help="Of an attention pool (SigLIP, PE): its heads, or those of the trunk behind it."),
    )  # fmt: skip
    found: Callable[..., Any] = run
    for option in reversed(options):
        found = option(found)
    return found
