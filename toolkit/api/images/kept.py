"""Which layers of some parts a verb looks at: of a store that keeps less, those it keeps."""

from __future__ import annotations

from typing import Any

from toolkit.api.images.acts import Acts
from toolkit.core.heads import which_layers


def layers_of(acts: Acts, layers: Any, operation: str) -> tuple[int, ...]:
    """Layers as a user may write them (`which_layers`); None is all that are kept. Raises InputError for a layer that
    the model lacks, or the store does not keep.
    """
    if layers is None:
        return acts.kept.layers
    found = which_layers(layers, acts.kept.of, operation)
    acts.kept.places(found, operation)
    return found
