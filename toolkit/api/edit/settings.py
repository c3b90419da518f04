"""How an edit may be asked for: pairs, weights, steps, strategies; everything else is refused in words."""

from __future__ import annotations

import math
import re
from numbers import Integral, Real
from typing import Any

from toolkit.api.images.judged import Judged
from toolkit.core.strategies import Diagonal, FullMatrix, LowRank, Strategy
from toolkit.errors import InputError

Pair = tuple[str, str]
STRATEGIES = ("diagonal", "full", "rank R (such as “rank 4”)")
LARGEST = 1e12
MOST_STEPS = 100_000
MOST_SEED = 2**63 - 1


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _real(value: Any) -> float | None:
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


def known_strategy(strategy: Any, d: int) -> Strategy:
    """A strategy by name. Raises InputError for another name, or a rank that is none."""
    if strategy == "diagonal":
        return Diagonal(d)
    if strategy == "full":
        return FullMatrix(d)
    found = re.fullmatch(r"(?:low[ _-])?rank[ _-]?(\d{1,6})", str(strategy).strip().lower())
    if found and 1 <= int(found[1]) <= d:
        return LowRank(d, int(found[1]))
    accepted = f"{', '.join(map(repr, STRATEGIES))}, R from 1 to {d}"
    raise InputError("edit", f"strategy={strategy!r:.80}", accepted, "name one of these")


def known_weight(name: str, value: Any) -> float:
    """α or β: a number from 0, not more than 10¹². Raises InputError for anything else."""
    found = _real(value)
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
    found = _real(scale)
    if found is None or not found > 0:
        accepted = f"a number above 0: 1 (R25's tables), or None for the checkpoint's {own:g}"
        raise InputError("edit", f"logit_scale={scale!r:.80}", accepted, "pass such a scale")
    return found


def known_options(way: Strategy, rate: Any, nonnegative: Any, allowance: Any, seed: Any) -> dict[str, Any]:
    """rate, nonnegative, allowance and seed, checked. Raises InputError for anything else."""
    speed, share = _real(rate), None if allowance is None else _real(allowance)
    if speed is None or not 0 < speed < 10:
        raise InputError("edit", f"rate={rate!r:.80}", "a learning rate above 0, such as 0.01", "pass such a rate")
    if allowance is not None and (share is None or not 0 <= share <= 1):
        given = f"allowance={allowance!r:.80}"
        raise InputError("edit", given, "the share of C ∪ A that may be lost, from 0 to 1", "pass such a share")
    if not isinstance(nonnegative, bool) or (nonnegative and way.name != "diagonal"):
        given = f"nonnegative={nonnegative!r:.80} with strategy={way.name!r}"
        raise InputError("edit", given, 'True with strategy="diagonal", or False', "leave nonnegative out")
    start = _whole(seed, MOST_SEED)
    if start is None:
        raise InputError("edit", f"seed={seed!r:.80}", "a whole number from 0", "pass such a seed")
    return {"rate": speed, "nonnegative": nonnegative, "allowance": share, "seed": start}
