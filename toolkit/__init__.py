"""CLIP head toolkit: from a CLIP mistake to the attention heads that cause it, live in a notebook.

>>> import toolkit as tk
>>> model = tk.load()                                  # the built-in model: no network, no GPU
>>> parts = tk.decompose(model, tk.scenes("test", n=4))
>>> parts.error < 1e-5                                 # the parts sum to the embedding
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "load": "toolkit.api.load",
    "glossary": "toolkit.api.glossary",
    "Glossary": "toolkit.api.glossary",
    "Term": "toolkit.api.terms",
    "why": "toolkit.api.why",
    "Why": "toolkit.api.why",
    "decompose": "toolkit.api.decompose",
    "estimate": "toolkit.api.estimate",
    "extract": "toolkit.api.extract",
    "open_acts": "toolkit.api.extract",
    "from_arrays": "toolkit.api.arrays",
    "from_npy": "toolkit.api.arrays",
    "Acts": "toolkit.api.acts",
    "textspan": "toolkit.api.textspan",
    "BankWarning": "toolkit.api.textspan",
    "load_spans": "toolkit.api.spans",
    "Spans": "toolkit.api.spans",
    "heads_for": "toolkit.api.concepts",
    "ConceptHeads": "toolkit.api.concepts",
    "head_pca": "toolkit.api.pca",
    "locate": "toolkit.api.locate",
    "Scores": "toolkit.api.scores",
    "ablate": "toolkit.api.ablate",
    "Ablation": "toolkit.api.ablation",
    "ltc_correct": "toolkit.api.ltc",
    "head_effects": "toolkit.api.effects",
    "HeadEffects": "toolkit.api.effects",
    "fold_ablation": "toolkit.api.fold",
    "edit": "toolkit.api.edit",
    "Edit": "toolkit.api.edits",
    "EditWarning": "toolkit.api.edit_problem",
    "load_edit": "toolkit.api.edit_file",
    "compare": "toolkit.api.compare",
    "frontier": "toolkit.api.frontier",
    "Frontier": "toolkit.api.frontiers",
    "frontier_plotly": "toolkit.figures.frontier",
    "frontier_matplotlib": "toolkit.figures.frontier",
    "EditLab": "toolkit.panels.edit_lab",
    "token_map": "toolkit.api.token_map",
    "trace_tokens": "toolkit.api.token_map",
    "Traced": "toolkit.api.token_map",
    "TokenAttribution": "toolkit.api.attribution",
    "grad_cam": "toolkit.api.cam",
    "legrad": "toolkit.api.attention_maps",
    "game": "toolkit.api.attention_maps",
    "rollout": "toolkit.api.attention_maps",
    "attention_map": "toolkit.api.attention_maps",
    "explain": "toolkit.api.map_methods",
    "faithfulness": "toolkit.api.faithfulness",
    "Faithfulness": "toolkit.api.faithfulness",
    "localisation": "toolkit.api.localisation",
    "Localisation": "toolkit.api.localisation",
    "aiou": "toolkit.api.localisation",
    "agreement": "toolkit.api.agreement",
    "permuted": "toolkit.api.agreement",
    "save_checkpoint": "toolkit.api.fold",
    "save_huggingface": "toolkit.api.fold",
    "HeadPCA": "toolkit.api.pca",
    "bank": "toolkit.api.banks",
    "notes": "toolkit.store.notes",
    "HeadNotes": "toolkit.store.notes",
    "SpanExplorer": "toolkit.panels.span_explorer",
    "AblationLab": "toolkit.panels.ablation_lab",
    "Bank": "toolkit.data.banks",
    "near_duplicates": "toolkit.data.overlap",
    "wrap": "toolkit.models.model",
    "Model": "toolkit.models.model",
    "ModelCard": "toolkit.models.card",
    "ModelWarning": "toolkit.models.words",
    "Parts": "toolkit.core.parts",
    "HeadSet": "toolkit.core.heads",
    "ablate_direct": "toolkit.core.ablation",
    "layer_curve": "toolkit.core.ablation",
    "head_roles": "toolkit.core.roles",
    "HeadRoles": "toolkit.core.roles",
    "accuracy": "toolkit.core.metrics",
    "reproduce_waterbirds": "toolkit.api.reproduce",
    "Reproduction": "toolkit.api.reproduction",
    "classes": "toolkit.data.classes",
    "image_folder": "toolkit.data.folder",
    "joined": "toolkit.data.joined",
    "waterbirds": "toolkit.data.waterbirds",
    "celeba": "toolkit.data.celeba",
    "imagenet_r": "toolkit.data.imagenet",
    "imagenet_a": "toolkit.data.imagenet",
    "counteranimal": "toolkit.data.counteranimal",
    "urbancars": "toolkit.data.urbancars",
    "table": "toolkit.data.table",
    "FileSamples": "toolkit.data.files",
    "DataWarning": "toolkit.data.files",
    "shortcut_gaps": "toolkit.api.gaps",
    "ShortcutGaps": "toolkit.api.gaps",
    "scenes": "toolkit.organism.scenes",
    "TokenMap": "toolkit.panels.token_map",
    "maps_matplotlib": "toolkit.figures.maps",
    "maps_plotly": "toolkit.figures.maps",
    "report": "toolkit.figures.report",
    "HeadGrid": "toolkit.panels.head_grid",
    "Gallery": "toolkit.panels.gallery",
    "Explorer": "toolkit.panels.explorer",
    "TwoModels": "toolkit.panels.two_models",
    "search": "toolkit.api.search",
    "Search": "toolkit.api.search",
    "Engine": "toolkit.engine.engine",
    "Selection": "toolkit.panels.selection",
    "link": "toolkit.panels.selection",
    "ToolkitError": "toolkit.errors",
    "InputError": "toolkit.errors",
    "UnsupportedModelError": "toolkit.errors",
    "MissingWeightsError": "toolkit.errors",
    "DeviceError": "toolkit.errors",
    "MemoryExhaustedError": "toolkit.errors",
    "StoreError": "toolkit.errors",
}
__all__ = sorted([*_WHERE, "teach"])

if TYPE_CHECKING:
    from toolkit import teach as teach
    from toolkit.api.ablate import ablate as ablate
    from toolkit.api.ablation import Ablation as Ablation
    from toolkit.api.acts import Acts as Acts
    from toolkit.api.agreement import agreement as agreement
    from toolkit.api.agreement import permuted as permuted
    from toolkit.api.arrays import from_arrays as from_arrays
    from toolkit.api.arrays import from_npy as from_npy
    from toolkit.api.attention_maps import attention_map as attention_map
    from toolkit.api.attention_maps import game as game
    from toolkit.api.attention_maps import legrad as legrad
    from toolkit.api.attention_maps import rollout as rollout
    from toolkit.api.attribution import TokenAttribution as TokenAttribution
    from toolkit.api.banks import bank as bank
    from toolkit.api.cam import grad_cam as grad_cam
    from toolkit.api.compare import compare as compare
    from toolkit.api.concepts import ConceptHeads as ConceptHeads
    from toolkit.api.concepts import heads_for as heads_for
    from toolkit.api.decompose import decompose as decompose
    from toolkit.api.edit import edit as edit
    from toolkit.api.edit_file import load_edit as load_edit
    from toolkit.api.edit_problem import EditWarning as EditWarning
    from toolkit.api.edits import Edit as Edit
    from toolkit.api.effects import HeadEffects as HeadEffects
    from toolkit.api.effects import head_effects as head_effects
    from toolkit.api.estimate import estimate as estimate
    from toolkit.api.extract import extract as extract
    from toolkit.api.extract import open_acts as open_acts
    from toolkit.api.faithfulness import Faithfulness as Faithfulness
    from toolkit.api.faithfulness import faithfulness as faithfulness
    from toolkit.api.fold import fold_ablation as fold_ablation
    from toolkit.api.fold import save_checkpoint as save_checkpoint
    from toolkit.api.fold import save_huggingface as save_huggingface
    from toolkit.api.frontier import frontier as frontier
    from toolkit.api.frontiers import Frontier as Frontier
    from toolkit.api.gaps import ShortcutGaps as ShortcutGaps
    from toolkit.api.gaps import shortcut_gaps as shortcut_gaps
    from toolkit.api.glossary import Glossary as Glossary
    from toolkit.api.glossary import glossary as glossary
    from toolkit.api.load import load as load
    from toolkit.api.localisation import Localisation as Localisation
    from toolkit.api.localisation import aiou as aiou
    from toolkit.api.localisation import localisation as localisation
    from toolkit.api.locate import locate as locate
    from toolkit.api.ltc import ltc_correct as ltc_correct
    from toolkit.api.map_methods import explain as explain
    from toolkit.api.pca import HeadPCA as HeadPCA
    from toolkit.api.pca import head_pca as head_pca
    from toolkit.api.reproduce import reproduce_waterbirds as reproduce_waterbirds
    from toolkit.api.reproduction import Reproduction as Reproduction
    from toolkit.api.scores import Scores as Scores
    from toolkit.api.search import Search as Search
    from toolkit.api.search import search as search
    from toolkit.api.spans import Spans as Spans
    from toolkit.api.spans import load_spans as load_spans
    from toolkit.api.terms import Term as Term
    from toolkit.api.textspan import BankWarning as BankWarning
    from toolkit.api.textspan import textspan as textspan
    from toolkit.api.token_map import Traced as Traced
    from toolkit.api.token_map import token_map as token_map
    from toolkit.api.token_map import trace_tokens as trace_tokens
    from toolkit.api.why import Why as Why
    from toolkit.api.why import why as why
    from toolkit.core.ablation import ablate_direct as ablate_direct
    from toolkit.core.ablation import layer_curve as layer_curve
    from toolkit.core.heads import HeadSet as HeadSet
    from toolkit.core.metrics import accuracy as accuracy
    from toolkit.core.parts import Parts as Parts
    from toolkit.core.roles import HeadRoles as HeadRoles
    from toolkit.core.roles import head_roles as head_roles
    from toolkit.data.banks import Bank as Bank
    from toolkit.data.celeba import celeba as celeba
    from toolkit.data.classes import classes as classes
    from toolkit.data.counteranimal import counteranimal as counteranimal
    from toolkit.data.files import DataWarning as DataWarning
    from toolkit.data.files import FileSamples as FileSamples
    from toolkit.data.folder import image_folder as image_folder
    from toolkit.data.imagenet import imagenet_a as imagenet_a
    from toolkit.data.imagenet import imagenet_r as imagenet_r
    from toolkit.data.joined import joined as joined
    from toolkit.data.overlap import near_duplicates as near_duplicates
    from toolkit.data.table import table as table
    from toolkit.data.urbancars import urbancars as urbancars
    from toolkit.data.waterbirds import waterbirds as waterbirds
    from toolkit.engine.engine import Engine as Engine
    from toolkit.errors import DeviceError as DeviceError
    from toolkit.errors import InputError as InputError
    from toolkit.errors import MemoryExhaustedError as MemoryExhaustedError
    from toolkit.errors import MissingWeightsError as MissingWeightsError
    from toolkit.errors import StoreError as StoreError
    from toolkit.errors import ToolkitError as ToolkitError
    from toolkit.errors import UnsupportedModelError as UnsupportedModelError
    from toolkit.figures.frontier import frontier_matplotlib as frontier_matplotlib
    from toolkit.figures.frontier import frontier_plotly as frontier_plotly
    from toolkit.figures.maps import maps_matplotlib as maps_matplotlib
    from toolkit.figures.maps import maps_plotly as maps_plotly
    from toolkit.figures.report import report as report
    from toolkit.models.card import ModelCard as ModelCard
    from toolkit.models.model import Model as Model
    from toolkit.models.model import wrap as wrap
    from toolkit.models.words import ModelWarning as ModelWarning
    from toolkit.organism.scenes import scenes as scenes
    from toolkit.panels.ablation_lab import AblationLab as AblationLab
    from toolkit.panels.edit_lab import EditLab as EditLab
    from toolkit.panels.explorer import Explorer as Explorer
    from toolkit.panels.gallery import Gallery as Gallery
    from toolkit.panels.head_grid import HeadGrid as HeadGrid
    from toolkit.panels.selection import Selection as Selection
    from toolkit.panels.selection import link as link
    from toolkit.panels.span_explorer import SpanExplorer as SpanExplorer
    from toolkit.panels.token_map import TokenMap as TokenMap
    from toolkit.panels.two_models import TwoModels as TwoModels
    from toolkit.store.notes import HeadNotes as HeadNotes
    from toolkit.store.notes import notes as notes


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that `import toolkit` needs no torch."""
    if name == "teach":
        return import_module("toolkit.teach")
    if name not in _WHERE:
        from difflib import get_close_matches

        near = get_close_matches(name, _WHERE, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}{hint}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
