"""Learning with the toolkit: predict, then reveal; exercises graded against planted truth; things to break on purpose.

>>> import toolkit as tk
>>> tk.teach.exercise("exact sum").minutes
5
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_WHERE = {
    "predict": ("toolkit.panels.predict.panel", "Predict"),
    "Predict": ("toolkit.panels.predict.panel", "Predict"),
    "Workbook": ("toolkit.explanations.workbook", "Workbook"),
    "workbook": ("toolkit.explanations.workbook", "workbook"),
    "note": ("toolkit.explanations.workbook", "note"),
    "Exercise": ("toolkit.teach.tasks", "Exercise"),
    "exercise": ("toolkit.teach.tasks", "exercise"),
    "exercises": ("toolkit.teach.tasks", "exercises"),
    "Grade": ("toolkit.teach.grade", "Grade"),
    "Reason": ("toolkit.teach.grade", "Reason"),
    "Broken": ("toolkit.teach.broken", "Broken"),
    "narrow_bank": ("toolkit.teach.breaks", "narrow_bank"),
    "few_images": ("toolkit.teach.breaks", "few_images"),
    "zero_beta": ("toolkit.teach.breaks", "zero_beta"),
    "random_heads": ("toolkit.teach.breaks", "random_heads"),
    "rescaled_maps": ("toolkit.teach.breaks", "rescaled_maps"),
    "waterbirds_folder": ("toolkit.teach.folders", "waterbirds_folder"),
    "celeba_folder": ("toolkit.teach.folders", "celeba_folder"),
    "imagenet_r_folder": ("toolkit.teach.folders", "imagenet_r_folder"),
    "collect": ("toolkit.teach.collected", "collect"),
}
__all__ = sorted(_WHERE)

if TYPE_CHECKING:
    from toolkit.explanations.workbook import Workbook as Workbook
    from toolkit.explanations.workbook import note as note
    from toolkit.explanations.workbook import workbook as workbook
    from toolkit.panels.predict.panel import Predict as Predict
    from toolkit.teach.breaks import few_images as few_images
    from toolkit.teach.breaks import narrow_bank as narrow_bank
    from toolkit.teach.breaks import random_heads as random_heads
    from toolkit.teach.breaks import rescaled_maps as rescaled_maps
    from toolkit.teach.breaks import zero_beta as zero_beta
    from toolkit.teach.broken import Broken as Broken
    from toolkit.teach.collected import collect as collect
    from toolkit.teach.folders import celeba_folder as celeba_folder
    from toolkit.teach.folders import imagenet_r_folder as imagenet_r_folder
    from toolkit.teach.folders import waterbirds_folder as waterbirds_folder
    from toolkit.teach.grade import Grade as Grade
    from toolkit.teach.grade import Reason as Reason
    from toolkit.teach.tasks import Exercise as Exercise
    from toolkit.teach.tasks import exercise as exercise
    from toolkit.teach.tasks import exercises as exercises

    predict = Predict


def __getattr__(name: str) -> Any:
    """Imported when first used: grading needs no widget."""
    if name not in _WHERE:
        raise AttributeError(f"module 'toolkit.teach' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, attribute = _WHERE[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
