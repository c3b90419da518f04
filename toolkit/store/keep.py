"""What of an image a store keeps: all of its parts, or less, and what less rules out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.core.heads import which_layers
from toolkit.errors import InputError
from toolkit.models.card import ModelCard

NAME = "kept"
"""The attribute of a store that keeps something else than all parts, and the part of its key."""


@dataclass(frozen=True)
class Keep:
    """layers: of whose heads, by their number in the model. of: layers of the model. mlps: the embedding term and the
    MLPs too. pooled: what the model multiplies by its projection too.
    """

    layers: tuple[int, ...]
    of: int
    mlps: bool = True
    pooled: bool = False

    @classmethod
    def asked(cls, card: ModelCard, layers: Any, mlps: Any, pooled: Any, operation: str) -> Keep:
        """As a user may write it. Raises InputError for layers the model lacks, and for what is not True or False."""
        for name, value in (("mlps", mlps), ("pooled", pooled)):
            if not isinstance(value, bool):
                raise InputError(operation, f"{name}={value!r}", "True or False", f"pass one as {name}")
        return cls(tuple(sorted(which_layers(layers, card.layers, operation))), card.layers, mlps, pooled)

    @classmethod
    def read(cls, attrs: Mapping[str, Any], layers: int) -> Keep:
        """Of a store. layers: that its heads are of."""
        found = attrs.get(NAME)
        if found is None:
            return cls(tuple(range(layers)), layers)
        return cls(tuple(found["layers"]), int(found["of"]), bool(found["mlps"]), bool(found["pooled"]))

    @property
    def all_layers(self) -> bool:
        return len(self.layers) == self.of

    @property
    def whole(self) -> bool:
        """Whether what is kept sums to the embedding."""
        return self.all_layers and self.mlps

    @property
    def attrs(self) -> dict[str, Any]:
        """As attributes of a store; nothing where it is as usual."""
        if self.whole and not self.pooled:
            return {}
        return {NAME: {"layers": list(self.layers), "of": self.of, "mlps": self.mlps, "pooled": self.pooled}}

    @property
    def key(self) -> dict[str, str]:
        """Its part of the key of a store; nothing where it is as usual."""
        return {NAME: self.words} if self.attrs else {}

    @property
    def words(self) -> str:
        """What is kept, in a few words."""
        heads = "heads of all layers" if self.all_layers else f"heads of {numbered(self.layers)} of {self.of}"
        own = [heads, "MLP terms" if self.mlps else "no MLP terms", *(["pooled vectors"] if self.pooled else [])]
        return ", ".join(own)

    @property
    def rules_out(self) -> str:
        """What cannot be asked of it; "" for all parts."""
        if self.whole:
            return ""
        out = ["acts.parts() and .mlps (the sum is not whole)", "the paper's protocol of tk.reproduce"]
        if not self.all_layers:
            out += [f"heads outside {numbered(self.layers)}", "LTC's votes, which compare all layers"]
        return "; ".join(out)

    def places(self, layers: Sequence[int], operation: str) -> list[int]:
        """Where layers lie among those that are kept. Raises InputError for one that is not."""
        place = {layer: i for i, layer in enumerate(self.layers)}
        if missing := [layer for layer in layers if layer not in place]:
            given = f"layer {missing[0]}, which this store does not keep ({self.words})"
            fix = "name layers it keeps, or extract again with layers=None into another store"
            raise InputError(operation, given, numbered(self.layers), fix)
        return [place[layer] for layer in layers]

    def check_whole(self, operation: str) -> None:
        """Raises InputError where what is kept does not sum to the embedding."""
        if not self.whole:
            fix = "ask for what is kept (acts.states(layers), acts.mixes_of(layer)), or extract again with all parts"
            raise InputError(operation, f"a store of {self.words}", "all parts of the embedding", fix)


def numbered(layers: Sequence[int]) -> str:
    """ "layers 20–23", or each by its number."""
    first, last = layers[0], layers[-1]
    if len(layers) > 2 and last - first == len(layers) - 1:
        return f"layers {first}–{last}"
    return ("layer " if len(layers) == 1 else "layers ") + ", ".join(map(str, layers))
