"""`LTC` as a method: spurious heads at their mean, salient ones drawn towards what tells the classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from torch import Tensor

from toolkit.api.locate.locate import locate
from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Fitted, Names
from toolkit.api.methods.heads_off import known_heads
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.registry import method
from toolkit.api.methods.robo_shot import CANCELS, SHARES
from toolkit.api.methods.shots import Shots
from toolkit.core.heads import HeadSet
from toolkit.core.inject import MODES, Mode, directions, inject
from toolkit.core.methods.head_sums import each_head, head_sum
from toolkit.core.seen import Seen
from toolkit.errors import InputError

Means = Literal["shots", "images"]


@method
@dataclass(frozen=True, eq=False, repr=False)
class LTC(Method):
    """Locate-Then-Correct: E + s (what mean-ablating the spurious and injecting into the salient heads changes).

    LTC §4 (arXiv 2505.17425). The dial s goes from 0, the model as it is, to 1, the paper's correction
    (`tk.ltc_correct`). The paper takes a head's mean over the images that are corrected; with `means="shots"` an
    image's answer does not depend on which others are asked about.

    Arguments:
        spurious: heads in any spelling; default those that the votes of the shots name.
        salient: heads in any spelling; default those that the votes name, none without pairs.
        pairs: of texts of an attribute and its opposite, or vectors [m, 2, d]; default none.
        mode: "released" or "own_norm", as for `tk.ltc_correct`; default "released".
        means: over the "shots", or the "images" asked about; default "shots".

    >>> import toolkit as tk
    >>> tk.methods.LTC("L3.H7").means
    'shots'
    """

    name: ClassVar[str] = "LTC"
    told: ClassVar[Told] = "labels"
    source: ClassVar[str] = "Locate-Then-Correct 2025"
    spurious: Any = None
    salient: Any = None
    pairs: Any = ()
    mode: Mode = "released"
    means: Means = "shots"

    def solve(self, shots: Shots) -> LTCFitted:
        for what, given, known in (("mode", self.mode, MODES), ("means", self.means, get_args(Means))):
            if given not in known:
                raise InputError(self.name, f"{what}={given!r}", " or ".join(map(repr, known)), "name one of these")
        one, other = shots.pairs(self.pairs, "pairs", False)
        made = LTCFitted(self, shots)
        located = self.spurious is None or (self.salient is None and len(one) > 0)
        wrong = bool((shots.images.guess != shots.images.truth).any())
        votes = locate(shots.images.acts, shots.classes, resamples=1).ltc if located and wrong else None
        named = () if self.spurious is None else self.spurious
        made.spurious = known_heads(shots, votes.spurious if self.spurious is None and votes else named)
        chosen = () if not len(one) and self.salient is None else self.salient
        made.salient = known_heads(shots, votes.salient if chosen is None and votes else chosen or ())
        if both := [head for head in made.salient if head in made.spurious]:
            raise InputError(self.name, f"{HeadSet(tuple(both))} in both sets", "sets without common heads", "choose")
        if len(made.salient) and not len(one):
            raise InputError(
                self.name, "salient heads without pairs", "pairs of texts, or vectors [m, 2, d]", "add them"
            )
        made.basis = directions(one - other)
        seen = made.seen(shots.images.acts)
        made.mean = head_sum(seen, made.spurious.heads).mean(0)
        made.ledger = Ledger(labels=len(shots) if located else 0, texts=2 * len(one))
        made.notes = (f"spurious {made.spurious or 'none'}; salient {made.salient or 'none'}",)
        return made


class LTCFitted(Fitted):
    """LTC, its heads found. spurious, salient: the heads; basis [m, d]; mean [d]: of the spurious over the shots."""

    dial = Dial("strength", SHARES, paper=1.0, high=1.0, says="how much of the correction is made")
    spurious: HeadSet
    salient: HeadSet
    basis: Tensor
    mean: Tensor
    method: LTC

    def change(self, seen: Seen) -> Tensor:
        """[b, d]: what the whole correction adds."""
        kept = self.kept(seen)
        if "change" not in kept:
            off = head_sum(seen, self.spurious.heads)
            change = (self.mean if self.method.means == "shots" else off.mean(0)) - off
            for _, own in each_head(seen, self.salient.heads):
                change += inject(own, self.basis, self.method.mode) - own
            kept["change"] = change
        found: Tensor = kept["change"]
        return found

    def embedded(self, seen: Seen, value: float) -> Tensor:
        return seen.embedding + value * self.change(seen)

    def contribution(self, seen: Seen, head: tuple[int, int], part: Tensor, value: float) -> Tensor:
        if head in self.salient:
            return part + value * (inject(part, self.basis, self.method.mode) - part)
        return (1 - value) * part if head in self.spurious else part

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        return images @ texts.T

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        kept, change = self.kept(seen), self.change(seen)
        if "along" not in kept:
            kept["along"] = (change @ seen.texts.T, (seen.embedding * change).sum(1), change.square().sum(1))
        products, own, size = kept["along"]
        square = 1 + 2 * value * own + value**2 * size
        if float(square.min()) < CANCELS:
            return super().quick(seen, value, second)
        norm = square.sqrt()
        found: Tensor = (self._as_it_is(seen) + value * products) / norm[:, None]
        return found
