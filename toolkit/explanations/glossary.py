"""`tk.glossary`: the field's words in the toolkit's own sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, overload

from toolkit.api.locate.registry import offered
from toolkit.errors import InputError
from toolkit.explanations.terms import ALSO, SOURCES, TERMS, Term, markdown_of

if TYPE_CHECKING:
    import pandas

ABOUT = "The words of panels, results and these pages, each as this code means it."


@dataclass(frozen=True, repr=False)
class Glossary:
    """Terms in the order in which one needs them; made by `tk.glossary`. `glossary[name]` is one, in any case.

    Attributes:
        terms: all of them (`Term`).
    """

    terms: tuple[Term, ...]

    def __getitem__(self, name: str) -> Term:
        known = {term.name.casefold(): term for term in self.terms}
        known |= {also.casefold(): known[name.casefold()] for also, name in ALSO.items() if name.casefold() in known}
        asked = name.strip().casefold() if isinstance(name, str) else ""
        if asked in known:
            return known[asked]
        near = get_close_matches(asked, known, 1, 0.5) or [key for key in known if asked and asked in key]
        fix = f"did you mean {known[near[0]].name!r}?" if near else "look through tk.glossary()"
        raise InputError("glossary", repr(name), f"one of {len(self.terms)} names, such as {self.terms[0].name!r}", fix)

    def __iter__(self) -> Iterator[Term]:
        return iter(self.terms)

    def __len__(self) -> int:
        return len(self.terms)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per term: name, says, formula, reference."""
        import pandas

        return pandas.DataFrame([vars(term) for term in self.terms])

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.terms))

    def _repr_markdown_(self) -> str:
        return "\n\n".join(map(markdown_of, self.terms))


@overload
def glossary(name: None = None) -> Glossary: ...
@overload
def glossary(name: str) -> Term: ...
def glossary(name: str | None = None) -> Glossary | Term:
    """The field's words as this toolkit means them; with a name, that one.

    Arguments:
        name: of a term, in any case ("head", "DE_D", "alpha"); default all of them.

    Returns:
        `Glossary`: .terms, `["head"]`, .to_dataframe(); or a `Term`: .name, .says, .formula, .reference.

    Raises:
        InputError: for a word it does not hold, with the nearest name.

    >>> import toolkit as tk
    >>> tk.glossary("Head name")
    head name: L3.H7 is head 7 of layer 3, both counted from 0.
    >>> len(tk.glossary().to_dataframe()) == len(tk.glossary())
    True
    """
    own = (Term(score.name, score.says, score.formula, score.source) for score in offered() if not score.term)
    everything = Glossary((*TERMS, *own))
    return everything if name is None else everything[name]


def page() -> str:
    """docs/glossary.md: made anew by docs/make.py, compared with the file by a test."""
    about = f'{ABOUT} `tk.glossary("head")` gives one of them.'
    return "\n\n".join(["# Glossary", about, Glossary(TERMS)._repr_markdown_(), f"Sources. {SOURCES}"]) + "\n"
