"""Cures for mistakes, one interface: settings, fitted to a few images, turned by one dial from the model as it is."""

from __future__ import annotations

from typing import Any

from toolkit.api.methods.anchored_probe import AnchoredProbe as AnchoredProbe
from toolkit.api.methods.as_it_is import AsItIs as AsItIs
from toolkit.api.methods.balanced_probe import BalancedProbe as BalancedProbe
from toolkit.api.methods.concept_heads import ConceptHeadsMethod as ConceptHeads
from toolkit.api.methods.context_ensemble import ContextEnsemble as ContextEnsemble
from toolkit.api.methods.dial import Dial as Dial
from toolkit.api.methods.dial import Ledger as Ledger
from toolkit.api.methods.edit_method import EditMethod as Edit
from toolkit.api.methods.fitted import Fitted as Fitted
from toolkit.api.methods.group_dro import GroupDRO as GroupDRO
from toolkit.api.methods.group_prompts import GroupPrompts as GroupPrompts
from toolkit.api.methods.heads_off import HeadsOff as HeadsOff
from toolkit.api.methods.heads_under import HeadsUnder as HeadsUnder
from toolkit.api.methods.heads_under import heads_under as heads_under
from toolkit.api.methods.jtt import JTT as JTT
from toolkit.api.methods.ltc_cure import LTC as LTC
from toolkit.api.methods.method import Method as Method
from toolkit.api.methods.mi_clip import MIClip as MIClip
from toolkit.api.methods.ortho_cali import OrthoCali as OrthoCali
from toolkit.api.methods.perception_clip import PerceptionCLIP as PerceptionCLIP
from toolkit.api.methods.placebo import placebo as placebo
from toolkit.api.methods.probe import Probe as Probe
from toolkit.api.methods.prompts import Prompts as Prompts
from toolkit.api.methods.registry import forget_method as forget
from toolkit.api.methods.registry import offered_methods as offered
from toolkit.api.methods.robo_shot import RoboShot as RoboShot
from toolkit.api.methods.shots import Shots as Shots
from toolkit.api.methods.tip_adapter import TipAdapter as TipAdapter

__all__ = [
    "JTT",
    "LTC",
    "AnchoredProbe",
    "AsItIs",
    "BalancedProbe",
    "ConceptHeads",
    "ContextEnsemble",
    "Dial",
    "Edit",
    "Fitted",
    "GroupDRO",
    "GroupPrompts",
    "HeadsOff",
    "Ledger",
    "MIClip",
    "Method",
    "OrthoCali",
    "PerceptionCLIP",
    "Probe",
    "Prompts",
    "RoboShot",
    "Shots",
    "TipAdapter",
    "forget",
    "offered",
    "placebo",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Methods that users have registered."""
    if name in offered():
        return offered()[name]
    raise AttributeError(f"tk.methods has no {name!r}; there are {', '.join(offered())}")
