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

from toolkit.version import __version__ as __version__

_WHERE = {
    "load": "toolkit.api.images.load",
    "glossary": "toolkit.explanations.glossary",
    "Glossary": "toolkit.explanations.glossary",
    "Term": "toolkit.explanations.terms",
    "why": "toolkit.explanations.why",
    "Why": "toolkit.explanations.why",
    "decompose": "toolkit.api.images.decompose",
    "estimate": "toolkit.api.images.estimate",
    "extract": "toolkit.api.images.extract",
    "open_acts": "toolkit.api.images.extract",
    "from_arrays": "toolkit.api.images.arrays",
    "from_npy": "toolkit.api.images.arrays",
    "Acts": "toolkit.api.images.acts",
    "textspan": "toolkit.api.words.textspan",
    "BankWarning": "toolkit.api.words.textspan",
    "load_spans": "toolkit.api.words.spans",
    "Spans": "toolkit.api.words.spans",
    "heads_for": "toolkit.api.words.concepts",
    "ConceptHeads": "toolkit.api.words.concepts",
    "head_pca": "toolkit.api.words.pca",
    "locate": "toolkit.api.locate.locate",
    "Scores": "toolkit.api.locate.scores",
    "head_score": "toolkit.api.locate.head_scores",
    "HeadEvidence": "toolkit.api.locate.evidence",
    "ablate": "toolkit.api.switch_off.ablate",
    "Ablation": "toolkit.api.switch_off.ablation",
    "ltc_correct": "toolkit.api.switch_off.ltc",
    "head_effects": "toolkit.api.switch_off.effects",
    "HeadEffects": "toolkit.api.switch_off.effects",
    "fold_ablation": "toolkit.api.switch_off.fold",
    "edit": "toolkit.api.edit.edit",
    "Edit": "toolkit.api.edit.result",
    "EditWarning": "toolkit.api.edit.problem",
    "load_edit": "toolkit.api.edit.load_edit",
    "compare": "toolkit.api.edit.compare",
    "frontier": "toolkit.api.edit.frontier",
    "Frontier": "toolkit.api.edit.frontier_result",
    "frontier_plotly": "toolkit.figures.frontier",
    "frontier_matplotlib": "toolkit.figures.frontier",
    "EditLab": "toolkit.panels.edit_lab.panel",
    "token_map": "toolkit.api.where.token_map",
    "trace_tokens": "toolkit.api.where.token_map",
    "Traced": "toolkit.api.where.token_map",
    "TokenAttribution": "toolkit.api.where.attribution",
    "grad_cam": "toolkit.api.where.cam",
    "legrad": "toolkit.api.where.attention_maps",
    "game": "toolkit.api.where.attention_maps",
    "rollout": "toolkit.api.where.attention_maps",
    "attention_map": "toolkit.api.where.attention_maps",
    "explain": "toolkit.api.where.map_methods",
    "faithfulness": "toolkit.api.where.faithfulness",
    "Faithfulness": "toolkit.api.where.faithfulness",
    "localisation": "toolkit.api.where.localisation",
    "Localisation": "toolkit.api.where.localisation",
    "aiou": "toolkit.api.where.localisation",
    "agreement": "toolkit.api.where.agreement",
    "permuted": "toolkit.api.where.agreement",
    "save_checkpoint": "toolkit.api.switch_off.fold",
    "save_huggingface": "toolkit.api.switch_off.fold",
    "HeadPCA": "toolkit.api.words.pca",
    "bank": "toolkit.api.words.banks",
    "notes": "toolkit.store.notes",
    "HeadNotes": "toolkit.store.notes",
    "SpanExplorer": "toolkit.panels.span_explorer.panel",
    "AblationLab": "toolkit.panels.ablation_lab.panel",
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
    "reproduce_waterbirds": "toolkit.api.protocol.reproduce",
    "Reproduction": "toolkit.api.protocol.reproduction",
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
    "shortcut_gaps": "toolkit.api.switch_off.gaps",
    "ShortcutGaps": "toolkit.api.switch_off.gaps",
    "scenes": "toolkit.organism.scenes",
    "TokenMap": "toolkit.panels.token_map.panel",
    "maps_matplotlib": "toolkit.figures.maps",
    "maps_plotly": "toolkit.figures.maps",
    "report": "toolkit.figures.report",
    "HeadGrid": "toolkit.panels.head_grid.panel",
    "Gallery": "toolkit.panels.gallery.panel",
    "Explorer": "toolkit.panels.explorer.panel",
    "TwoModels": "toolkit.panels.two_models.panel",
    "search": "toolkit.api.images.search",
    "Search": "toolkit.api.images.search",
    "Engine": "toolkit.engine.engine",
    "Selection": "toolkit.panels.base.selection",
    "link": "toolkit.panels.base.selection",
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
    from toolkit.api.edit.compare import compare as compare
    from toolkit.api.edit.edit import edit as edit
    from toolkit.api.edit.frontier import frontier as frontier
    from toolkit.api.edit.frontier_result import Frontier as Frontier
    from toolkit.api.edit.load_edit import load_edit as load_edit
    from toolkit.api.edit.problem import EditWarning as EditWarning
    from toolkit.api.edit.result import Edit as Edit
    from toolkit.api.images.acts import Acts as Acts
    from toolkit.api.images.arrays import from_arrays as from_arrays
    from toolkit.api.images.arrays import from_npy as from_npy
    from toolkit.api.images.decompose import decompose as decompose
    from toolkit.api.images.estimate import estimate as estimate
    from toolkit.api.images.extract import extract as extract
    from toolkit.api.images.extract import open_acts as open_acts
    from toolkit.api.images.load import load as load
    from toolkit.api.images.search import Search as Search
    from toolkit.api.images.search import search as search
    from toolkit.api.locate.evidence import HeadEvidence as HeadEvidence
    from toolkit.api.locate.head_scores import head_score as head_score
    from toolkit.api.locate.locate import locate as locate
    from toolkit.api.locate.scores import Scores as Scores
    from toolkit.api.protocol.reproduce import reproduce_waterbirds as reproduce_waterbirds
    from toolkit.api.protocol.reproduction import Reproduction as Reproduction
    from toolkit.api.switch_off.ablate import ablate as ablate
    from toolkit.api.switch_off.ablation import Ablation as Ablation
    from toolkit.api.switch_off.effects import HeadEffects as HeadEffects
    from toolkit.api.switch_off.effects import head_effects as head_effects
    from toolkit.api.switch_off.fold import fold_ablation as fold_ablation
    from toolkit.api.switch_off.fold import save_checkpoint as save_checkpoint
    from toolkit.api.switch_off.fold import save_huggingface as save_huggingface
    from toolkit.api.switch_off.gaps import ShortcutGaps as ShortcutGaps
    from toolkit.api.switch_off.gaps import shortcut_gaps as shortcut_gaps
    from toolkit.api.switch_off.ltc import ltc_correct as ltc_correct
    from toolkit.api.where.agreement import agreement as agreement
    from toolkit.api.where.agreement import permuted as permuted
    from toolkit.api.where.attention_maps import attention_map as attention_map
    from toolkit.api.where.attention_maps import game as game
    from toolkit.api.where.attention_maps import legrad as legrad
    from toolkit.api.where.attention_maps import rollout as rollout
    from toolkit.api.where.attribution import TokenAttribution as TokenAttribution
    from toolkit.api.where.cam import grad_cam as grad_cam
    from toolkit.api.where.faithfulness import Faithfulness as Faithfulness
    from toolkit.api.where.faithfulness import faithfulness as faithfulness
    from toolkit.api.where.localisation import Localisation as Localisation
    from toolkit.api.where.localisation import aiou as aiou
    from toolkit.api.where.localisation import localisation as localisation
    from toolkit.api.where.map_methods import explain as explain
    from toolkit.api.where.token_map import Traced as Traced
    from toolkit.api.where.token_map import token_map as token_map
    from toolkit.api.where.token_map import trace_tokens as trace_tokens
    from toolkit.api.words.banks import bank as bank
    from toolkit.api.words.concepts import ConceptHeads as ConceptHeads
    from toolkit.api.words.concepts import heads_for as heads_for
    from toolkit.api.words.pca import HeadPCA as HeadPCA
    from toolkit.api.words.pca import head_pca as head_pca
    from toolkit.api.words.spans import Spans as Spans
    from toolkit.api.words.spans import load_spans as load_spans
    from toolkit.api.words.textspan import BankWarning as BankWarning
    from toolkit.api.words.textspan import textspan as textspan
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
    from toolkit.explanations.glossary import Glossary as Glossary
    from toolkit.explanations.glossary import glossary as glossary
    from toolkit.explanations.terms import Term as Term
    from toolkit.explanations.why import Why as Why
    from toolkit.explanations.why import why as why
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
    from toolkit.panels.ablation_lab.panel import AblationLab as AblationLab
    from toolkit.panels.base.selection import Selection as Selection
    from toolkit.panels.base.selection import link as link
    from toolkit.panels.edit_lab.panel import EditLab as EditLab
    from toolkit.panels.explorer.panel import Explorer as Explorer
    from toolkit.panels.gallery.panel import Gallery as Gallery
    from toolkit.panels.head_grid.panel import HeadGrid as HeadGrid
    from toolkit.panels.span_explorer.panel import SpanExplorer as SpanExplorer
    from toolkit.panels.token_map.panel import TokenMap as TokenMap
    from toolkit.panels.two_models.panel import TwoModels as TwoModels
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
