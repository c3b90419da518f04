"""`tk.faithfulness`: does the model's score fall when what a map points at goes, beside maps that know nothing?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import check_model
from toolkit.api.where.attribution import TokenAttribution
from toolkit.api.where.map_input import enough_memory, images_of
from toolkit.core.impute import road
from toolkit.core.perturb import Fill, curves, order
from toolkit.core.perturb import fill as fill_of
from toolkit.core.precision import full_precision
from toolkit.errors import InputError
from toolkit.models.images import Images
from toolkit.models.model import Model
from toolkit.signs import sign

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]
RANDOM, CONSTANT = "random order", "constant map"
MEASURES = ("deletion", "insertion", "road")
BETTER = {"deletion": -1, "insertion": 1, "road": 1}
REPLICATES = 2000
SHARES = (0.2, 0.4, 0.6, 0.8)
"""Of pixels that ROAD removes."""


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness:
    """How the score changes as places are taken out of images, or shown, in the order of a map, the highest first.

    Attributes:
        deletion: by name, area under the score (in its own units) against the share of patches replaced [b]: less is
            better.
        insertion: by name, the same against the share of patches shown [b]: more is better.
        road: by name, mean over shares of (score without the least relevant − score without the most relevant pixels) /
            2, holes filled by noisy linear imputation [b]: more is better, 0 knows nothing.
        names: the maps; after them the controls "random order" (mean of several) and "constant map".
        curves: by name, mean scores over images by share: "share", "deletion", "insertion".
        settings: how it was measured.
    """

    deletion: dict[str, Array]
    insertion: dict[str, Array]
    road: dict[str, Array]
    names: tuple[str, ...]
    curves: dict[str, dict[str, Array]]
    settings: dict[str, Any]

    @property
    def n(self) -> int:
        """Images."""
        return len(self.deletion[RANDOM])

    @cached_property
    def table(self) -> pandas.DataFrame:
        """One row per map and measure: mean, mean minus that of random order, its 95 % interval (paired bootstrap over
        images), and `beats_random`: whether all of it lies on the better side of zero.
        """
        import pandas

        rows = []
        for measure in MEASURES:
            areas: dict[str, Array] = getattr(self, measure)
            for name in areas:
                gain = BETTER[measure] * (areas[name] - areas[RANDOM])
                low, high = mean_interval(gain, self.settings["seed"])
                rows.append((name, measure, areas[name].mean(), gain.mean(), low, high, bool(low > 0)))
        columns = ["map", "measure", "mean", "better_by", "low", "high", "beats_random"]
        return pandas.DataFrame(rows, columns=columns).assign(n=self.n)

    def to_dataframe(self) -> pandas.DataFrame:
        """The same as `table`."""
        return self.table

    def beats_random(self, name: str, measure: str = "road") -> bool:
        """Whether a map is better than random order beyond doubt (95 %).

        Arguments:
            name: of a map.
            measure: "deletion", "insertion" or "road"; default "road".
        """
        row = self.table.query("map == @name and measure == @measure")
        if row.empty:
            accepted = f"{', '.join(self.names)}; {', '.join(MEASURES)}"
            raise InputError("Faithfulness.beats_random", f"{name!r}, {measure!r}", accepted, "name one of these")
        return bool(row["beats_random"].iloc[0])

    def __repr__(self) -> str:
        lines = [f"Faithfulness({self.n} images, {self.settings['target']}; mean, and by how much better than random)"]
        for name in self.names:
            cells = []
            for measure in MEASURES:
                row = self.table.query("map == @name and measure == @measure").iloc[0]
                sign = "" if row["beats_random"] or name in (RANDOM, CONSTANT) else " (no better than random)"
                cells.append(f"{measure} {row['mean']:+.4f}, {row['better_by']:+.4f}{sign}")
            lines.append(f"  {name}: " + "; ".join(cells))
        return "\n".join(lines)


@full_precision
def faithfulness(
    model: Model, images: Any, maps: TokenAttribution | Mapping[str, TokenAttribution], *, steps: int = 16,
    fill: Fill = "blur", fractions: Sequence[float] = SHARES, draws: int = 3, seed: int = 0, batch_size: int = 64,
    progress: bool | Callable[[int, int], None] = True, check: Callable[[], None] | None = None,
) -> Faithfulness:  # fmt: skip
    """Insertion and deletion by patches (Petsiuk et al. 2018) and ROAD by pixels (Rong et al. 2022) of maps.

    The score is the cosine (difference of cosines) the maps explain. Takes 2·(steps + fractions) forwards an image for
    each map and control: for the built-in model about a tenth of a second on two cores.

    Arguments:
        model: whose score is asked (`Model`); it need not be the one the maps were made of.
        images: those the maps were made of.
        maps: one, or several by name, of the same images and the same target.
        steps: of insertion and deletion, shares 0, 1/steps … 1; default 16.
        fill: what stands in removed patches: "blur", "mean", "black" or "noise"; default "blur".
        fractions: shares of the pixels that ROAD removes, each in (0, 1]; their holes are most of the work; default
            0.2, 0.4, 0.6 and 0.8.
        draws: random orders the control is the mean of; default 3.
        seed: of orders, ties and noise; default 0.
        batch_size: images through the model at a time; default 64.
        progress: a bar, False for none, or a function of (maps done, of); default True, the bar.
        check: called between batches; what it raises ends the work; default nothing.

    Returns:
        `Faithfulness`, with the controls in it: .table, .beats_random(name).

    Raises:
        InputError: for maps of other images or of several targets.

    >>> import toolkit as tk
    >>> model, data = tk.load(), tk.scenes("test", n=4)
    >>> maps = {"token map": tk.token_map(model, data, "a bird")}
    >>> found = tk.faithfulness(model, data, maps, steps=4, fractions=(0.5,), draws=1, progress=False)
    >>> found.names, found.n
    (('token map', 'random order', 'constant map'), 4)
    """
    check_model(model, "faithfulness")
    named = named_maps(maps, "faithfulness")
    source, _ = images_of(model, images, "faithfulness")
    direction, grid = _common(named, len(source), source.ids)
    for name, value in (("steps", steps), ("draws", draws)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InputError("faithfulness", f"{name}={value!r}", "a whole number of at least 1", "pass one")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError("faithfulness", f"seed={seed!r}", "a whole number of at least 0", "pass one")
    good = isinstance(fractions, Sequence) and all(isinstance(q, int | float) and 0 < q <= 1 for q in fractions)
    if not good or not fractions:
        raise InputError("faithfulness", f"fractions={fractions!r}", "shares in (0, 1], one or more", f"pass {SHARES}")
    tables = {name: torch.as_tensor(m.values.reshape(len(source), -1)) for name, m in named.items()}
    tables |= {f"{RANDOM} {i}": torch.zeros(len(source), grid[0] * grid[1], dtype=torch.float32) for i in range(draws)}
    tables[CONSTANT] = torch.zeros(len(source), grid[0] * grid[1], dtype=torch.float32)
    black = torch.tensor(
        [(0 - m) / s for m, s in zip(model.card.mean, model.card.std, strict=True)], dtype=torch.float32
    )

    def score(batch: Tensor) -> Tensor:
        with torch.no_grad():
            read = F.normalize(model._plain(batch), dim=-1)
            return read @ direction.to(read)

    measured: dict[str, dict[str, list[Any]]] = {name: {m: [] for m in (*MEASURES, "curves")} for name in tables}
    with sign("faithfulness", "map", progress) as report:
        _measure(model, source, tables, measured, score, black, grid, steps, fill, tuple(fractions), seed, batch_size,
                 report, check)  # fmt: skip
    first = next(iter(named.values()))
    settings = {
        "model": model.card.id, "fingerprint": model.card.fingerprint, "target": first.target, "score":
        "difference of cosines" if "−" in first.target else "cosine", "unit":
        f"{grid[0]}×{grid[1]} patches; ROAD: pixels", "steps": steps, "fill": fill, "fractions": list(fractions),
        "draws": draws, "seed": seed,
    }  # fmt: skip
    return _gathered(measured, tuple(named), draws, settings)


def _measure(
    model: Model, source: Images, tables: dict[str, Tensor], found: dict[str, dict[str, list[Any]]],
    score: Callable[[Tensor], Tensor], black: Tensor, grid: tuple[int, int], steps: int, fill: Fill,
    fractions: tuple[float, ...], seed: int, batch_size: int, report: Callable[[int, int], None],
    check: Callable[[], None] | None,
) -> None:  # fmt: skip
    """Append the measures of every map, batch by batch of images."""
    start, done, every = 0, 0, len(tables) * -(-len(source) // batch_size)
    for part, batch in enumerate(source.batches(batch_size)):
        rows = slice(start, start + len(batch))
        start += len(batch)
        batch = batch.to(model.device, torch.float32)
        stands = fill_of(batch, fill, seed + part, black.to(batch))
        for k, (name, table) in enumerate(tables.items()):
            place = seed + 1009 * part + 1_000_003 * k  # ties and random orders differ by part and by map
            with enough_memory("faithfulness", batch_size):
                curve = curves(score, batch, order(table[rows], place), grid, steps, stands, batch_size, check)
                pixels = order(_pixels(table[rows], grid, (batch.shape[2], batch.shape[3])), place)
                imputed = road(score, batch, pixels, fractions, seed=seed + part, batch_size=batch_size, check=check)
            for measure, values in (
                ("deletion", curve.deletion_auc), ("insertion", curve.insertion_auc), ("road", imputed.combined),
            ):  # fmt: skip
                found[name][measure].append(values.double().cpu().numpy())
            found[name]["curves"].append(curve)
            done += 1
            report(done, every)


def same_images(named: Mapping[str, TokenAttribution], operation: str, ids: tuple[str, ...] = ()) -> None:
    """Refuse maps of other images than the first one's, or than those of known ids."""
    first = next(iter(named.values()))
    known = ids or next((m.ids for m in named.values() if m.ids), ())
    for name, m in named.items():
        if len(m) != len(first) or m.grid != first.grid or (m.ids and known and tuple(m.ids) != tuple(known)):
            which = f" ({m.ids[0]} …, not {known[0]} …)" if m.ids and known else ""
            given = f"{name!r} of {len(m)} images and {m.grid} patches beside {len(first)} and {first.grid}{which}"
            raise InputError(operation, given, "maps of the same images, in one order", "make them of the same data")


def named_maps(maps: Any, operation: str) -> dict[str, TokenAttribution]:
    """Maps by name, of one map or a mapping."""
    named = {maps.method: maps} if isinstance(maps, TokenAttribution) else maps
    good = isinstance(named, Mapping) and all(isinstance(m, TokenAttribution) for m in named.values())
    if not good or not named:
        accepted = "a map, or several by name: {name: tk.token_map(…), …}"
        raise InputError(operation, f"maps of type {type(maps).__name__}", accepted, "name each of them")
    return dict(named)


def _common(named: Mapping[str, TokenAttribution], n: int, ids: tuple[str, ...]) -> tuple[Tensor, tuple[int, int]]:
    """The direction and grid of all maps, or an error in words."""
    accepted = "maps of these images, of one target"
    taken = set(named) & {RANDOM, CONSTANT}
    if taken:
        raise InputError("faithfulness", f"a map named {taken.pop()!r}", "other names: this is a control", "rename it")
    direction: NDArray[np.float64] | None = None
    for name, m in named.items():
        if len(m) != n:
            given = f"{name!r} of {len(m)} images, for {n} images"
            raise InputError("faithfulness", given, accepted, "make all maps of the same images")
    same_images(named, "faithfulness", ids)
    for name, m in named.items():
        if not m.direction.any():  # a method that asks no text
            continue
        if direction is not None and not np.allclose(direction, m.direction, atol=1e-6):
            given = f"{name!r} of {m.target} beside maps of another target"
            raise InputError("faithfulness", given, accepted, "judge each target on its own")
        direction = m.direction
    if direction is None:
        raise InputError("faithfulness", "maps of no text", "one map with a text", "pass the text to the method too")
    return torch.as_tensor(direction), next(iter(named.values())).grid


def _pixels(table: Tensor, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """[b, h · w]: maps at the resolution of the input, bilinear between patch centres."""
    maps = table.double().unflatten(1, grid)[:, None]
    return F.interpolate(maps, size, mode="bilinear", align_corners=False).flatten(1)


def _gathered(
    found: dict[str, dict[str, list[Any]]], names: tuple[str, ...], draws: int, settings: dict[str, Any]
) -> Faithfulness:
    """Parts of the images put together, the random orders averaged."""
    joined = {name: {m: np.concatenate(cells[m]) for m in MEASURES} for name, cells in found.items()}
    lines = {}
    for name, cells in found.items():
        share = cells["curves"][0].fractions.cpu().numpy()
        mean = {
            m: torch.cat([getattr(c, m).double().cpu() for c in cells["curves"]]).mean(0).numpy()
            for m in ("deletion", "insertion")
        }
        lines[name] = {"share": share, **mean}
    orders = [f"{RANDOM} {i}" for i in range(draws)]
    joined[RANDOM] = {m: np.mean([joined[o][m] for o in orders], 0) for m in MEASURES}
    lines[RANDOM] = {key: np.mean([lines[o][key] for o in orders], 0) for key in lines[orders[0]]}
    every = (*names, RANDOM, CONSTANT)
    tables = {m: {name: joined[name][m] for name in every} for m in MEASURES}
    return Faithfulness(
        tables["deletion"], tables["insertion"], tables["road"], every, {n: lines[n] for n in every}, settings
    )


def mean_interval(values: Array, seed: int) -> tuple[float, float]:
    """95 % percentile interval of a mean over images."""
    if len(values) < 2:
        return float("nan"), float("nan")
    rows = np.random.default_rng(seed).integers(0, len(values), (REPLICATES, len(values)))
    low, high = np.quantile(values[rows].mean(1), [0.025, 0.975])
    return float(low), float(high)
