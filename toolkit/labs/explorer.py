"""What an explorer knows: labelled images, their parts, what the model says of them, and questions about these."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from toolkit.api.checks import check_model
from toolkit.api.images.acts import Acts
from toolkit.api.images.extract import InMemory, extract
from toolkit.api.images.judged import Judged, judged
from toolkit.api.images.load import load
from toolkit.api.images.search import search
from toolkit.api.locate.evidence import AbsentScoreError
from toolkit.api.locate.registry import offered
from toolkit.api.locate.score_maps import ScoreMaps
from toolkit.api.locate.scores import USUAL_SCORE
from toolkit.core.heads import HeadSet
from toolkit.data.classes import ClassSet, classes
from toolkit.data.counts import many
from toolkit.data.samples import Samples
from toolkit.errors import InputError
from toolkit.labs.ablation import AblationSession, Pair
from toolkit.labs.ranked import ErrorsSent, errors_sent
from toolkit.labs.shares import Shares, Use, more_draws, shares
from toolkit.models.model import Model
from toolkit.organism.scenes import scenes

Show = Literal["mistakes", "right", "all"]
SHOWS: dict[Show, str] = {"mistakes": "mistakes", "right": "right ones", "all": "all images"}
COUNTED: dict[Show, str] = {"mistakes": "mistakes", "right": "right ones", "all": "images"}
NOBODY = "nobody is wrong so: predicted − true"
"""The map shown where no image heads are found on makes the mistake: over those of the true class."""
MOST_CLASSES = 1000
MOST_GROUPS = 60
"""Groups that can be chosen from a list."""
MOST_FEW = 1000
"""Images an edit is made from, up to which it is made from other draws too."""
BIRDS = ("landbird", "waterbird")


@dataclass(frozen=True, eq=False)
class Shown:
    """Images to show: positions among the labelled ones, a caption and a mark ("right", "wrong") for each; words."""

    rows: NDArray[np.int64]
    captions: list[str]
    marks: list[str]
    words: str


class HeadMaps(NamedTuple):
    """Scores of heads by name, [l, h] each, nan where one failed; and what failed, in words ("" for nothing)."""

    tables: ScoreMaps
    failed: str

    @property
    def first(self) -> tuple[str, NDArray[np.float64]]:
        """The score shown first, and its map."""
        return next(iter(self.tables.items()))


class ImageSaid(TypedDict):
    """Of an image: its group, its class, and what the model said."""

    group: str
    truth: str
    guess: str


class ExplorerSession:
    """A model and labelled images. Nothing runs before it is asked for; parts are then extracted once.

    model: live, default the built-in one. data: samples, or their parts with the images; default the built-in world.
    class_set: default the labels that occur, of the built-in world the two birds. Images with other labels are what an
    edit may cost elsewhere. edit_on, held_out: samples or parts an edit is made from, and everything is judged on;
    default a share of the images (`shares`).
    """

    def __init__(
        self, model: Any, data: Any, class_set: Any, layers: Any, edit_on: Any, held_out: Any, minority: Any
    ) -> None:
        if model is not None:
            check_model(model, "Explorer")
        self.model: Model = load() if model is None else model
        self.data = _images(self.model, data)
        self.classes = _class_set(BIRDS if data is None and class_set is None else class_set, self.data)
        if self.model.tokenizer is None and self.classes.given is None:
            given = f"classes in words for {self.model.card.id!r}, a model without a tokenizer"
            fix = "pass tk.classes(names, vectors=…), or tk.wrap(clip, tokenizer=…)"
            raise InputError("Explorer", given, "a tokenizer, or classes of vectors", fix)
        self._layers, self._minority = layers, minority
        self._given = {"edit_on": edit_on, "held_out": held_out}
        for name, value in self._given.items():
            if value is not None:
                self._given[name] = _known_data(value, self.model, name)
        self._acts: Acts | None = self.data if isinstance(self.data, Acts) else None
        self._taken: InMemory | None = None
        self._lock = threading.RLock()

    @property
    def samples(self) -> Samples:
        """The images themselves."""
        return self.data.samples if isinstance(self.data, Acts) else self.data

    def prepare(self) -> Acts:
        """The parts of all images; extracted by whoever asks first, and taken up where that was stopped."""
        with self._lock:
            if self._acts is None:
                if self._taken is None:
                    self._taken = InMemory(self.model, self.samples)
                self._acts = self._taken.extract()
                self._taken = None
            return self._acts

    @property
    def unread(self) -> int:
        """Images that could not be read or shown."""
        return 0 if self._acts is None or isinstance(self.data, Acts) else len(self.data) - len(self._acts)

    @property
    def acts_made(self) -> bool:
        """Whether the parts are there."""
        return "images" in self.__dict__

    @cached_property
    def images(self) -> Judged:
        """The images with a label in the class set, and what the model says of them."""
        return judged(self.prepare(), self.classes, "Explorer")

    @cached_property
    def shares(self) -> Shares:
        """Which of the images serve what."""
        few, held = (None if given is None else given.ids.astype(str).tolist() for given in self._given.values())
        return shares(self.images, self.prepare().ids.astype(str).tolist(), few, held)

    @property
    def uses(self) -> list[Use]:
        """How the images are shared out."""
        named = [0 if given is None else len(given.ids) for given in self._given.values()]
        return self.shares.uses(*named)

    @cached_property
    def judging(self) -> Acts:
        """Parts of the images everything is measured on."""
        given = self._parts_of(self._given["held_out"])
        return self.prepare().take(self.shares.judging) if given is None else given

    @cached_property
    def lab(self) -> AblationSession:
        """Scores of heads on the images they are found on, and effects on those they are judged on."""
        everything, shares = self.prepare(), self.shares
        found = everything.take(shares.found)
        with self._lock:
            chosen_on = everything.take(shares.choosing) if shares.choosing else None
            return AblationSession(
                found, self.classes, self._layers, self._minority, "Explorer", held_out=self.judging,
                validation=chosen_on, all_classes=self.all_classes,
            )  # fmt: skip

    def choose(self, pair: Pair) -> HeadSet:
        """The heads to switch off for an error: chosen on images set aside for it, else by Algorithm 1. Raises
        InputError where no image heads are found on is wrong in this way.
        """
        return self.lab.choose(pair, self.lab.criteria[0])

    @cached_property
    def judged_alone(self) -> AblationSession:
        """The images everything is measured on, and nothing else; any image may be looked at."""
        made = AblationSession(self.judging, self.classes, self._layers, self._minority, "Explorer")
        made.looked_at = self.images.acts
        return made

    def maps(self, pair: Pair) -> HeadMaps:
        """Scores of the heads for an error; along predicted − true alone where none is wrong."""
        wrong = self.lab.images.mistakes
        if not (wrong if pair is None else wrong.get(pair)):
            return HeadMaps(ScoreMaps({NOBODY: self.lab.map("text", pair or self.first_pair, "zero", "")}), "")
        tables, failed = dict[str, NDArray[np.float64]](), list[str]()
        for score in offered("HeadGrid"):
            if score.needs_model:
                continue  # a run of the model for every pair: AblationLab offers it
            try:
                tables[score.name] = self.lab.map(score.name, pair, "zero", "")
            except AbsentScoreError:
                continue
            except InputError as error:
                tables[score.name] = np.full((len(self.lab.layers), self.lab.shape[1]), np.nan)
                failed.append(str(error))
        first = {name: tables[name] for name in (USUAL_SCORE,) if name in tables}
        return HeadMaps(ScoreMaps(first | tables), " ".join(dict.fromkeys(failed)))  # several scores, one reason

    def map_words(self, maps: HeadMaps) -> str:
        """What maps rest on, and what failed."""
        found, judging = len(self.lab.images), len(self.lab.judged)
        if self.lab.judged.acts is self.lab.images.acts or not self.shares.choosing:
            return maps.failed
        rest = f"From {many(found, 'image')}; {judging:,} others judge what is done about it."
        return f"{rest} {maps.failed}".strip()

    @property
    def first_pair(self) -> tuple[str, str]:
        """The most frequent mistake, or the first two classes."""
        wrong = self.images.mistakes
        names = self.classes.names
        return max(wrong, key=lambda pair: wrong[pair]) if wrong else (names[1], names[0])

    def errors(self, find: str, chosen: Pair) -> ErrorsSent:
        """The confusion as a picker shows it; of many classes, the mistakes with a text in a name, and the one that is
        chosen.
        """
        guess = self.images.guess.numpy()
        return errors_sent(self.classes.names, self.images.truth.numpy(), guess, guess, find, "before", chosen)

    @cached_property
    def groups(self) -> list[str]:
        """The groups images can be filtered by, the largest first; none where they are the classes."""
        names, counts = np.unique(self.images.group_names.astype(str), return_counts=True)
        if set(names.tolist()) <= set(self.classes.names):
            return []
        order = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
        return [str(names[i]) for i in order]

    def shown(self, show: Show, pair: Pair, query: str, group: str = "") -> Shown:
        """The images of a cell of the confusion (None: of all), by their cosine with a text, else the surest first.

        group: the name of the only group they may be of; default "", of any.
        """
        images = self.images
        truth, guess = images.truth.numpy(), images.guess.numpy()
        names = np.array(images.classes.names, dtype=object)
        keep = {"mistakes": truth != guess, "right": truth == guess, "all": np.ones(len(truth), bool)}[show]
        if pair is not None:
            y, other = (images.classes.index(name) for name in pair)
            keep &= truth == y
            if show == "mistakes":
                keep &= guess == other
        if group:
            keep &= images.group_names.astype(str) == group
        rows = np.flatnonzero(keep)
        words = _words(show, pair, len(rows))
        words += f" in {group}" if group else self._none(show, pair, len(rows))
        order, numbers, found = self._order(rows, query)
        if found:
            words += f", {found}"
        rows = rows[order]
        names_of = images.group_names
        known = pair is not None or len(names) == 2  # what it was taken for
        said = [str(names_of[r]) if known else f"{names_of[r]} → {names[guess[r]]}" for r in rows]
        captions = [f"{number}{one}" for number, one in zip(numbers, said, strict=True)]
        marks = ["right" if truth[r] == guess[r] else "wrong" for r in rows]
        return Shown(rows, captions, marks, f"{words}.")

    def _none(self, show: Show, pair: Pair, n: int) -> str:
        """Where a list is empty, what there is instead and how it is shown."""
        if n or not len(self.images):
            return ""
        truth, guess = self.images.truth.numpy(), self.images.guess.numpy()
        mine = np.ones(len(truth), bool) if pair is None else truth == self.images.classes.index(pair[0])
        right, every = int((mine & (truth == guess)).sum()), int(mine.sum())
        if not every:
            return ": there is no image of this class"
        if show == "mistakes" and right == every:
            return f": every one of {many(every, 'image')} is right; “right ones” shows them"
        if show == "right" and not right:
            return f": every one of {many(every, 'image')} is wrong; “mistakes” shows them"
        return "; “all images” shows the others"

    def _order(self, rows: NDArray[np.int64], query: str) -> tuple[NDArray[np.int64], list[str], str]:
        """How to order some rows, what to add to each caption, and what to say of it."""
        if query.strip() and len(rows):
            try:
                found = search(self.images.acts.take(rows.tolist()), query)
            except InputError as error:
                return *self._order(rows, "")[:2], f"the surest first; no search for “{query.strip()[:60]}”: {error}"
            place = {str(name): i for i, name in enumerate(self.images.acts.ids[rows])}
            unknown = f" (words the model does not know: {', '.join(found.unknown)})" if found.unknown else ""
            said = f"by their cosine with “{query.strip()}”{unknown}"
            return np.array([place[str(i)] for i in found.ids]), [f"{c:+.3f} " for c in found.cosines], said
        order = np.argsort(-self.margin[rows], kind="stable")
        return order, [""] * len(rows), "the surest first" if len(rows) else ""

    @cached_property
    def margin(self) -> NDArray[np.float32]:
        """[b]: by how much the predicted class leads."""
        two = (self.images.embedding @ self.images.texts.to(self.images.embedding).T).topk(2, dim=1).values
        return np.asarray((two[:, 0] - two[:, 1]).numpy())

    def said(self, image: str) -> ImageSaid | None:
        """What is known of an image; None for one that is not among them."""
        at = self._place.get(image)
        if at is None:
            return None
        images = self.images
        names = images.classes.names
        truth, guess = names[int(images.truth[at])], names[int(images.guess[at])]
        return {"group": str(images.group_names[at]), "truth": truth, "guess": guess}

    @cached_property
    def _place(self) -> dict[str, int]:
        return {str(name): i for i, name in enumerate(self.images.acts.ids)}

    @cached_property
    def fingerprint(self) -> str:
        """Of the images' ids and labels, in order."""
        told = json.dumps([[str(i), str(label)] for i, label in zip(self.data.ids, self.data.labels, strict=True)])
        return sha256(told.encode()).hexdigest()[:16]

    def row_of(self, image: str | None) -> int | None:
        """The position of an image among the samples; None for one that is not among them."""
        return self._rows.get(str(image))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {str(name): i for i, name in enumerate(self.samples.ids)}

    def prompt(self, name: str) -> str:
        """A text that stands for a class."""
        prompts = self.classes.prompts[self.classes.index(name)]
        return prompts[0] if prompts else name

    def for_editing(self) -> tuple[Acts, ClassSet, Acts]:
        """Parts an edit is made from, all classes it must tell apart, and parts it is judged on."""
        few = self._parts_of(self._given["edit_on"])
        return self.prepare().take(self.shares.few) if few is None else few, self.all_classes, self.judging

    @cached_property
    def draws(self) -> list[Acts]:
        """Other images that the edit might as well be made from; of many none, as they would be held once more."""
        if len(self.shares.few) > MOST_FEW:
            return []
        everything = self.prepare()
        rows = more_draws(self.images, everything.ids.astype(str).tolist(), self.shares)
        return [everything.take(some) for some in rows]

    @cached_property
    def all_classes(self) -> ClassSet:
        """The class set with the other labels that occur: what heads off and edits may cost elsewhere."""
        known = self.classes
        labels = {str(label) for acts in (self.prepare(), self.judging) for label in acts.labels}
        others = sorted(labels - {*known.names, "", "None", "nan"})
        if known.given is not None or not others or len(others) > MOST_CLASSES:
            return known
        more = classes(others, templates=known.templates or None)
        return classes([*known.names, *others], prompts=[*known.prompts, *more.prompts])

    def _parts_of(self, given: Any) -> Acts | None:
        if given is None or isinstance(given, Acts):
            return given
        return extract(self.model, given)


def _words(show: Show, pair: Pair, n: int) -> str:
    if pair is None:
        return f"{n} {COUNTED[show]}"
    if show == "mistakes":
        return f"{n} images of {pair[0]} taken for {pair[1]}"
    return f"{n} {COUNTED[show]} of {pair[0]}"


def _images(model: Model, data: Any) -> Samples | Acts:
    """Samples, or their parts with model and images."""
    if data is None:
        if not model.card.id.startswith("built-in"):
            fix = "pass tk.image_folder(folder), tk.waterbirds(folder), tk.table(file), …"
            raise InputError("Explorer", f"no data for {model.card.id!r}", "labelled images", fix)
        return scenes("val", n=1200)
    found = _known_data(data, model, "data")
    if isinstance(found, Acts) and not found.has_images:
        fix = "attach them: acts.attach(model, data)"
        raise InputError("Explorer", "parts without images", "parts with their images", fix)
    return found


def _known_data(data: Any, model: Model, name: str) -> Samples | Acts:
    if isinstance(data, Acts) and len(data):
        return data if data.live is model else data.attach(model, data.data if data.has_images else None)
    if isinstance(data, Samples) and len(data):
        return data
    empty = isinstance(data, Samples | Acts)
    given = f"{name} without images" if empty else f"a {type(data).__name__} as {name}"
    fix = "pass tk.scenes(…), tk.image_folder(folder), tk.table(file), or what tk.extract gives"
    raise InputError("Explorer", given, "samples, or their parts", fix)


def _class_set(given: Any, data: Samples | Acts) -> ClassSet:
    if isinstance(given, ClassSet):
        return _two(given)
    if given is not None:
        return _two(classes(given))
    found = sorted({str(label) for label in data.labels} - {"", "None", "nan"})
    if not 2 <= len(found) <= MOST_CLASSES:
        fix = 'name the classes: tk.Explorer(model, data, ["landbird", "waterbird"])'
        raise InputError("Explorer", f"data with {len(found)} different labels", f"2 to {MOST_CLASSES}", fix)
    return classes(found)


def _two(found: ClassSet) -> ClassSet:
    """A class set in which something can be mistaken for something else."""
    if len(found) < 2:
        fix = f'name what {found.names[0]!r} is mistaken for: ["landbird", "waterbird"]'
        raise InputError("Explorer", f"one class, {found.names[0]!r}", "two classes or more", fix)
    return found
