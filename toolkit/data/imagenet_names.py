"""`tk.imagenet_classes`, `tk.imagenet_table`: the 1,000 classes of ImageNet by name, wnid and synonym, as open_clip and
timm ship them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.data.choice import tally, unknown
from toolkit.data.classes import ClassSet, classes
from toolkit.data.templates import fill
from toolkit.data.templates import templates as checked_templates
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas


@cache
def class_names() -> dict[str, tuple[int, str]]:
    """wnid → (class index, name) of the 1,000 classes; names that occur twice end in their wnid."""
    from open_clip import IMAGENET_CLASSNAMES
    from timm.data.imagenet_info import ImageNetInfo

    wnids = sorted(ImageNetInfo().label_names())
    twice = {name for name, n in tally(IMAGENET_CLASSNAMES).items() if n > 1}
    pairs = enumerate(zip(wnids, IMAGENET_CLASSNAMES, strict=True))
    return {wnid: (i, f"{name} ({wnid})" if name in twice else name) for i, (wnid, name) in pairs}


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """wnid → what WordNet calls the class, by timm."""
    from timm.data.imagenet_info import ImageNetInfo

    info = ImageNetInfo()
    return {wnid: tuple(info.label_name_to_description(wnid).split(", ")) for wnid in class_names()}


def imagenet_table() -> pandas.DataFrame:
    """The 1,000 classes of ImageNet in their order: class_index, wnid, name (open_clip's), synonyms (WordNet's, by
    timm; joined by commas).

    >>> import toolkit as tk
    >>> tk.imagenet_table().loc[134, ["wnid", "name"]].tolist()
    ['n02012849', 'crane bird']
    """
    import pandas

    rows = [(index, wnid, name, ", ".join(synonyms()[wnid])) for wnid, (index, name) in class_names().items()]
    return pandas.DataFrame(rows, columns=["class_index", "wnid", "name", "synonyms"])


def imagenet_classes(
    only: Sequence[str] | None = None,
    templates: str | Path | Sequence[str] | None = None,
    *,
    labels: str = "name",
    synonyms: bool = False,
) -> ClassSet:
    """The classes of ImageNet as a class set, in their order (`ClassSet`).

    Names and prompts are open_clip's; the two that name two classes each end in their wnid, and their prompts take
    WordNet's word.

    Arguments:
        only: wnids or names of some classes; default all 1,000.
        templates: as for `tk.classes`; default "a photo of {a}".
        labels: what the labels of the data are, "name" (as `tk.imagenet` gives them) or "wnid" (folders read by
            `tk.image_folder`); default "name".
        synonyms: describe a class by WordNet's other words too; default False.

    Raises:
        InputError: for a class ImageNet does not have, and another kind of labels.

    >>> import toolkit as tk
    >>> len(tk.imagenet_classes()), tk.imagenet_classes(["n02012849"], synonyms=True).prompts[0][:2]
    (1000, ('a photo of a crane bird', 'a photo of a crane'))
    """
    if labels not in ("name", "wnid"):
        raise InputError("imagenet_classes", f"labels={labels!r}", "'name' or 'wnid'", "pass one of these as labels")
    patterns, chosen = checked_templates(templates), _chosen(only)
    prompts = [[fill(p, noun) for p in patterns for noun in _nouns(wnid, synonyms)] for wnid in chosen]
    names = [wnid if labels == "wnid" else class_names()[wnid][1] for wnid in chosen]
    return classes(names, prompts=prompts)


def _chosen(only: Sequence[str] | None) -> list[str]:
    """The wnids asked for, in the order of the classes."""
    if only is None:
        return list(class_names())
    known = {name: wnid for wnid, (_, name) in class_names().items()} | {wnid: wnid for wnid in class_names()}
    asked = [only] if isinstance(only, str) else list(only)
    for one in asked:
        if one not in known:
            raise unknown("imagenet_classes", f"the class {one!r}", str(one), list(known))
    if not asked:
        raise InputError("imagenet_classes", "only=[], no class", "at least one", "leave it out to have all")
    return sorted({known[one] for one in asked})


def _nouns(wnid: str, several: bool) -> tuple[str, ...]:
    name, own = class_names()[wnid][1], synonyms()[wnid]
    first = own[0] if name.endswith(f"({wnid})") else name
    return tuple(dict.fromkeys((first, *own))) if several else (first,)
