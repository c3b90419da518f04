"""What a reader of a data set is, and which ones the toolkit has.

A reader is a function that takes a folder (or a file) and returns `FileSamples`. `@reader` over it says what it accepts
and what is documented of the data; a line in `toolkit/__init__.pyi` makes it `tk.<name>`. CONTRIBUTING.md has the
recipe. What is checked where:

- the folder: `folder_given`, in the reader's first line;
- the split: `one_of(name, "split", split, SPLITS)`, in its second, where the data has splits of its own;
- no such data in the folder: an InputError of the reader, whose `accepted` is its layout;
- what was left out or read otherwise: sentences that the reader gives to `FileSamples(notes=…)`;
- counts: `FileSamples(documented=…)` holds them against those found and says where they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TypeVar

from toolkit.data.files import FileSamples
from toolkit.errors import InputError

Function = TypeVar("Function", bound=Callable[..., FileSamples])


@dataclass(frozen=True)
class DataReader:
    """A reader and what is said of it.

    name: as in `tk.<name>`. read: the function. layout: the folder or file it accepts, in words. splits: those of the
    data set, () where it has none of its own. documented: by split, how many images of which kind there should be.
    """

    name: str
    read: Callable[..., FileSamples]
    layout: str
    splits: tuple[str, ...]
    documented: Mapping[str, Mapping[str, int]]


_KNOWN: dict[str, DataReader] = {}


def reader(
    layout: str, *, splits: tuple[str, ...] = (), documented: Mapping[str, Mapping[str, int]] | None = None
) -> Callable[[Function], Function]:
    """Makes a function known as a reader under its own name; the function stays as it is.

    layout: the folder or file it accepts, in words; its errors repeat them. splits: the names its `split` accepts,
    default () for data without splits of its own. documented: by split, how many images of which kind there should be,
    default nothing is known.

    Raises InputError where a function of another file has the name.
    """

    def known(function: Function) -> Function:
        name = function.__name__
        before = _KNOWN.get(name)
        if before is not None and before.read.__module__ != function.__module__:
            given = f"a second reader {name!r}, in {function.__module__}; the first is in {before.read.__module__}"
            raise InputError("reader", given, "one reader of a name", "name the function otherwise")
        _KNOWN[name] = DataReader(name, function, layout, splits, documented or {})
        return function

    return known


def readers() -> dict[str, DataReader]:
    """The readers of the toolkit by name: every file of this folder is imported, so that none is forgotten.

    >>> readers()["waterbirds"].splits
    ('train', 'val', 'test')
    """
    for module in iter_modules([str(Path(__file__).parent)]):
        import_module(f"toolkit.data.{module.name}")
    return dict(sorted(_KNOWN.items()))
