"""`tk.comparison`: every cure as a path from one origin, on the same images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from toolkit.api.checks import Check, quiet
from toolkit.api.edit.frontier_result import MEASURES, pareto
from toolkit.api.edit.held_out import HeldOut
from toolkit.api.images.acts import Acts
from toolkit.api.methods.as_it_is import AsItIs
from toolkit.api.methods.compared import Array, Compared
from toolkit.api.methods.field import Choose, field_of, path_of, turned_by
from toolkit.api.methods.method import Method
from toolkit.api.methods.registry import known_method
from toolkit.core.metrics import Change
from toolkit.core.precision import full_precision
from toolkit.data.classes import ClassSet
from toolkit.data.counts import many
from toolkit.errors import InputError, warn_caller

if TYPE_CHECKING:
    import pandas


class MethodWarning(UserWarning):
    """What a comparison left out."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Methods on the same held-out images, each a path from the model as it is; made by `tk.comparison`.

    Attributes:
        methods: by name, each fitted to every draw; "as it is" is the first.
        choose: how dials were put.
        held: the images all of them are judged on, for every draw.
        notes: what should be known of it.
        validated_on: validation images.
    """

    methods: dict[str, Compared]
    choose: str
    held: tuple[HeldOut, ...]
    notes: tuple[str, ...]
    validated_on: int = 0

    def __getitem__(self, name: str) -> Compared:
        if name not in self.methods:
            raise InputError("comparison", f"the method {name!r:.60}", ", ".join(map(repr, self.methods)), "name one")
        return self.methods[name]

    def __iter__(self) -> Any:
        return iter(self.methods.values())

    def change(self, first: str, second: str) -> Change:
        """From what one method predicts to what another does, in the first draw: groups of the target classes, paired.

        Arguments:
            first: the name of a method.
            second: the name of another.
        """
        one, other = (self[name].turned[0].on().success for name in (first, second))
        if one is None or other is None:
            given, fix = "held-out images, none of a target class", "hold some out"
            raise InputError("comparison", given, "images of the classes the shots are of", fix)
        return Change(one.change.after, other.change.after)

    @property
    def pareto(self) -> tuple[str, ...]:
        """Methods that no other beats in both the worst group and locality (means over draws)."""
        return self.pareto_of()

    def pareto_of(self, x: str = "worst", y: str = "locality") -> tuple[str, ...]:
        """Methods that no other beats in both of two measures (means over draws).

        Arguments:
            x: one measure: "success", "worst", "like", "locality" or "agreement"; default "worst".
            y: the other; default "locality".
        """
        for name in (x, y):
            if name not in MEASURES:
                raise InputError("comparison", f"the measure {name!r:.60}", ", ".join(MEASURES), "name one of these")
        means = [np.array([one.points()[name].mean() for one in self]) for name in (x, y)]
        # without images of one of the two, the other alone decides
        across, up = (np.zeros(len(self.methods)) if np.isnan(mean).all() else mean for mean in means)
        kept = pareto(across, up)
        return tuple(name for name, best in zip(self.methods, kept, strict=True) if best)

    @property
    def ledger(self) -> pandas.DataFrame:
        """What every method was told in the first draw: method, told, images, groups, validation, texts, …."""
        import pandas

        rows = []
        for one in self:
            ledger = one.fitted.ledger
            validated = self.validated_on if one.turned[0].chosen == "validation" else 0
            rows.append({
                "method": one.name, "told": one.fitted.method.told, "labels": ledger.labels,
                "group_labels": ledger.group_labels, "validation": validated, "texts": ledger.texts,
                "pictures": ledger.pictures, "parameters": ledger.parameters, "seconds": ledger.seconds,
            })  # fmt: skip
        return pandas.DataFrame(rows)

    @property
    def table(self) -> pandas.DataFrame:
        """One row per method: dial, value, chosen; worst group, success, like, locality, agreement (means over draws),
        the worst group's change from the model as it is with its paired 95 % interval (one draw) or its standard
        deviation over draws; n (of the draw with fewest), split. value is nan where it differs between draws.
        """
        import pandas

        start = self["as it is"].points()
        rows = []
        for one in self:
            points = one.points()
            positions = [turned.position for turned in one.turned]
            varies = len(set(positions)) > 1
            row: dict[str, Any] = {
                "method": one.name, "dial": one.fitted.dial.name, "value": np.nan if varies else one.position,
                "chosen": one.turned[0].chosen + (", by draw" if varies else ""),
            }  # fmt: skip
            row |= {
                name: float(np.mean(points[name])) for name in ("worst", "success", "like", "locality", "agreement")
            }
            gained = points["worst"] - start["worst"]
            row["change"] = float(gained.mean())
            row["sd"] = float(gained.std(ddof=1)) if len(gained) > 1 else np.nan
            success = one.turned[0].on().success
            if success is not None and len(gained) == 1:
                interval = success.change.worst.interval
                row |= {"low": interval.low, "high": interval.high}
            n, others = (min(held.sizes[name] for held in self.held) for name in ("success", "agreement"))
            rows.append(row | {"n": n, "n_other": others, "split": self.held[0].split})
        return pandas.DataFrame(rows)

    def to_dataframe(self) -> pandas.DataFrame:
        """All paths: method, draw, value, every measure; a row per draw and value of a dial."""
        import pandas

        return pandas.concat([one.to_dataframe() for one in self], ignore_index=True)

    def __str__(self) -> str:
        wide = max(len(f"{one.name} ({one.fitted.dial.name} = {one.position:g})") for one in self)
        held = self.held[0]
        head = (
            f"{len(self.methods)} methods, {many(len(self.held), 'draw')}, dials by {self.choose}; judged on n ="
            f" {held.sizes['success']} of the target classes and {held.sizes['agreement']} others, split"
            f" {held.split!r}, plain averages, percent"
        )
        lines = [head, f"  {'':{wide}} {'worst':>6} {'all':>6} {'others':>7} {'stay':>6}   change of the worst"]
        for row in self.table.to_dict("records"):
            moved = f"{100 * row['change']:+.1f}"
            if len(self.held) > 1:
                moved += f" ± {100 * row['sd']:.1f} over draws"
            elif np.isfinite(row.get("low", np.nan)):
                moved += f" [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
            where = f"{row['value']:g}" if np.isfinite(row["value"]) or np.isinf(row["value"]) else "by draw"
            told = f"{row['method']} ({row['dial']} = {where})"
            values = " ".join(
                f"{100 * row[name]:{w}.1f}"
                for name, w in (("worst", 6), ("success", 6), ("locality", 7), ("agreement", 6))
            )
            lines.append(f"  {told:{wide}} {values}   {moved}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    __repr__ = __str__


@full_precision
def comparison(
    few: Acts | Sequence[Acts], classes: ClassSet, methods: Sequence[Any] | None = None, *, held_out: Acts,
    unrelated: Mapping[str, Any] | None = None, validation: Acts | None = None, heads: Any = None,
    draws: Sequence[Acts] = (), choose: Choose = "paper", within: float | None = None,
    groups: Sequence[str] | None = None, model: Any = None,
    seed: int = 0, check: Check = quiet, each: Callable[[Compared], None] | None = None,
) -> Comparison:  # fmt: skip
    """Cures side by side, each fitted to the same few images and judged on the same others (`Comparison`).

    Every method is a path: its dial goes from the model as it is to far beyond what helps. Images that a method is
    fitted to are left out of those it is judged on.

    Arguments:
        few: parts of the few labelled images (`Acts`), or a list of draws.
        classes: all that are told apart (`tk.classes`), those that should stay as they are too.
        methods: settings, classes of `tk.methods` or their names; default all that need nothing but labels and, where
            the images have groups, groups.
        held_out: parts of other labelled images, which judge.
        unrelated: by name, parts of images that should stay as they are, or (parts, classes of their own); default
            none.
        validation: parts of other labelled images that dials are chosen on; default none.
        heads: for the methods that take heads out or learn to do without them, where they name none; default those
            that each locates on the few.
        draws: further draws to repeat everything with; default none.
        choose: how dials are put: "paper", "validation" (the best worst group there; of classes without groups, the
            best mean) or "loo" (the shot left out, where a method can); default "paper".
        within: points of accuracy that the other classes may lose on the validation images where dials are chosen
            there; default None, any: the best worst group may then cost them all they have.
        groups: a group name for every image, or for several draws by id; default those the images are known to be of.
        model: encodes texts; default the one `few` is attached to.
        seed: of what is random; default 0.
        check: called with (done, of) between methods; what it raises ends the work; default nothing.
        each: called with every method when it is done; default nothing.

    Raises:
        InputError: for no methods, two of one name, choose="validation" without validation images, held-out images that
            are all among the few, and what a method refuses.

    >>> import toolkit as tk
    >>> pool = tk.extract(tk.load(), tk.scenes("edit", n=120, kind="birds"), progress=False)
    >>> val = tk.extract(tk.load(), tk.scenes("val", n=120), progress=False)
    >>> every = tk.classes(sorted(set(val.labels)))
    >>> found = tk.comparison(pool.draw(10), every, ["TipAdapter", "Probe"], held_out=val)
    >>> list(found.methods)
    ['as it is', 'Tip-Adapter', 'probe']
    """
    if choose not in get_args(Choose):
        raise InputError("comparison", f"choose={choose!r}", " or ".join(map(repr, get_args(Choose))), "name one")
    if choose == "validation" and validation is None:
        raise InputError("comparison", 'choose="validation" without images', "validation=acts", "pass such images")
    if within is not None and (choose != "validation" or isinstance(within, bool) or not 0 <= within <= 100):
        accepted = 'points from 0 to 100, with choose="validation"'
        raise InputError("comparison", f"within={within!r:.40}, choose={choose!r}", accepted, "leave it out")
    every = [*([few] if isinstance(few, Acts) else few or ()), *draws]
    if not every:
        raise InputError(
            "comparison", "no images to fit to", "parts of a few labelled images", "draw some: acts.draw()"
        )
    judging: Any = held_out
    if not isinstance(judging, Acts):
        given = f"held_out: a {type(judging).__name__}"
        raise InputError("comparison", given, "parts of other labelled images, which judge", "hold some out")
    every = [_attached(one, model) for one in every]
    held_out, validation = _attached(held_out, model), _attached(validation, model)
    asked = asked_methods(methods, every[0], heads)
    known = _groups_of(groups, every, asked)
    fields = [field_of(one, classes, held_out, unrelated, validation) for one in every]
    notes = tuple(dict.fromkeys(note for field in fields for note in field.notes))
    for note in notes:
        warn_caller(f"comparison: {note}", MethodWarning)
    found: dict[str, Compared] = {}
    for i, settings in enumerate(asked):
        check(i, len(asked))
        fitted = [
            settings.fit(one, classes, own, validation, model, seed) for one, own in zip(every, known, strict=True)
        ]
        values = fitted[0].dial.grid
        turned = tuple(turned_by(made, field, choose, within) for made, field in zip(fitted, fields, strict=True))
        paths = [path_of(made, values, field.held) for made, field in zip(fitted, fields, strict=True)]
        stacked: dict[str, Array] = {name: np.stack([path[name] for path in paths]) for name in MEASURES}
        found[settings.name] = Compared(turned, values, stacked)
        if each is not None:
            each(found[settings.name])
    n = 0 if validation is None else len(validation)
    return Comparison(found, choose, tuple(field.held for field in fields), notes, n)


def _attached(acts: Any, model: Any) -> Any:
    """Parts with the model that encodes their classes, where one was named and they have none."""
    if model is None or not isinstance(acts, Acts) or acts.live is not None:
        return acts
    return acts.attach(model) if acts.card.fingerprint == model.card.fingerprint else acts


def _groups_of(given: Any, draws: Sequence[Acts], methods: Sequence[Method]) -> list[Any]:
    """For every draw a group name per image, or None. Raises InputError where one list would stand for several."""
    lists = [one.name for one in methods if isinstance(getattr(one, "attribute", None), list | tuple)]
    if len(draws) > 1 and (lists or not (given is None or isinstance(given, Mapping))):
        what = f"one attribute=[…] of {lists[0]}" if lists else "one list of groups"
        accepted = "a mapping from ids, which serves them all"
        raise InputError("comparison", f"{what} for {len(draws)} draws", accepted, "write {id: name, …}")
    if not isinstance(given, Mapping):
        return [given] * len(draws)
    missing = [name for one in draws for name in one.ids.astype(str).tolist() if name not in given]
    if missing:
        raise InputError("comparison", f"no group of {missing[0]!r}", "a group for every image", "name each image's")
    return [[str(given[name]) for name in one.ids.astype(str).tolist()] for one in draws]


def asked_methods(given: Sequence[Any] | None, few: Acts, heads: Any) -> list[Method]:
    """Methods with their settings, the model as it is first."""
    if given is None:
        grouped = any(name not in ("", "None", "nan") for name in set(few.groups.astype(str)))
        names = ["HeadsOff", "Edit", "LTC", "TipAdapter", "Probe", "AnchoredProbe", "JTT"]
        given = [*names, *(["BalancedProbe", "GroupDRO", "MIClip"] if grouped else [])]
    if isinstance(given, str | Method | type) or not hasattr(given, "__iter__"):
        given = [given]
    asked = [known_method(one, "comparison") for one in given]
    if not asked:
        raise InputError("comparison", "no methods", "settings or names of tk.methods", "name some")
    if heads is not None:
        asked = [_with_heads(one, heads) for one in asked]
    asked = [AsItIs(), *(one for one in asked if not isinstance(one, AsItIs))]
    names = [one.name for one in asked]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        accepted = "every name once"
        raise InputError("comparison", f"{twice[0]!r} twice", accepted, 'give the copy a name: settings.named("…")')
    return asked


def _with_heads(settings: Method, heads: Any) -> Method:
    """The heads of the comparison, for a method that names none."""
    for name in ("heads", "spurious"):
        if getattr(settings, name, "none of its fields") is None:
            return replace(settings, **{name: heads})
    return settings
