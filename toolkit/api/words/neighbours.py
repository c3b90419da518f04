"""`tk.neighbours`: images that are alike to one head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.words.bases import head_bases
from toolkit.core.heads import HeadSet
from toolkit.core.moments import head_numbers
from toolkit.core.precision import full_precision
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

Closeness = Literal["cosine", "dot"]


@dataclass(frozen=True, eq=False, repr=False)
class Neighbours:
    """The images nearest to one under a head, the nearest first; made by `tk.neighbours`.

    Attributes:
        image: the id of the image that was asked about.
        head: (layer, head).
        score: "cosine" or "dot".
        ids: of the neighbours [n], without the image itself.
        labels: of them [n].
        groups: of them [n].
        scores: how near they are [n].
        of: images that were looked at.
    """

    image: str
    head: tuple[int, int]
    score: str
    ids: NDArray[np.object_]
    labels: NDArray[np.object_]
    groups: NDArray[np.object_]
    scores: NDArray[np.float64]
    of: int

    def __len__(self) -> int:
        return len(self.ids)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per neighbour: id, label, group, score."""
        import pandas

        columns = {"id": self.ids, "label": self.labels, "group": self.groups, "score": self.scores}
        return pandas.DataFrame(columns)

    def __repr__(self) -> str:
        layer, head = self.head
        rows = [
            f"  {name} ({group or label}): {score:+.3f}".replace("-", "−")
            for name, label, group, score in zip(self.ids, self.labels, self.groups, self.scores, strict=True)
        ]
        first = f"nearest to {self.image} under L{layer}.H{head}, {self.score}, of {self.of} images:"
        return "\n".join([first, *rows])


@full_precision
def neighbours(acts: Acts, image: str, head: Any, n: int = 4, score: Closeness = "cosine") -> Neighbours:
    """The images nearest to one under a head: what the head takes for the same (G24, Fig. 5), as `Neighbours`.

    Arguments:
        acts: parts of the images (`Acts`).
        image: the id of one of them.
        head: in any spelling, one.
        n: how many, at least 1; default 4.
        score: "cosine" of centred contributions, so that what the head gives every image does not count; or "dot" of
            the contributions as they are, which is what the public notebook shows; default "cosine".

    Raises:
        InputError: for an image that is not there, more than one head, and another score.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False)
    >>> len(tk.neighbours(acts, acts.ids[0], "L3.H7"))
    4
    """
    if score not in get_args(Closeness):
        raise InputError("neighbours", f"score={score!r:.40}", "'cosine' or 'dot'", "name one of the two")
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InputError("neighbours", f"n={n!r:.40}", "a whole number of at least 1", "pass how many")
    bases = head_bases(acts, None, operation="neighbours")  # refuses what are no parts
    chosen = HeadSet.of(head, *acts.shape[1:3])
    if len(chosen) != 1:
        raise InputError("neighbours", f"{len(chosen)} heads", "one head", 'write head="L3.H7"')
    ids = acts.ids.astype(str)
    places = np.flatnonzero(ids == str(image))
    if not len(places):
        raise InputError("neighbours", f"the image {image!r:.80}", f"ids such as {ids[0]!r}", "name one of acts.ids")
    [(layer, at)] = chosen.heads
    if layer not in bases.layers:
        raise InputError("neighbours", f"{chosen}, whose layer was not kept", f"layers {bases.layers}", "extract it")
    gram = _gram(acts, layer, at, int(places[0]), centred=score == "cosine")
    order = [i for i in np.argsort(-gram, kind="stable").tolist() if i != places[0]][:n]
    return Neighbours(
        str(image), (layer, at), score, acts.ids[order], acts.labels[order], acts.groups[order], gram[order], len(acts)
    )


def _gram(acts: Acts, layer: int, head: int, row: int, centred: bool) -> NDArray[np.float64]:
    """[b]: of every image's contribution with that of one: cosine of centred ones, or dot. From k numbers a head."""
    numbers = torch.cat([head_numbers(state)[:, 0, head].double().cpu() for state in acts.states([layer])])
    worth = acts.head_maps[layer, head].double().cpu()
    if centred:
        numbers = numbers - numbers.mean(0)
    metric = worth @ worth.T
    along: Tensor = numbers @ (metric @ numbers[row])
    if not centred:
        return np.asarray(along.numpy())
    norms = ((numbers @ metric) * numbers).sum(1).clamp(min=0).sqrt()
    return np.asarray((along / (norms * norms[row]).clamp(min=1e-300)).numpy())
