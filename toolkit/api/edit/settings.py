"""How an edit may be asked for: pairs, weights, steps, strategies; everything else is refused in words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

from toolkit.api.images.judged import Judged
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.heads import HeadSet
from toolkit.core.outcomes import listed
from toolkit.core.projection_strategies import ProjectionMatrix, ProjectionRank
from toolkit.core.solvers import RATE
from toolkit.core.strategies import Bounds, Diagonal, FullMatrix, LowRank, Strategy
from toolkit.errors import InputError

Pair = tuple[str, str]
STRATEGIES = (
    "diagonal", "full", "rank R", "strengths", "strengths all", "directions R", "class vectors", "projection full",
    "projection rank R",
)  # fmt: skip
SPACES = ("embedding", "projection")
"""Where a matrix stands: behind the embedding, or in the place of the projection."""
MOST_DIRECTIONS = 16
RATES = {"strengths all": 0.03, "directions": 0.03}
"""Of Adam, by kind of strategy; RATE for the others. Chosen on validation seeds (docs/editing.md)."""
RIDGES = {"strengths": 0.1, "strengths all": 0.1, "directions": 0.01, "class vectors": 0.1}
"""The pull towards the identity by kind, where there are more numbers than images; 0 for the others. Chosen as
RATES."""
LIMITS: Bounds = (0.0, 2.0)
"""Of strengths."""
HOLDABLE = ("strengths", "strengths all")
LARGEST = 1e12
MOST_STEPS = 100_000
MOST_SEED = 2**63 - 1


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def real(value: Any) -> float | None:
    """A finite number, numpy's too; None for anything else."""
    number = float(value) if isinstance(value, Real) and not _truth(value) else math.nan
    return number if math.isfinite(number) else None


def _whole(value: Any, most: int) -> int | None:
    """A whole number from 0 to `most`, numpy's too; None for anything else."""
    number = int(value) if isinstance(value, Integral) and not _truth(value) else -1
    return number if 0 <= number <= most else None


def known_pairs(classes: Any, true: Any, predicted: Any, pairs: Any, images: Judged) -> tuple[Pair, ...]:
    """The pairs asked for: several, or one, or all of one class; () for all mistakes. Raises InputError for others, and
    for two classes that the model cannot tell apart.
    """
    accepted = "(true, predicted), two different classes"
    if pairs is not None and (true is not None or predicted is not None):
        raise InputError("edit", "pairs= beside true= or predicted=", "one of the two", "leave the other out")
    if pairs is not None:
        several = isinstance(pairs, list | tuple) and all(isinstance(p, tuple | list) and len(p) == 2 for p in pairs)
        if not several:
            raise InputError("edit", f"pairs={pairs!r:.80}", f"a list of {accepted}", "name the classes of each")
        asked = [tuple(classes.names[classes.index(x)] for x in pair) for pair in pairs]
    else:
        one = [None if x is None else classes.names[classes.index(x)] for x in (true, predicted)]
        if one == [None, None]:
            return ()
        made = [pair for pair in images.mistakes if pair not in images.twins]
        asked = [(one[0], one[1])] if None not in one else [
            pair for pair in made if one[0] in (None, pair[0]) and one[1] in (None, pair[1])
        ]  # fmt: skip
        if not asked:
            given = f"true={one[0]!r}, predicted={one[1]!r}: nothing to do, no image is wrong in this way"
            raise InputError("edit", given, "a mistake that is made", "look at the confusion and name another pair")
    for y, other in asked:
        if y == other:
            raise InputError("edit", f"the pair {(y, other)!r}", accepted, "name two classes")
        images.check_pair((str(y), str(other)), "edit")
    return tuple(dict.fromkeys((str(y), str(o)) for y, o in asked))


class Held(NamedTuple):
    """A strength that is not solved for: its name, its place among the parameters, and what it stays at."""

    name: str
    place: int
    strength: float


class Options(NamedTuple):
    """How an edit is solved, beside α, β and steps. rate: of Adam. nonnegative: θ ≥ 0. bounds: of every parameter, None
    for none. ridge: weight of ½ ‖θ − θ₀‖². seed: of a random start. hold: strengths that are not solved for.
    """

    rate: float
    nonnegative: bool
    bounds: Bounds | None
    ridge: float
    seed: int
    hold: tuple[Held, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        """As plain values."""
        bounds = None if self.bounds is None else list(self.bounds)
        return self._asdict() | {"bounds": bounds, "hold": {one.name: one.strength for one in self.hold}}

    @property
    def solver(self) -> dict[str, Any]:
        """What a solver needs of them."""
        floor = (0.0, math.inf) if self.nonnegative else None
        hold = {one.place: one.strength for one in self.hold}
        return {"bounds": self.bounds or floor, "ridge": self.ridge, "seed": self.seed, "hold": hold}


def known_strategy(strategy: Any, d: int) -> str:
    """A strategy by its proper name. Raises InputError for another name, or a rank that is none."""
    name = str(strategy).strip().lower()
    if name in STRATEGIES:
        return name
    found = re.fullmatch(r"(?:low[ _-])?(rank|directions|projection rank)[ _-]?(\d{1,6})", name)
    most = MOST_DIRECTIONS if found and found[1] == "directions" else d
    if found and 1 <= int(found[2]) <= most:
        return f"{found[1]} {int(found[2])}"
    listed = ", ".join(map(repr, STRATEGIES))
    accepted = f"{listed}; R from 1 to {d}, of directions to {MOST_DIRECTIONS} (“rank 4”, “directions 2”)"
    raise InputError("edit", f"strategy={strategy!r:.80}", accepted, "name one of these")


def in_space(strategy: Any, space: Any) -> Any:
    """The strategy's name in a space. Raises InputError for another space, and for strategies that are of none."""
    if space not in SPACES:
        raise InputError("edit", f"space={space!r:.40}", " or ".join(map(repr, SPACES)), "name one of the two")
    name = str(strategy).strip().lower()
    if space == "embedding" or name.startswith("projection"):
        return strategy
    if name != "full" and not re.fullmatch(r"(?:low[ _-])?rank.*", name):
        given = f"strategy={strategy!r:.60} with space='projection'"
        raise InputError("edit", given, '"full" or "rank R": a matrix', "leave space out")
    return f"projection {name.removeprefix('low').strip(' _-')}"


def is_strategy(name: str) -> bool:
    """Whether this names a strategy of some size."""
    try:
        known_strategy(name, 10**6)  # of any rank
    except InputError:
        return False
    return True


def kind_of(strategy: str) -> str:
    """A strategy's name without its number."""
    return re.sub(r" \d+$", "", strategy)


def number_of(strategy: str) -> int:
    """The number in a strategy's name; 0 where there is none."""
    last = strategy.split()[-1]
    return int(last) if last.isdigit() else 0


def linear_strategy(name: str, d: int) -> Strategy | None:
    """The linear strategy of a proper name; None for those that need more than d."""
    made: dict[str, Callable[[], Strategy]] = {
        "diagonal": lambda: Diagonal(d), "full": lambda: FullMatrix(d), "rank": lambda: LowRank(d, number_of(name)),
    }  # fmt: skip
    kind = kind_of(name)
    return made[kind]() if kind in made else None


def projection_strategy(name: str, w: int, d: int) -> Strategy:
    """The strategy of a proper name that changes a projection [w, d]."""
    if kind_of(name) == "projection rank":
        return ProjectionRank(w, d, number_of(name))
    return ProjectionMatrix(w, d)


def known_weight(name: str, value: Any) -> float:
    """α or β: a number from 0, not more than 10¹². Raises InputError for anything else."""
    found = real(value)
    if found is None or not 0 <= found <= LARGEST:
        accepted = "a number from 0 (off) to 1e12; 1 to 100 is usual at the checkpoint's logit scale, 1e3 to 1e4 at 1"
        raise InputError("edit", f"{name}={value!r:.80}", accepted, f"pass such a number as {name}")
    return found


def known_steps(steps: Any) -> int | None:
    """How many steps; None for "converge". Raises InputError for anything else."""
    if isinstance(steps, str) and steps == "converge":
        return None
    found = _whole(steps, MOST_STEPS)
    if found is None:
        accepted = f'a whole number from 0 to {MOST_STEPS:,}, or "converge"'
        raise InputError("edit", f"steps={steps!r:.80}", accepted, "100 is the default")
    return found


def known_scale(scale: Any, own: float) -> float | None:
    """A logit scale; None for the checkpoint's, which is `own`. Raises InputError for anything else."""
    if scale is None:
        return None
    found = real(scale)
    if found is None or not found > 0:
        accepted = f"a number above 0: 1 (our reading of R25's magnitudes), or None for the checkpoint's {own:g}"
        raise InputError("edit", f"logit_scale={scale!r:.80}", accepted, "pass such a scale")
    return found


def known_options(
    strategy: str, size: int, images: int, rate: Any, nonnegative: Any, seed: Any, bounds: Any, ridge: Any
) -> Options:
    """rate, nonnegative, seed, bounds and ridge, checked; None for the defaults of a strategy with `size` parameters,
    fitted to so many images. Raises InputError for anything else.
    """
    kind = kind_of(strategy)
    speed = RATES.get(kind, RATE) if rate is None else real(rate)
    if speed is None or not 0 < speed < 10:
        raise InputError("edit", f"rate={rate!r:.80}", "a learning rate above 0, such as 0.01", "pass such a rate")
    if not isinstance(nonnegative, bool) or (nonnegative and strategy != "diagonal"):
        given = f"nonnegative={nonnegative!r:.80} with strategy={strategy!r}"
        raise InputError("edit", given, 'True with strategy="diagonal", or False', "leave nonnegative out")
    start = _whole(seed, MOST_SEED)
    if start is None:
        raise InputError("edit", f"seed={seed!r:.80}", "a whole number from 0", "pass such a seed")
    pull = (RIDGES.get(kind, 0.0) if size > images else 0.0) if ridge is None else real(ridge)
    if pull is None or not 0 <= pull <= LARGEST:
        given, accepted = f"ridge={ridge!r:.80}", "a number from 0 (off) to 1e12, or None for the strategy's own"
        raise InputError("edit", given, accepted, "pass such a weight")
    return Options(speed, nonnegative, _known_bounds(bounds, kind, nonnegative), pull, start)


def _known_bounds(bounds: Any, kind: str, nonnegative: bool) -> Bounds | None:
    scaled = kind in ("strengths", "strengths all", "directions")
    if bounds is None:
        return LIMITS if scaled else None
    accepted = "(low, high) with low ≤ 1 ≤ high: 1 is the model as it is"
    if not (scaled or kind == "diagonal") or nonnegative:
        given = f"bounds={bounds!r:.80} with " + ("nonnegative=True" if nonnegative else f"strategy={kind!r}")
        way = "bounds of “diagonal”, “strengths”, “strengths all” or “directions R”"
        raise InputError("edit", given, way, "leave one of the two out")
    pair = [real(x) for x in bounds] if isinstance(bounds, list | tuple) and len(bounds) == 2 else [None, None]
    low, high = pair
    if low is None or high is None or not low <= 1 <= high or low == high:
        raise InputError("edit", f"bounds={bounds!r:.80}", accepted, "such as bounds=(0, 2)")
    return low, high


def known_hold(hold: Any, way: Strategy, bounds: Bounds | None) -> tuple[Held, ...]:
    """Strengths that stay at a value, from a mapping of heads in any spelling to numbers; None for none. Raises
    InputError for anything else.
    """
    if not hold:
        return ()
    if not isinstance(way, HeadStrengths) or kind_of(way.name) not in HOLDABLE:
        given = f"hold= with strategy={way.name!r}"
        raise InputError("edit", given, 'strategy="strengths" or "strengths all"', "leave hold out")
    if not isinstance(hold, Mapping):
        fix = 'write hold={"L3.H7": 0.5}'
        raise InputError("edit", f"hold={hold!r:.80}", "a mapping from heads to strengths", fix)
    low, high = LIMITS if bounds is None else bounds
    found = dict[str, Held]()
    for key, value in hold.items():
        number = real(value)
        for head in HeadSet.of(key if isinstance(key, str) else [key]):
            name = str(HeadSet((head,)))
            if name not in way.names:
                given, fix = f"hold= of {name}, which is not scaled", "name it among heads= first"
                raise InputError("edit", given, listed(way.names, 5), fix)
            if number is None or not low <= number <= high:
                given = f"hold= of {name} at {value!r:.40}"
                raise InputError("edit", given, f"a strength from {low:g} to {high:g}", "pass such a number")
            found[name] = Held(name, way.names.index(name), number)
    return tuple(sorted(found.values(), key=lambda one: one.place))


def known_allowance(allowance: Any) -> float | None:
    """The share of C ∪ A that may be lost; None for no choice of a step. Raises InputError for anything else."""
    if allowance is None:
        return None
    share = real(allowance)
    if share is None or not 0 <= share <= 1:
        given = f"allowance={allowance!r:.80}"
        raise InputError("edit", given, "the share of C ∪ A that may be lost, from 0 to 1", "pass such a share")
    return share
