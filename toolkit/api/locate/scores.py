"""`Scores`: how much every head pushes towards an error, how sure that is, and the set that follows from it.

Long because one name answers for all that is asked of an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.checks import Check, quiet, whole
from toolkit.api.locate.evidence import AbsentScoreError, LocateEvidence
from toolkit.api.locate.overlap import Overlap
from toolkit.api.locate.random_sets import RandomSets, random_sets
from toolkit.api.locate.registry import HeadScore, known_score, offered
from toolkit.api.locate.score_maps import ScoreMaps
from toolkit.api.locate.steady import Ranked, cross_validated, stable
from toolkit.api.locate.tables import Error, pooled, samples_of, table_of
from toolkit.api.locate.within import allowed
from toolkit.api.switch_off.total import How
from toolkit.core.choice import CRITERIA, STEADY, By, Judge, choose, predicted
from toolkit.core.effects import NAMES, SIGN
from toolkit.core.heads import HeadSet
from toolkit.core.precision import full_precision
from toolkit.core.ranked import mistakes
from toolkit.core.votes import Votes
from toolkit.data.classes import ClassSet
from toolkit.data.classes import classes as class_set
from toolkit.errors import InputError, warn_caller

if TYPE_CHECKING:
    import pandas

    from toolkit.api.images.acts import Acts

Array = NDArray[np.float64]
LISTS = ("A", "−B", "C", "−D")
"""The scores whose ranked lists the paper's algorithm looks at."""
USUAL_SCORE = "−D"
"""The score a panel shows first, and whose first heads it chooses: on validation scenes of the built-in world these, as
many as other validation scenes say, mend the worst group as well as those of all four lists and cost the others less.
"""
STABLE_LIST = "C"
"""The score whose first heads are kept by "stable": of the four the best on validation scenes of the built-in world."""


@dataclass(frozen=True, eq=False)
class Band:
    """An interval of every head's score.

    Attributes:
        low: the lower limits [l, h].
        high: the upper limits [l, h].
        level: of the interval, 0 to 1.
        method: in words.
    """

    low: Array
    high: Array
    level: float
    method: str


COLLAPSED, NOT_YET = 0.95, 0.8
"""Of the predictions, the share of one class above which a choice is warned of, where it had less than that before."""


class CollapseWarning(UserWarning):
    """A head set that sends nearly every image to one class (R25 App. B saw it on CelebA)."""


LISTED_WORK = 2_000_000_000
"""Logits that Algorithm 1 may work out: with a thousand classes there are thousands of pairs, each with its lists."""


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """DE_A … DE_D of every head for one pair of classes, or pooled over pairs (R25 §3.2); made by `tk.locate`.

    Attributes:
        pair: (true, predicted), or None for pooled.
        layers: of the rows [l].
        raw: DE_A, DE_B, DE_C, DE_D, on the cosine scale [4, l, h]; nan where the averaging set is empty.
        sizes: images in W, C and A.
        empty: reference sets without images, whose mean is the zero vector.
        pairs: the scores of every pair, of pooled ones.
        settings: model, data, similarity, class set.
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
        """A, −B, C or −D of every head [l, h]: positive where the head pushes towards the error.

        Arguments:
            name: "a", "b", "c" or "d".

        >>> import toolkit as tk
        >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
        >>> tk.locate(acts, tk.classes(["waterbird", "landbird"])).badness("b").shape
        (4, 8)
        """
        at = self._index(name)
        return np.asarray(SIGN[at] * self.raw[at])

    @full_precision
    def map(self, name: str, *, text: str = "", how: How = "zero", check: Check = quiet) -> Array:
        """Any score of heads by name (`tk.head_score`) [l, h], higher = guiltier; of A to D the badness.

        Arguments:
            name: of a score: "A", "−B", "C", "−D", "LTC", "text", "direct", "total", or one that was registered.
            text: for a score along a text; default "", predicted − true class.
            how: what takes a head's place where a score switches it off: "zero", "mean" or "resample"; default "zero".
            check: called with (done, of) by long work; what it raises ends the work; default nothing.

        Raises:
            InputError: for an unknown name (with the nearest), for what a registered function returns or raises, and
                where the score does not exist since images it averages over are missing.

        >>> import toolkit as tk
        >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
        >>> scores = tk.locate(acts, tk.classes(["waterbird", "landbird"]))
        >>> bool((scores.map("-B") == scores.badness("b")).all())
        True
        """
        return table_of(self._session, known_score(name, "scores.map"), self._error, how, text, check)

    def maps(self) -> ScoreMaps:
        """By name, [l, h]: every score that a HeadGrid offers and that exists here; `tk.HeadGrid(scores)` shows them.
        What fails is nan everywhere.
        """
        found = ScoreMaps()
        for score in offered("HeadGrid"):
            try:
                found[score.name] = self.map(score.name)
            except AbsentScoreError:
                continue
            except InputError:
                found[score.name] = np.full(self.raw.shape[1:], np.nan)
        return found

    def ranking(self, name: str) -> HeadSet:
        """All heads by descending score, the guiltiest first (`HeadSet`); equal ones in the order of the model.

        Arguments:
            name: of a score, as for `.map`.

        Raises:
            InputError: for a score that is nowhere a number.
        """
        table = self.map(name)
        if not np.isfinite(table).any():
            given = f"{name!r}, which is nowhere a number here ({self._counts})"
            raise InputError("scores.ranking", given, ", ".join(self.names), "use a score that exists")
        return HeadSet(tuple(self._heads(table)))

    def _heads(self, table: Array) -> list[tuple[int, int]]:
        order = np.argsort(-np.nan_to_num(table, nan=-np.inf), axis=None, kind="stable")
        return [(self.layers[i // table.shape[1]], int(i % table.shape[1])) for i in order]

    def _index(self, name: str) -> int:
        if not isinstance(name, str) or name.lower() not in NAMES:
            raise InputError("scores", f"the score {name!r}", "a, b, c or d", "name one of these")
        return NAMES.index(name.lower())

    @property
    def _error(self) -> Error:
        return Error(self.pair) if self.pair is not None else Error(None, self._asked)

    # how sure

    @full_precision
    def resample(self, check: Check) -> None:
        """Draw the bootstrap samples now.

        Arguments:
            check: called with (samples done, of); what it raises ends the work.
        """
        if self.pair is not None:
            self._session.replicates(self.pair, check)

    @cached_property
    def replicates(self) -> Array:
        """[resamples, 4, l, h]: the raw scores of bootstrap samples of the images, drawn inside every cell of label and
        prediction, so that W, C and A keep their sizes.
        """
        if self.pair is not None:
            return self._session.replicates(self.pair)
        drawn = (self._session.replicates(p.pair) for p in self.pairs if p.pair)
        return pooled(drawn, [p.sizes["W"] for p in self.pairs])

    @cached_property
    def interval(self) -> Mapping[str, Band]:
        """By name (a, b, c, d), a 95 % percentile bootstrap interval of the raw score of every head."""
        low, high = np.quantile(self.replicates, [0.025, 0.975], axis=0)
        return {name: Band(low[i], high[i], 0.95, self._method) for i, name in enumerate(NAMES)}

    @full_precision
    def band(self, name: str, check: Check = quiet) -> Band | None:
        """A 95 % percentile bootstrap interval of every head's score as `.map` gives it (`Band`).

        Images are resampled and the score is worked out again. None for a score that was registered without an
        interval.

        Arguments:
            name: of a score, as for `.map`.
            check: called with (samples done, of); what it raises ends the work; default nothing.
        """
        score = known_score(name, "scores.band")
        if not score.interval:
            return None
        samples = samples_of(self._session, score, self._error, check)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a head without a number has no interval
            low, high = np.nanquantile(samples, [0.025, 0.975], axis=0)
        return Band(low, high, 0.95, self._method)

    @property
    def _method(self) -> str:
        n, seed = self._session.resamples, self._session.seed
        single = [name for s in (self, *self.pairs) for name, size in s.sizes.items() if size == 1]
        alone = ", ".join(dict.fromkeys(single))
        pair = " of a pair" if self.pairs else ""
        note = f"; {alone}{pair} holds one image, which does not vary" if alone else ""
        return f"percentile bootstrap of the images inside label × prediction ({n} resamples, seed {seed}){note}"

    @full_precision
    def stability(self, name: str, top: int = 15, check: Check = quiet) -> Array:
        """In which share of the bootstrap samples a head is among the `top` worst [l, h]; nan without a score.

        Arguments:
            name: of a score with an interval, as for `.map`.
            top: how many heads count as the worst; default 15.
            check: called with (samples done, of); what it raises ends the work; default nothing.

        Raises:
            InputError: for a score without an interval.
        """
        score = known_score(name, "scores.stability")
        if not score.interval:
            accepted = "a score with an interval"
            raise InputError("scores.stability", f"the score {name!r}, which has none", accepted, "name another score")
        table, samples = self.map(name), samples_of(self._session, score, self._error, check)
        order = np.argsort(-np.nan_to_num(samples.reshape(len(samples), -1), nan=-np.inf), axis=1, kind="stable")
        counts = np.bincount(order[:, : max(1, top)].ravel(), minlength=table.size) / len(samples)
        return np.where(np.isfinite(table), counts.reshape(table.shape), np.nan)

    @cached_property
    def ltc(self) -> Votes:
        """Locate-Then-Correct's counts over the same images (of `minority` groups, where given), for all layers."""
        return self._session.votes(self._asked)

    def agreement(self) -> pandas.DataFrame:
        """Spearman correlations of the badness A, −B, C, −D and of LTC's V_W − V_C over the heads."""
        import pandas
        from scipy.stats import spearmanr

        tables = {f"{'−' * (SIGN[NAMES.index(n)] < 0)}{n.upper()}": self.badness(n).ravel() for n in self.names}
        wrong, right = self._shares_of_votes
        tables["LTC"] = wrong - right
        found = {
            (x, y): float(spearmanr(u, v).statistic) if np.ptp(u) > 0 and np.ptp(v) > 0 else float("nan")
            for x, u in tables.items()
            for y, v in tables.items()
        }
        return pandas.DataFrame([[found[x, y] for y in tables] for x in tables], list(tables), list(tables))

    # the set

    @full_precision
    def choose(
        self,
        top: int = 15,
        by: By | None = None,
        validation: Acts | None = None,
        *,
        lists: str | Sequence[str] = LISTS,
        guard: bool = True,
        pooled: bool = True,
        within: float | None = None,
        classes: Any = None,
        check: Check = quiet,
    ) -> HeadSet:
        """The head set Algorithm 1 of R25 chooses, with .utility and .why (`HeadSet`).

        Of all prefixes of up to `top` heads of every ranked list (of pooled scores also those of every pair; of
        thousands of pairs those of the most frequent, which .why says) it is the one with the largest value after
        zero-ablation. Ties: the smaller set, then the earlier list.

        Arguments:
            top: T, the length of the lists, at least 1; default 15.
            by: "utility" (mean margin of cosines over the labelled images), "balanced" (mean over W and over C ∪ A
                separately), "accuracy", "worst_group" or "group_mean"; default "utility"; with validation
                "worst_group", or "group_mean" where no groups are known. Two depend less on which images were drawn:
                "cross_validation" (as many heads of the list as serve best the fifths of the images that had no part in
                ranking them) and "stable" (no prefix: the heads that at least 90 % of 100 halves of the images name
                among their first few by C, or by the one score of `lists`; Meinshausen and Bühlmann 2010, at most one
                by chance).
            validation: judge on these parts instead; default the images of the scores.
            lists: the scores whose lists are looked at, by name; default the paper's A, −B, C and −D.
            guard: compare the empty set too (False is the paper's algorithm to the letter); default True.
            pooled: of scores of all mistakes also look at the pooled lists, beside those of every pair (False is the
                paper's algorithm, whose lists are of one ordered pair each); default True.
            within: points of accuracy that the other classes, those the scores' images are not of, may lose together in
                the validation images; the groups are then those of the scores' classes alone; 100: any; default 2 where
                groups are judged on validation images of other classes too, else none.
            classes: all classes to tell apart in the validation images, those of the scores among them; default those
                of the scores.
            check: called with (done, of) by long work; what it raises ends the work; default nothing.

        Raises:
            InputError: for an unknown score or criterion, where no score of `lists` exists, for within= without
                validation or without images of other classes, for classes= without validation or without those of the
                scores, and where too many halves or folds hold no mistake.

        >>> import toolkit as tk
        >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
        >>> tk.locate(acts, tk.classes(["waterbird", "landbird"])).choose().utility > 0
        True
        """
        if isinstance(top, bool) or not isinstance(top, int) or top < 1:
            raise InputError("scores.choose", f"top={top!r}", "a whole number of at least 1", "pass how many heads")
        wider = self._wider(classes, validation)
        points = allowed(self._session.images, validation, within, by, wider)
        judge, has_groups = self._session.judge(self._asked, validation, points, wider)
        if by is None:
            by = "utility" if validation is None else "worst_group" if has_groups else "group_mean"
        if by in STEADY:
            return self._steady(by, top, validation, lists, guard, judge, check)
        looked_at = self.lists(top, lists, pooled)
        if by not in CRITERIA:
            known = " or ".join(map(repr, (*CRITERIA, *STEADY)))
            raise InputError("scores.choose", f"by={by!r}", known, "pass one of these")
        if by == "balanced" and not ((judge.side == 0).any() and (judge.side == 1).any()):
            side = "W" if not (judge.side == 0).any() else "C ∪ A"
            raise InputError("scores.choose", f'by="balanced" where {side} is empty', "images in both", "take others")
        found = choose(judge, looked_at, by, guard)
        heads = tuple((self.layers[row], head) for row, head in found.heads)
        utility = found.value if by == "utility" and validation is None else self._session.utility(heads)
        where = "" if validation is None else f" on {len(judge.truth)} validation images"
        if points is not None:
            where += f", the other classes losing at most {points:g} points"
        n = len(self._listed_pairs(top, 1 if isinstance(lists, str) else len(lists)))
        if n < len(self.pairs):
            where += (
                f", of {'all mistakes and of ' if pooled else ''}the {n} most frequent of {len(self.pairs):,} pairs"
            )
        why = _why(found.curves, found.score, len(heads), by, found.value, found.base, where)
        collapsed = _collapse(judge, found.heads, wider.names)
        if collapsed:
            warn_caller(f"scores.choose: {HeadSet(heads)} {collapsed}", CollapseWarning)
        return HeadSet(heads, utility, f"{why} It {collapsed}." if collapsed else why, wider.hash)

    def _wider(self, given: Any, validation: Acts | None) -> ClassSet:
        """The classes told apart in the validation images, as they were given."""
        own = self._session.images.classes
        if given is None:
            return own
        found = given if isinstance(given, ClassSet) else class_set(given)
        missing = [name for name in own.names if name not in found.names]
        if validation is None or missing:
            what = f"classes= without {missing[0]!r}" if missing else "classes= without validation images"
            accepted = f"the classes of the validation images, {', '.join(own.names[:5])} among them"
            raise InputError("scores.choose", what, accepted, "pass validation= and all classes, or leave classes out")
        return found

    def _steady(
        self, by: str, top: int, validation: Acts | None, lists: str | Sequence[str], guard: bool, judge: Judge,
        check: Check,
    ) -> HeadSet:  # fmt: skip
        if validation is not None:
            given = f"by={by!r} with validation images"
            fix = "leave validation out, or choose by another criterion"
            raise InputError("scores.choose", given, "the images of the scores alone", fix)
        if by == "stable":
            first = STABLE_LIST if lists == LISTS else lists if isinstance(lists, str) else lists[0]
            found = stable(self._session, self._asked, known_score(first, "scores.choose").name, check)
        else:
            found = cross_validated(self._session, judge, self._ranked(top, lists), top, guard, check)
        heads = tuple((self.layers[row], head) for row, head in found.heads)
        return HeadSet(heads, self._session.utility(heads), found.why, self.settings["class_set"])

    @full_precision
    def lists(
        self, top: int = 15, names: str | Sequence[str] = LISTS, pooled: bool = True
    ) -> dict[str, list[tuple[int, int]]]:
        """The ranked lists Algorithm 1 looks at, by name: positions (row, head) of the `top` worst heads of each.

        Arguments:
            top: the length of each; default 15.
            names: of the scores; default A, −B, C and −D. Those that do not exist here are left out; InputError where
                none does.
            pooled: of scores of all mistakes also the pooled lists, where there are pairs; default True.
        """
        return {name: ranked.heads for name, ranked in self._ranked(top, names, pooled).items()}

    def overlap(self, top: int = 15, names: str | Sequence[str] = LISTS) -> Overlap:
        """The ranked lists side by side, and which heads they share (R25 Table 4), as `Overlap`.

        Arguments:
            top: the length of each, at least 1; default 15.
            names: of the scores; default A, −B, C and −D. Those that do not exist here are left out.

        Raises:
            InputError: where none exists.
        """
        lists = self.lists(whole("top", top, 1, "scores.overlap"), names)
        return Overlap({name: [(self.layers[row], head) for row, head in heads] for name, heads in lists.items()})

    def _ranked(self, top: int, names: str | Sequence[str], pooled: bool = True) -> dict[str, Ranked]:
        rows = {layer: row for row, layer in enumerate(self.layers)}
        asked = [known_score(name, "scores.choose") for name in ([names] if isinstance(names, str) else names)]
        out: dict[str, Ranked] = {}
        for score in asked:
            pairs = self._listed_pairs(top, len(asked))
            for scores in (self, *pairs) if pooled or not pairs else pairs:
                table = scores._table_or_none(score)
                if table is not None:
                    pair = "" if scores.pair is None or not self.pairs else f" ({' → '.join(scores.pair)})"
                    ranked = scores._heads(table)[:top]
                    heads = [(rows[layer], head) for layer, head in ranked]
                    out[score.name.removeprefix("−") + pair] = Ranked(score.name, scores._asked, heads)
        if not out:
            given = f"lists={names!r}, of which none has a number here ({self._counts})"
            raise InputError("scores.choose", given, ", ".join(self.names), "name scores that exist")
        return out

    def _listed_pairs(self, top: int, names: int) -> tuple[Scores, ...]:
        """The pairs whose lists are looked at beside the pooled ones: all, or as many of the most frequent as
        LISTED_WORK allows. names: lists a pair.
        """
        images = self._session.images
        each = names * top * len(images) * len(images.classes)
        most = max(0, LISTED_WORK // each - 1)
        if most >= len(self.pairs):
            return self.pairs
        order = np.argsort([-scores.sizes["W"] for scores in self.pairs], kind="stable")[:most]
        return tuple(self.pairs[i] for i in sorted(order.tolist()))

    def _table_or_none(self, score: HeadScore) -> Array | None:
        """A score where it exists."""
        try:
            table = self.map(score.name)
        except AbsentScoreError:
            return None
        return table if np.isfinite(table).any() else None

    def random(self, size: int, draws: int = 200, seed: int = 0) -> RandomSets:
        """What random sets of `size` heads of these layers give: the chance level of a chosen set (`RandomSets`).

        It holds their utility and their mean badness by every score.

        Arguments:
            size: heads a set, 0 to all of these layers.
            draws: how many sets, 2 to 1,000,000; default 200.
            seed: of the draws; default 0.
        """
        tables = {name: self.badness(name) for name in self.names}
        return random_sets(self._session, self.layers, tables, size, draws, seed)

    def mistakes(self, find: str = "") -> pandas.DataFrame:
        """All kinds of mistakes of these images, the most frequent first: true, predicted, images. Any of them can be
        located: `tk.locate(acts, classes, true, predicted)`.

        Arguments:
            find: a text in the name of either class, whatever its case, or "crane → heron"; default all.
        """
        import pandas

        images = self._session.images
        guess = images.guess.numpy()
        found = mistakes(images.truth.numpy(), guess, guess, images.classes.names)
        rows = [(row.true, row.predicted, row.before) for row in found.ranked(find)]
        return pandas.DataFrame(rows, columns=["true", "predicted", "images"])

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per head: layer, head, raw a, b, c, d, and LTC's V_W and V_C."""
        import pandas

        l, h = self.raw.shape[1:]
        columns = {"layer": np.repeat(self.layers, h), "head": np.tile(np.arange(h), l)}
        columns |= {name: self.raw[i].ravel() for i, name in enumerate(NAMES)}
        columns["ltc_wrong"], columns["ltc_correct"] = self._shares_of_votes
        return pandas.DataFrame(columns)

    @property
    def _shares_of_votes(self) -> tuple[Array, Array]:
        """LTC's V_W and V_C of every head of these layers [l · h]; nan where not all layers are kept."""
        try:
            votes = self.ltc
        except AbsentScoreError:
            nothing = np.full(self.raw[0].size, np.nan)
            return nothing, nothing
        rows = [votes.layers.index(layer) for layer in self.layers]
        return votes.wrong[rows].numpy().ravel(), votes.correct[rows].numpy().ravel()

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


def _collapse(judge: Judge, heads: Sequence[tuple[int, int]], names: Sequence[str]) -> str:
    """That nearly all images are taken for one class with these heads off, which was not so before; "" where not."""
    if not heads:
        return ""
    before, after = predicted(judge, heads)
    most = int(after.argmax())
    if after[most] <= COLLAPSED or before[most] >= NOT_YET:
        return ""
    n = len(judge.truth)
    return f"sends {100 * after[most]:.0f} % of {n} images to {names[most]!r} ({100 * before[most]:.0f} % before)"


def _why(
    curves: dict[str, tuple[float, ...]], score: str, t: int, by: str, value: float, base: float, where: str
) -> str:
    """One line: why this set."""
    compared = sum(len(curve) - 1 for curve in curves.values())
    names = {"utility": "U", "worst_group": "worst-group accuracy", "group_mean": "mean group accuracy"}
    what = names.get(by, "balanced U" if by == "balanced" else by)
    shares = by not in ("utility", "balanced")
    told, plain = (f"{100 * x:.1f} %" if shares else f"{x:.4f}" for x in (value, base))
    if not t:
        lists = f"{compared} prefixes of {len(curves)} lists"
        return f"No set: none of {lists} beats {what} = {plain} with nothing off{where}."
    heads = "head" if t == 1 else f"{t} heads"
    return (
        f"The first {heads} of list {score}: {what} = {told} ({plain} with nothing off) is the largest of"
        f" {compared} prefixes of {len(curves)} lists{where}."
    )
