"""`tk.label_suspects`: images whose label, and not whose prediction, may be the mistake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.checks import whole
from toolkit.api.images.judged import judged
from toolkit.api.keywords.pool import pool_of
from toolkit.core.keywords import SCALE, CellMoments
from toolkit.core.precision import full_precision
from toolkit.errors import InputError
from toolkit.signs import counted

if TYPE_CHECKING:
    import pandas

ROWS = 4096
SHOWN = 24
"""Images of a row that are named."""


@dataclass(frozen=True, eq=False, repr=False)
class LabelSuspects:
    """Pairs of classes whose mistakes share a keyword that is nearer to the prediction. Made by `tk.label_suspects`.

    They are suspects and nothing more: a reproduction of the method did not confirm that their labels are wrong. Look
    at the images.

    Attributes:
        rows: (true, predicted, n, keyword, score, suspicion, ids of the images nearest to the keyword).
        left_out: pairs with too few images.
        split: the images are of.
    """

    rows: tuple[tuple[str, str, int, str, float, float, tuple[str, ...]], ...]
    left_out: int
    split: str

    @property
    def table(self) -> pandas.DataFrame:
        """One row per pair, the most suspicious first: true, predicted, n, keyword, score, suspicion, ids."""
        import pandas

        columns = ["true", "predicted", "n", "keyword", "score", "suspicion", "ids"]
        return pandas.DataFrame(list(self.rows), columns=columns)

    def to_dataframe(self) -> pandas.DataFrame:
        """The table."""
        return self.table

    def __repr__(self) -> str:
        head = f"suspects, and nothing more, split {self.split!r}: look at the images before you doubt a label"
        lines = [
            f"  {true} → {predicted} (n = {n}): {text!r}, score {score:+.2f}, suspicion {suspicion:+.3f}"
            for true, predicted, n, text, score, suspicion, _ in self.rows[:8]
        ]
        lines += [f"  {self.left_out} pairs have too few images"] if self.left_out else []
        return "\n".join([head, *lines]).replace("-", "−")


@full_precision
def label_suspects(acts: Any, classes: Any, of: Any = None, *, least: int = 10) -> LabelSuspects:
    """For every pair of classes the keyword that marks its mistakes most, and how much nearer that is to the prediction
    than to the label (Kim et al. 2024, §5.3), as `LabelSuspects`.

    suspicion = cos(keyword, predicted class) − cos(keyword, true class). Where it is high the images may well show what
    was predicted. The original claim was not confirmed when the method was reproduced: these are suspects.

    Arguments:
        acts: parts of labelled images (`Acts`).
        classes: told apart (`tk.classes`).
        of: keywords, as in `tk.keywords`; default the bank of `tk.textspan`.
        least: images that a pair must have, at least 1; default 10.

    Raises:
        InputError: as for `tk.keywords`, and where no pair has so many mistakes.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=300, kind="birds"), progress=False)
    >>> birds = tk.classes(["waterbird", "landbird"])
    >>> found = tk.label_suspects(acts, birds, ["a water background", "a land background"])
    >>> found.table.loc[0, ["true", "keyword"]].tolist()
    ['landbird', 'a water background']
    """
    least = whole("least", least, 1, "label_suspects")
    images = judged(acts, classes, "label_suspects")
    truth, guess, names = images.truth.numpy(), images.guess.numpy(), images.classes.names
    c = len(names)
    counts = np.bincount(truth * c + guess, minlength=c * c).reshape(c, c)
    there_is_a_right_one = counts.diagonal() > 0
    np.fill_diagonal(counts, 0)
    counts[~there_is_a_right_one] = 0
    pairs = [(int(y), int(other)) for y, other in np.argwhere(counts >= least)]
    if not pairs:
        given = f"{len(images)} images, no pair of classes with {least} mistakes (at most {counts.max()})"
        raise InputError("label_suspects", given, "a pair with so many", "pass more images, or a smaller least=")
    none: NDArray[np.int64] = np.zeros(0, np.int64)
    pool = pool_of(images.acts, of, None, "{}", none, none)
    vectors = pool.vectors.cpu()
    place = np.full((c, c), c + len(pairs))
    place[np.arange(c), np.arange(c)] = np.arange(c)
    for i, pair in enumerate(pairs):
        place[pair] = c + i
    cells = torch.from_numpy(place[truth, guess])
    texts = vectors.to(images.embedding)
    cosines = (some @ texts.T for some in counted(images.embedding.split(ROWS), "score the keywords", "part"))
    mean = CellMoments.of(cosines, cells, c + len(pairs) + 1).mean
    towards = (vectors.double() @ images.texts.cpu().double().T).numpy()
    ids = images.acts.ids.astype(str)
    rows = []
    for i, (y, other) in enumerate(pairs):
        score = SCALE * (mean[c + i] - mean[y])
        best = int(score.argmax())
        mine = np.flatnonzero((truth == y) & (guess == other))
        along = (images.embedding[torch.from_numpy(mine)] @ texts[best]).numpy()
        nearest = tuple(ids[mine[np.argsort(-along, kind="stable")[:SHOWN]]])
        suspicion = float(towards[best, other] - towards[best, y])
        rows.append((names[y], names[other], len(mine), pool.texts[best], float(score[best]), suspicion, nearest))
    rows.sort(key=lambda row: -row[5])
    return LabelSuspects(tuple(rows), len(images.mistakes) - len(pairs), images.acts.split)
