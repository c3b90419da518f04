"""What a panel asks about the words of mistakes: keywords of a pair, what one of them rests on, what can be done."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged, judged
from toolkit.api.keywords.keywords import keywords
from toolkit.api.keywords.result import KeywordScores, KeywordSplit
from toolkit.api.methods.comparison import comparison
from toolkit.api.methods.group_dro import GroupDRO
from toolkit.api.methods.method import Method
from toolkit.api.words.banks import bank as bank_for
from toolkit.api.words.banks import default_bank
from toolkit.data.banks import Bank
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError
from toolkit.labs.edit_shown import rows

Pair = tuple[str, str] | None
Use = Literal["pair", "prompts", "groups"]
USES: dict[Use, str] = {"pair": "as a pair to take away", "prompts": "in the prompts", "groups": "as groups"}


@dataclass(frozen=True, eq=False)
class Tried:
    """What a use of keywords does to held-out images: rows of groups, in words, the method, and the same in Python."""

    use: Use
    words: str
    code: str
    method: Method
    rows: list[dict[str, Any]]


class KeywordSession:
    """Keywords of the mistakes of some images, and what their uses do to others.

    acts: on which keywords are found. class_set: told apart there. of: a bank, as for `tk.keywords`. captions: in its
    place. few, every, held: parts a use is fitted to, all classes it tells apart, parts it is judged on.
    """

    def __init__(
        self, acts: Any, class_set: Any, of: Any, captions: Any, few: Acts | None, every: ClassSet | None,
        held: Acts | None,
    ) -> None:  # fmt: skip
        self.images: Judged = judged(acts, class_set, "Keywords")
        self.captions = captions
        self.bank: Bank | None = None
        if captions is None:
            self.bank = default_bank(self.images.acts) if of is None else bank_for(of)
        elif of is not None:
            raise InputError("Keywords", "of= and captions=", "one of the two", "leave one out")
        self.few = self.images.acts if few is None else few
        self.every = class_set if every is None else every
        self.held = held
        self._found: dict[tuple[Pair, tuple[str, ...]], KeywordScores] = {}

    @property
    def classes(self) -> ClassSet:
        """Those told apart."""
        return self.images.classes

    def pair(self, asked: Pair) -> tuple[str, str]:
        """A pair that is asked for; for None the most frequent mistake."""
        wrong = self.images.mistakes
        if asked is not None:
            return asked
        if not wrong:
            given = f"{len(self.images)} images, all right"
            raise InputError("Keywords", given, "some wrong ones", "there is nothing to find words for")
        return max(wrong, key=lambda pair: wrong[pair])

    def found(self, asked: Pair, more: tuple[str, ...]) -> KeywordScores:
        """Keywords of a pair, with words that somebody added."""
        key = (asked, more)
        if key not in self._found:
            true, predicted = self.pair(asked)
            bank = self.bank.edited(add=more) if self.bank is not None and more else self.bank
            found = keywords(
                self.images.acts, self.classes, bank, true=true, predicted=predicted, captions=self.captions
            )
            if len(self._found) >= 8:
                self._found.pop(next(iter(self._found)))
            self._found[key] = found
        return self._found[key]

    def split(self, found: KeywordScores, text: str) -> KeywordSplit:
        """What every head adds to a keyword's score."""
        return found.split(text)

    def method(self, found: KeywordScores, use: str, text: str, against: str) -> tuple[Method, str]:
        """The method that a use of two keywords is, and how it is written."""
        if use not in get_args(Use):
            raise InputError("Keywords", f"the use {use!r:.40}", ", ".join(map(repr, get_args(Use))), "name one")
        if use == "pair":
            made: Method = found.as_pair(text, against)
            return made, f"found.as_pair({text!r}, {against!r})"
        if use == "prompts":
            return found.as_prompts([text]), f"found.as_prompts([{text!r}])"
        sets = {text: [text], against: [against]}
        return GroupDRO(), f"tk.methods.GroupDRO().fit(few, classes, groups=found.as_groups(few, {sets!r}))"

    def tried(self, found: KeywordScores, use: Use, text: str, against: str) -> Tried:
        """What a use does to the held-out images, its dial where its paper puts it."""
        method, code = self.method(found, use, text, against)
        groups = None
        if use == "groups":
            groups = found.as_groups(self.few, {text: [text], against: [against]})
        held = self.few if self.held is None else self.held
        if self.held is None:
            held, few = self._halves
            groups = None if groups is None else found.as_groups(few, {text: [text], against: [against]})
        else:
            few = self.few
        compared = comparison(few, self.every, [method], held_out=held, groups=groups)
        turned = compared[method.name].turned[0]
        dial = turned.fitted.dial
        outcome = turned.on()
        table = rows(outcome)
        own = "" if self.held is not None else " (half of these images; the keywords come from all of them)"
        words = (
            f"{method.name}, {dial.name} = {turned.position:g}: made from {len(few)} images, judged on"
            f" {len(outcome.held.images)} others, split {outcome.held.split!r}{own}"
        )
        return Tried(use, words, code, method, table)

    @cached_property
    def _halves(self) -> tuple[Acts, Acts]:
        """Every other image, to judge on, and the rest, to fit to."""
        acts = self.images.acts
        order = np.random.default_rng(0).permutation(len(acts))
        half = len(order) // 2
        return acts.take(np.sort(order[:half]).tolist()), acts.take(np.sort(order[half:]).tolist())
