"""The panels of an explorer, a line each; the order of the lines is the order of the tabs.

Each class says itself where it stands (`place`) and how it is made there (`in_explorer`).
"""
# ruff: noqa: F401, I001

from __future__ import annotations

from toolkit.panels.base.panel import Panel
from toolkit.panels.gallery.panel import Gallery
from toolkit.panels.head_grid.panel import HeadGrid
from toolkit.panels.keywords.panel import Keywords
from toolkit.panels.span_explorer.panel import SpanExplorer
from toolkit.panels.token_map.panel import TokenMap
from toolkit.panels.ablation_lab.panel import AblationLab
from toolkit.panels.edit_lab.panel import EditLab
from toolkit.panels.compare_lab.panel import CompareLab
from toolkit.panels.two_models.panel import TwoModels
from toolkit.panels.doctor.panel import Doctor

IMPORTED = [value for value in list(globals().values()) if isinstance(value, type) and value is not Panel]
PANELS: tuple[type[Panel], ...] = tuple(value for value in IMPORTED if issubclass(value, Panel))
