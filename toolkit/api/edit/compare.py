"""`tk.compare`: what one edit does that another does not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.edit.inspect_edit import Inspection
from toolkit.api.edit.outcome import Outcome, outcome_of
from toolkit.api.edit.result import Edit
from toolkit.api.where.attribution import TokenAttribution
from toolkit.api.where.token_map import trace_tokens
from toolkit.core.metrics import Change, accuracy, change
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class EditComparison:
    """Two edits on the same images; differences are second − first.

    Attributes:
        first: one edit.
        second: the other.
        outcomes: what each of the two does (`Outcome`).
    """

    first: Edit
    second: Edit
    outcomes: tuple[Outcome, Outcome]

    @cached_property
    def change(self) -> Change:
        """From the first's to the second's predictions: groups of all labelled images, paired."""
        images = self.outcomes[0].held.images
        pair = [
            accuracy(o.guess, images.truth, images.group_names, split=o.held.split, ids=images.acts.ids)
            for o in self.outcomes
        ]
        return change(*pair)

    @property
    def predictions(self) -> pandas.DataFrame:
        """Images the two predict otherwise: id, group, label, original, first, second (class names)."""
        import pandas

        images = self.outcomes[0].held.images
        names = np.array(images.classes.names, dtype=object)
        a, b = (o.guess.numpy() for o in self.outcomes)
        at = np.flatnonzero(a != b)
        columns = {"label": images.truth.numpy(), "original": images.guess.numpy(), "first": a, "second": b}
        found = {"id": images.acts.ids[at], "group": images.group_names[at]}
        return pandas.DataFrame(found | {name: names[values[at]] for name, values in columns.items()})

    @cached_property
    def inspections(self) -> tuple[Inspection, Inspection]:
        """What each did, in words, on these images."""
        acts = self.outcomes[0].held.images.acts
        return self.first.inspect(acts=acts), self.second.inspect(acts=acts)

    def token_map(self, images: Any, text: Any, against: Any = None, heads: Any = None) -> TokenAttribution:
        """What the second edit changes in where a text is seen, beside the first: the difference of their token maps.
        Arguments as for `tk.token_map`; the images' parts need their live model.
        """
        traced = trace_tokens(self.outcomes[0].held.images.acts.model, images)
        second, first = (traced.map(text, against, heads, edit=edit) for edit in (self.second, self.first))
        return second - first

    @property
    def heads(self) -> NDArray[np.float64]:
        """[l, h]: difference of the log₂ scale the edits give every head: a map for `tk.HeadGrid`."""
        a, b = (np.log2(np.maximum(one.heads, 1e-12)) for one in self.inspections)
        return np.asarray(b - a)

    @property
    def dimensions(self) -> NDArray[np.float64]:
        """[d]: difference of how far every dimension moved."""
        a, b = (one.moved for one in self.inspections)
        return np.asarray(b - a)

    def __str__(self) -> str:
        names = [one.title for one in (self.first, self.second)]
        n = len(self.predictions)
        return f"from {names[0]!r} to {names[1]!r}: {n} images predicted otherwise\n{self.change}"

    __repr__ = __str__


def compare(first: Edit, second: Edit, acts: Any = None) -> EditComparison:
    """What one edit does that another of the same model does not, on the same images, as a `EditComparison`.

    It holds predictions, groups, and maps of what the two differ in.

    Images either edit was made from are left out (but where neither has others).

    Arguments:
        first: one edit (`Edit`).
        second: another, of the same model and class set.
        acts: parts of labelled images; default the first's held-out images.

    Raises:
        InputError: for edits of different models or class sets.

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> one = tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7", steps=5)
    >>> len(tk.compare(one, one.again()).predictions)
    0
    """
    for one in (first, second):
        if not isinstance(one, Edit):
            raise InputError("compare", f"a {type(one).__name__}", "two edits", "make them with tk.edit")
    for key in ("fingerprint", "class_set"):
        ours, theirs = first.settings[key], second.settings[key]
        if ours != theirs:
            given = f"edits with {key} {ours} and {theirs}"
            raise InputError("compare", given, "edits of one model and class set", "make both alike")
    held = first.on(acts).held if acts is not None else first.on().held
    used = set(second.problem.ids["CE"])
    if not held.own and used & set(held.images.acts.ids.astype(str)):
        keep = [i for i, name in enumerate(held.images.acts.ids.astype(str)) if name not in used]
        held = first.on(held.images.acts.take(keep)).held
    return EditComparison(first, second, (outcome_of(held, first.guess), outcome_of(held, second.guess)))
