"""The console command `toolkit`; its commands register themselves when their modules are imported."""

from __future__ import annotations

from toolkit.cli import app, doctor, measure, papers, parts, tour
from toolkit.cli.group import main

__all__ = ["app", "doctor", "main", "measure", "papers", "parts", "tour"]
