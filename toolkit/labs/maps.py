"""What the TokenMap panel asks: maps by any method, of one image or two, of the model as it is, ablated, or edited."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeVar

from PIL import Image

from toolkit.api.checks import check_model
from toolkit.api.edit.result import Edit
from toolkit.api.images.acts import Acts
from toolkit.api.switch_off.fold import fold_ablation
from toolkit.api.where.agreement import agreement
from toolkit.api.where.attribution import TokenAttribution
from toolkit.api.where.map_input import opened
from toolkit.api.where.map_methods import METHODS
from toolkit.api.where.token_map import Traced, trace_tokens
from toolkit.api.words.spans import Spans
from toolkit.core.heads import HeadSet
from toolkit.data.pixels import UnusableImageError, as_rgb
from toolkit.data.samples import Samples
from toolkit.errors import InputError
from toolkit.models.model import Model

T = TypeVar("T")
TRACES, MODELS = 12, 2
"""Traced images and models without heads that are kept; of edited models, the last."""
BESIDE = ("nothing", "image", "method", "ablated", "edited", "texts")
"""What stands beside the map: nothing, another image, another method, the model without the chosen heads (total
effect), the edited model, or of one head the texts it gives the most and the least to."""


class AskedSent(TypedDict):
    """One question as the browser holds it; heads: [layer, head] each."""

    text: str
    against: str
    heads: list[list[int]]
    method: str
    image: str
    beside: str
    other_image: str
    other_method: str
    difference: bool


class Asked(NamedTuple):
    """One question: a text, contrast and heads; a method and an image; what stands beside; whether as a difference."""

    text: str
    against: str
    heads: tuple[tuple[int, int], ...]
    method: str
    image: str
    beside: str
    other_image: str
    other_method: str
    difference: bool

    @property
    def told(self) -> AskedSent:
        """The same as the browser holds it."""
        return {
            "text": self.text, "against": self.against, "heads": [list(head) for head in self.heads],
            "method": self.method, "image": self.image, "beside": self.beside, "other_image": self.other_image,
            "other_method": self.other_method, "difference": self.difference,
        }  # fmt: skip


class MapSession:
    """Images by id, a model, and what was traced of them.

    model: live. images: samples, parts of a data set that has its images, PIL images, paths; more come with `add`.
    spans: texts of heads, for `beside="texts"`. edit: for `beside="edited"`.
    """

    def __init__(self, model: Model, images: Any = None, spans: Spans | None = None, edit: Edit | None = None) -> None:
        check_model(model, "TokenMap")
        for name, value, kind in (("spans", spans, Spans), ("edit", edit, Edit)):
            if value is not None and not isinstance(value, kind):
                accepted = f"what tk.{'textspan' if name == 'spans' else 'edit'} gives"
                raise InputError("TokenMap", f"{name}={value!r}", accepted, f"leave {name} out")
        self.model, self.spans, self.edit = model, spans, edit
        self._data: Acts | Samples | None = None
        self._added: dict[str, Image.Image] = {}
        self._traced: OrderedDict[tuple[str, str, str], Traced] = OrderedDict()
        self._models: OrderedDict[tuple[str, str], Model] = OrderedDict()
        self._edited: tuple[Edit, str, Model] | None = None
        self.ids: list[str] = []
        self.take(images)

    def take_edit(self, edit: Any) -> None:
        """The edit of "edited", or None."""
        if edit is not None and not isinstance(edit, Edit):
            raise InputError("TokenMap", f"edit={edit!r}", "what tk.edit gives, or None", "leave edit out")
        self.edit = edit

    def take(self, images: Any) -> None:
        """The images to choose from."""
        if images is None:
            return
        if isinstance(images, Acts):
            if not images.has_images:
                fix = "attach them: acts.attach(model, data)"
                raise InputError("TokenMap", "parts without images", "parts with them", fix)
            self._data, self.ids = images, [str(i) for i in images.ids]
        elif isinstance(images, Samples):
            self._data, self.ids = images, [str(i) for i in images.ids]
        elif isinstance(images, str | Path | Image.Image) or isinstance(getattr(images, "image", None), Image.Image):
            self.add(images)
        elif isinstance(images, Sequence) and len(images):
            for image in reversed(images):  # the last one added comes first
                self.add(image)
        else:
            accepted = "samples such as tk.scenes(…), parts with images, PIL images, or paths"
            raise InputError("TokenMap", f"images of type {type(images).__name__}", accepted, "pass one of these")

    def add(self, image: Any, name: str = "") -> str:
        """One more image (PIL, a sample or a path); the id it got."""
        if isinstance(image, str | Path):
            name, image = name or Path(image).name, opened(image, "TokenMap.add")
        found = getattr(image, "image", image)
        if not isinstance(found, Image.Image):
            given, accepted = f"a {type(image).__name__}", "a PIL image, a sample, or the path of an image file"
            raise InputError("TokenMap.add", given, accepted, "open it first")
        try:
            found = as_rgb(found)[0]
        except (UnusableImageError, OSError) as error:
            given = f"an image that cannot be used: {error}"
            raise InputError("TokenMap.add", given, "an image with pixels", "choose another image") from error
        word = name or str(getattr(image, "id", "")) or f"image {len(self._added) + 1}"
        while word in self.ids and self._added.get(word) is not found:
            stem, _, number = word.rpartition(" #")
            word = f"{stem} #{int(number) + 1}" if stem and number.isdigit() else f"{word} #2"
        self._added[word] = found
        self.ids = [word, *(i for i in self.ids if i != word)]
        return word

    def picture(self, image: str) -> Image.Image:
        """An image as it was given."""
        if image in self._added:
            return self._added[image]
        if isinstance(self._data, Acts):
            found = self._data.read(image).image
        elif self._data is not None and image in self.ids:
            found = self._data.image(self._place(image))
        else:
            raise InputError("TokenMap", f"the unknown image {image!r}", "an id of its images", "add it: panel.add(…)")
        if found is None:
            given = f"{image!r}, which cannot be read"
            raise InputError("TokenMap", given, "an image Pillow reads", "choose another image")
        return found

    def _place(self, image: str) -> int:
        assert isinstance(self._data, Samples)
        return list(map(str, self._data.ids)).index(image)

    # what is kept

    def _kept(self, store: OrderedDict[Any, T], key: Any, most: int, make: Callable[[], T]) -> T:
        if key in store:
            store.move_to_end(key)
            return store[key]
        made = store[key] = make()
        while len(store) > most:
            store.popitem(last=False)
        return made

    def _trace(self, image: str, heads: str = "") -> Traced:
        def make() -> Traced:
            return trace_tokens(self.model, self.picture(image), ablate=heads or None)

        return self._kept(self._traced, (self._print, image, heads), TRACES, make)

    @property
    def _print(self) -> str:
        return self.model.card.fingerprint  # of the weights as they are now

    def _changed(self, heads: str = "") -> Model:
        """The model without heads, or, without heads named, edited."""
        if heads:
            return self._kept(self._models, (self._print, heads), MODELS, lambda: fold_ablation(self.model, heads))
        edit, made = self._edit(), self._edited
        if made is None or made[0] is not edit or made[1] != self._print:
            made = self._edited = (edit, self._print, edit.fold(self.model))
        return made[2]

    def _edit(self) -> Edit:
        if self.edit is None:
            fix = "pass edit=, or link the panel to an EditLab"
            raise InputError("TokenMap", "no edit to compare with", "an edit of this model", fix)
        return self.edit

    # maps

    def check(self, asked: Asked) -> None:
        """Refuse what cannot be answered, before anything runs."""
        if not asked.text.strip() and asked.beside != "texts" and asked.method not in ("attention", "rollout"):
            raise InputError("TokenMap.text", "no text", "a text with at least one word", "type a text")
        if asked.beside in ("ablated", "texts") and not asked.heads:
            what = "switch off" if asked.beside == "ablated" else "read the texts of"
            raise InputError("TokenMap", f"no heads to {what}", "one head or more", "choose heads in the small map")
        if asked.beside == "texts" and self.spans is None:
            fix = "pass spans=tk.textspan(acts)"
            raise InputError("TokenMap", "no texts of heads", "what tk.textspan found", fix)
        if asked.beside == "edited":
            self._edit()

    def maps(self, asked: Asked) -> tuple[TokenAttribution, TokenAttribution | None]:
        """The map asked for, and the one beside it."""
        with warnings.catch_warnings():  # words the model does not know are said by `note`
            warnings.simplefilter("ignore")
            return self._maps(asked)

    def note(self, asked: Asked, shown: TokenAttribution, other: TokenAttribution | None = None) -> str:
        """What is to be known of a map: how far the one beside it, of the same image, says the same, words of the texts
        that the model does not know, an image that could not be placed; "" if nothing.
        """
        said = [self._agreement(asked, shown, other), self._unknown(asked)]
        if not shown.frames[0].exact:
            said.append("the crop of the preprocess could not be traced: the whole image is assumed")
        return "; ".join(words for words in said if words)

    def _agreement(self, asked: Asked, shown: TokenAttribution, other: TokenAttribution | None) -> str:
        same = asked.beside in ("method", "ablated", "edited") and not asked.difference
        if other is None or not same or shown.grid != other.grid:
            return ""
        both = agreement({"shown": shown, "other": other}).iloc[0, 1]
        patches = shown.grid[0] * shown.grid[1]
        return f"the two maps agree by {both:+.2f} (rank correlation over {patches} patches; 1: the same order)"

    def _unknown(self, asked: Asked) -> str:
        texts = [text for text in (asked.text, asked.against) if text.strip()]
        found = self.model.unknown_words(texts) if texts and asked.beside != "texts" else {}
        words = [f"“{w}”" + (f" (near: {', '.join(near)})" if near else "") for w, near in list(found.items())[:3]]
        return f"the model does not know {', '.join(words)}" if words else ""

    def _maps(self, asked: Asked) -> tuple[TokenAttribution, TokenAttribution | None]:
        self.check(asked)
        against = asked.against.strip() or None
        off = asked.beside == "ablated"
        heads = HeadSet(asked.heads) if asked.heads and not off else None
        if asked.beside == "texts":
            assert self.spans is not None
            return self._trace(asked.image).extremes(self.spans, asked.heads[-1:])
        first = self._one(asked.method, asked.image, asked.text, against, heads)
        second: TokenAttribution | None = None
        if asked.beside == "image":
            second = self._one(asked.method, asked.other_image, asked.text, against, heads)
        elif asked.beside == "method":
            second = self._one(asked.other_method, asked.image, asked.text, against, heads)
        elif asked.beside in ("ablated", "edited"):
            name = str(HeadSet(asked.heads)) if off else ""
            second = self._one(asked.method, asked.image, asked.text, against, heads, asked.beside, name)
            if asked.difference:
                second = second - first
        return first, second

    def _one(
        self, method: str, image: str, text: str, against: Any, heads: HeadSet | None, state: str = "base",
        off: str = "",
    ) -> TokenAttribution:  # fmt: skip
        if method == "token map":
            traced = self._trace(image, off)
            return traced.map(text, against, heads, edit=self._edit() if state == "edited" else None)
        model = self.model if state == "base" else self._changed(off)
        words = text if text.strip() else None
        found = METHODS[method](model, self.picture(image), words, against if words else None, heads)
        name = {"base": "base", "ablated": f"without {off}", "edited": "edited"}[state]
        found.settings["state"] = name
        return found
