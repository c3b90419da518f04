"""The console command `toolkit` itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from toolkit import __version__
from toolkit.errors import ToolkitError

ROOT = Path(__file__).resolve().parents[2]
"""The checkout, where there is one."""


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
