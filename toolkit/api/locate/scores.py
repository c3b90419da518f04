"""`Scores`: how much every head pushes towards an error, how sure that is, and the set that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.locate.evidence import LocateEvidence
from toolkit.api.locate.random_sets import RandomSets, random_sets
from toolkit.core.choice import CRITERIA, By, choose
from toolkit.core.effects import NAMES, SIGN
from toolkit.core.heads import HeadSet
from toolkit.core.votes import Votes
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

    from toolkit.api.images.acts import Acts

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Band:
    """low, high [l, h]: a percentile bootstrap interval of every head's raw score; level; method, in words."""

    low: Array
    high: Array
    level: float
    method: str


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """DE_A … DE_D of every head for one pair of classes, or pooled over pairs (R25 §3.2); made by `tk.locate`.

    pair: (true, predicted), or None for pooled. layers: of the rows. raw [4, l, h]: DE_A, DE_B, DE_C, DE_D, on the
    cosine scale; nan where the averaging set is empty. sizes: images in W, C and A. empty: reference sets without
    images, whose mean is the zero vector. pairs: the scores of every pair, of pooled ones. settings: model, data,
    similarity, class set.
    """

    pair: tuple[str, str] | None
    layers: tuple[int, ...]
    raw: Array
    sizes: dict[str, int]
    empty: tuple[str, ...]
    pairs: tuple[Scores, ...]
    settings: dict[str, Any]
    _session: LocateEvidence

    @property
    def a(self) -> Array:
        """DE_A [l, h], raw."""
        return self.raw[0]

    @property
    def b(self) -> Array:
        """DE_B [l, h], raw."""
        return self.raw[1]

    @property
    def c(self) -> Array:
        """DE_C [l, h], raw."""
        return self.raw[2]

    @property
    def d(self) -> Array:
        """DE_D [l, h], raw."""
        return self.raw[3]

    @property
    def names(self) -> tuple[str, ...]:
        """The scores that exist, of a, b, c, d."""
        return tuple(name for name, table in zip(NAMES, self.raw, strict=True) if np.isfinite(table).any())

    def badness(self, name: str) -> Array:
        """[l, h]: A, −B, C or −D: positive where the head pushes towards the error.

        >>> import toolkit as tk
        >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
        >>> tk.locate(acts, tk.classes(["waterbird", "landbird"])).badness("b").shape
        (4, 8)
        """
        at = self._index(name)
        return np.asarray(SIGN[at] * self.raw[at])

    def ranking(self, name: str) -> HeadSet:
        """All heads by descending badness; equal ones in the order of the model."""
        table = self.badness(name)
        if not np.isfinite(table).any():
            given = f"{name!r}, which does not exist here: its averaging set is empty ({self._counts})"
            raise InputError("scores.ranking", given, ", ".join(self.names), "use a score that exists")
        return HeadSet(tuple(self._heads(table)))

    def _heads(self, table: Array) -> list[tuple[int, int]]:
        order = np.argsort(-np.nan_to_num(table, nan=-np.inf), axis=None, kind="stable")
        return [(self.layers[i // table.shape[1]], int(i % table.shape[1])) for i in order]

    def _index(self, name: str) -> int:
        if not isinstance(name, str) or name.lower() not in NAMES:
            raise InputError("scores", f"the score {name!r}", "a, b, c or d", "name one of these")
        return NAMES.index(name.lower())

    # how sure

    def resample(self, check: Callable[[int, int], None]) -> None:
        """Draw the bootstrap samples now; check: called with (samples done, of), what it raises ends the work."""
        if self.pair is not None and "replicates" not in self.__dict__:
            self.__dict__["replicates"] = self._session.replicates(self.pair, check)

    @cached_property
    def replicates(self) -> Array:
        """[resamples, 4, l, h]: the raw scores of bootstrap samples of the images, drawn inside every cell of label and
        prediction, so that W, C and A keep their sizes.
        """
        if self.pair is not None:
            return self._session.replicates(self.pair)
        return pooled([p.replicates for p in self.pairs], [p.sizes["W"] for p in self.pairs])

    @cached_property
    def interval(self) -> Mapping[str, Band]:
        """By name, a 95 % percentile bootstrap interval of the raw score of every head."""
        n, seed = self._session.resamples, self._session.seed
        single = [name for s in (self, *self.pairs) for name, size in s.sizes.items() if size == 1]
        alone = ", ".join(dict.fromkeys(single))
        pair = " of a pair" if self.pairs else ""
        note = f"; {alone}{pair} holds one image, which does not vary" if alone else ""
        method = f"percentile bootstrap of the images inside label × prediction ({n} resamples, seed {seed}){note}"
        low, high = np.quantile(self.replicates, [0.025, 0.975], axis=0)
        return {name: Band(low[i], high[i], 0.95, method) for i, name in enumerate(NAMES)}

    def stability(self, name: str, top: int = 15) -> Array:
        """[l, h]: in which share of the bootstrap samples a head is among the `top` worst."""
        at = self._index(name)
        tables = SIGN[at] * self.replicates[:, at].reshape(len(self.replicates), -1)
        order = np.argsort(-np.nan_to_num(tables, nan=-np.inf), axis=1, kind="stable")[:, : max(1, top)]
        counts = np.bincount(order.ravel(), minlength=tables.shape[1]) / len(tables)
        return np.where(np.isfinite(self.raw[at]), counts.reshape(self.raw[at].shape), np.nan)

    @cached_property
    def ltc(self) -> Votes:
        """Locate-Then-Correct's counts over the same images (of `minority` groups, where given), for all layers."""
        return self._session.votes(self._asked)

    def agreement(self) -> pandas.DataFrame:
        """Spearman correlations of the badness A, −B, C, −D and of LTC's V_W − V_C over the heads."""
        import pandas
        from scipy.stats import spearmanr

        tables = {f"{'−' * (SIGN[NAMES.index(n)] < 0)}{n.upper()}": self.badness(n).ravel() for n in self.names}
        rows = [self.ltc.layers.index(layer) for layer in self.layers]
        tables["LTC"] = self.ltc.difference[rows].numpy().ravel()
        found = {
            (x, y): float("nan") if min(np.ptp(u), np.ptp(v)) == 0 else float(spearmanr(u, v).statistic)
            for x, u in tables.items()
            for y, v in tables.items()
        }
        return pandas.DataFrame([[found[x, y] for y in tables] for x in tables], list(tables), list(tables))

    # the set

    def choose(
        self, top: int = 15, by: By | None = None, validation: Acts | None = None, *, guard: bool = True
    ) -> HeadSet:
        """The head set Algorithm 1 of R25 chooses: of all prefixes of up to `top` heads of every ranked list (A, −B, C,
        −D; of pooled scores also those of every pair) the one with the largest value after zero-ablation.

        top: T, default 15. by: "utility" (default: mean margin of cosines over the labelled images), "balanced" (mean
        over W and over C ∪ A separately), "accuracy", "worst_group" or "group_mean". validation: judge on these parts
        instead; default criterion then "worst_group", or the mean of the class accuracies where no groups are known.
        guard: compare the empty set too (default; False is the paper's algorithm to the letter).

        Returns a HeadSet with .utility and .why. Ties: the smaller set, then A, B, C, D.

        >>> import toolkit as tk
        >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
        >>> tk.locate(acts, tk.classes(["waterbird", "landbird"])).choose().utility > 0
        True
        """
        if isinstance(top, bool) or not isinstance(top, int) or top < 1:
            raise InputError("scores.choose", f"top={top!r}", "a whole number of at least 1", "pass how many heads")
        judge, has_groups = self._session.judge(self._asked, validation)
        if by is None:
            by = "utility" if validation is None else "worst_group" if has_groups else "group_mean"
        if by not in CRITERIA:
            raise InputError("scores.choose", f"by={by!r}", " or ".join(map(repr, CRITERIA)), "pass one of these")
        if by == "balanced" and not ((judge.side == 0).any() and (judge.side == 1).any()):
            side = "W" if not (judge.side == 0).any() else "C ∪ A"
            raise InputError("scores.choose", f'by="balanced" where {side} is empty', "images in both", "take others")
        found = choose(judge, self.lists(top), by, guard)
        heads = tuple((self.layers[row], head) for row, head in found.heads)
        utility = found.value if by == "utility" and validation is None else self._session.utility(heads)
        where = "" if validation is None else f" on {len(judge.truth)} validation images"
        why = _why(found.curves, found.score, len(heads), by, found.value, found.base, where)
        return HeadSet(heads, utility, why, self.settings["class_set"])

    def lists(self, top: int = 15) -> dict[str, list[tuple[int, int]]]:
        """The ranked lists Algorithm 1 looks at, by name: positions (row, head) of the `top` worst heads of each."""
        rows = {layer: row for row, layer in enumerate(self.layers)}
        out: dict[str, list[tuple[int, int]]] = {}
        for name in NAMES:
            for scores in (self, *self.pairs):
                if name in scores.names:
                    pair = "" if scores.pair is None or not self.pairs else f" ({' → '.join(scores.pair)})"
                    ranked = scores._heads(scores.badness(name))[:top]
                    out[name.upper() + pair] = [(rows[layer], head) for layer, head in ranked]
        return out

    def random(self, size: int, draws: int = 200, seed: int = 0) -> RandomSets:
        """What random sets of `size` heads of these layers give: their utility and their mean badness by every score;
        the chance level of a chosen set.
        """
        tables = {name: self.badness(name) for name in self.names}
        return random_sets(self._session, self.layers, tables, size, draws, seed)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per head: layer, head, raw a, b, c, d, and LTC's V_W and V_C."""
        import pandas

        l, h = self.raw.shape[1:]
        rows = [self.ltc.layers.index(layer) for layer in self.layers]
        columns = {"layer": np.repeat(self.layers, h), "head": np.tile(np.arange(h), l)}
        columns |= {name: self.raw[i].ravel() for i, name in enumerate(NAMES)}
        columns |= {
            "ltc_wrong": self.ltc.wrong[rows].numpy().ravel(),
            "ltc_correct": self.ltc.correct[rows].numpy().ravel(),
        }
        return pandas.DataFrame(columns)  # fmt: skip

    @property
    def _asked(self) -> tuple[tuple[str, str], ...]:
        return (self.pair,) if self.pair is not None else tuple(s.pair for s in self.pairs if s.pair)

    @property
    def _counts(self) -> str:
        return ", ".join(f"|{name}| = {size}" for name, size in self.sizes.items())

    def __repr__(self) -> str:
        what = f"{len(self.pairs)} pairs pooled" if self.pair is None else " taken for ".join(map(repr, self.pair))
        worst = "; ".join(f"{n}: {HeadSet(tuple(self.ranking(n).heads[:3]))}" for n in self.names)
        left = f", {self.settings['left_out']} left out" if self.settings["left_out"] else ""
        size = f"{len(self.layers)} layers × {self.raw.shape[2]} heads"
        return f"Scores({what}, {self._counts}{left}, {size}; worst by {worst})"


def pooled(tables: list[Array], weights: list[int]) -> Array:
    """The mean of tables [..., 4, l, h] weighted by |W|, over those in which a score exists."""
    stacked, w = np.stack(tables), np.array(weights, float).reshape(-1, *[1] * tables[0].ndim)
    known = np.isfinite(stacked)
    total = (np.where(known, stacked, 0) * w).sum(0)
    share = (known * w).sum(0)
    return np.asarray(np.where(share > 0, total / np.maximum(share, 1), np.nan))


def _why(
    curves: dict[str, tuple[float, ...]], score: str, t: int, by: str, value: float, base: float, where: str
) -> str:
    """One line: why this set."""
    compared = sum(len(curve) - 1 for curve in curves.values())
    names = {"utility": "U", "worst_group": "worst-group accuracy", "group_mean": "mean group accuracy"}
    what = names.get(by, "balanced U" if by == "balanced" else by)
    if not t:
        lists = f"{compared} prefixes of {len(curves)} lists"
        return f"No set: none of {lists} beats {what} = {base:.4f} with nothing off{where}."
    heads = "head" if t == 1 else f"{t} heads"
    return (
        f"The first {heads} of list {score}: {what} = {value:.4f} ({base:.4f} with nothing off) is the largest of"
        f" {compared} prefixes of {len(curves)} lists{where}."
    )
