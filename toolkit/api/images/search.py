"""`tk.search`: the images of a data set that a text describes best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.images.acts import Acts
from toolkit.core.precision import full_precision
from toolkit.errors import InputError
from toolkit.store.texts import text_embeddings

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class Search:
    """Images by their cosine with a text, best first, with the words of it that the model does not know.

    Attributes:
        text: what was asked for.
        against: what was asked against, "" for nothing.
        cosines: of every image with the text, less that with `against` [b].
        unknown: words of both that the model does not know, with known ones near them.
        acts: the parts of these images in this order.
        ids: one per image [b].
        labels: one per image [b].
        groups: one per image [b].
    """

    text: str
    against: str
    cosines: NDArray[np.float32]
    unknown: dict[str, list[str]]
    acts: Acts

    @property
    def ids(self) -> NDArray[np.object_]:
        return self.acts.ids

    @property
    def labels(self) -> NDArray[np.object_]:
        return self.acts.labels

    @property
    def groups(self) -> NDArray[np.object_]:
        return self.acts.groups

    def __len__(self) -> int:
        return len(self.cosines)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per image, best first: id, label, group, cosine."""
        import pandas

        columns = {"id": self.ids, "label": self.labels, "group": self.groups, "cosine": self.cosines}
        return pandas.DataFrame(columns)

    def __str__(self) -> str:
        asked = f"“{self.text}”" + (f" rather than “{self.against}”" if self.against else "")
        first = [f"  {c:+.4f} {name} ({label})" for c, name, label in
                 zip(self.cosines[:8], self.ids, self.labels, strict=False)]  # fmt: skip
        words = f"; words the model does not know: {', '.join(self.unknown)}" if self.unknown else ""
        return "\n".join([f"{asked}: {len(self)} images, by cosine{words}", *first])

    __repr__ = __str__


@full_precision
def search(acts: Acts, text: str, against: str = "", top: int | None = None) -> Search:
    """The images of `acts` by their cosine with a text; with `against`, by the cosine less that with another text.

    Arguments:
        acts: parts with the live model (`Acts`).
        text: any text, encoded as it is.
        against: any other text, encoded as it is; default none.
        top: how many images; default all.

    Returns:
        `Search`, best first.

    Raises:
        InputError: for no text, and for parts without a live model.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False)
    >>> tk.search(acts, "water", against="land", top=3).groups[0]
    'landbird on water'
    """
    if not isinstance(acts, Acts) or not len(acts):
        given = "parts of no image" if isinstance(acts, Acts) else f"a {type(acts).__name__}"
        raise InputError("search", given, "the parts of a data set", "extract them first: tk.extract(model, data)")
    for name, value in (("text", text), ("against", against)):
        if not isinstance(value, str) or not (value.strip() or name == "against"):
            raise InputError("search", f"{name}={value!r}", "a text with at least one word", f"pass one as {name}")
    if top is not None and (not isinstance(top, int) or isinstance(top, bool) or top < 1):
        raise InputError("search", f"top={top!r}", "a whole number of at least 1", "ask for some, or leave top out")
    closeness = cosines(acts, text) - (cosines(acts, against) if against.strip() else 0)
    order = np.argsort(-np.nan_to_num(closeness, nan=-np.inf), kind="stable")[:top]
    unknown = acts.model.unknown_words([t for t in (text, against) if t.strip()])
    return Search(text, against, closeness[order], unknown, acts.take(order.tolist()))


def cosines(acts: Any, text: str) -> NDArray[np.float32]:
    """The cosine of every image with a text [b]."""
    vector = text_embeddings(acts.model, [text.strip()])
    embedding = acts.embedding.cpu()
    return np.asarray((embedding @ vector.to(embedding).cpu().T)[:, 0].numpy())
