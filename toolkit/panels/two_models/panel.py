"""`TwoModels`: two checkpoints, or a model before and after an edit, side by side on one scale."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import numpy as np
import traitlets

from toolkit.api.locate.registry import known_score, offered
from toolkit.api.locate.scores import USUAL_SCORE
from toolkit.core.heads import HeadSet
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK
from toolkit.labs.ablation import AblationSession, HeadsOffOutcome
from toolkit.labs.two_models import ModelNames, SecondModel, Side
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.groups import GroupsPanel
from toolkit.panels.base.panel import observes, shows_errors
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.told_maps import encoded, told
from toolkit.panels.base.traits import Pair
from toolkit.panels.base.turned import EMPTY, PAUSE, FlipsSent, turned

if TYPE_CHECKING:
    import pandas

    from toolkit.api.images.acts import Acts

PALETTE = {"light": DIVERGING.tolist(), "dark": DIVERGING_DARK.tolist()}
REST = 0.4
"""Seconds an edit must stay before it is compared: the images run through the edited model once more."""
PARTS = ("groups", "maps", "looks")
ALONG = "along predicted − true"
"""What a score along a text is here, where none can be typed."""
QUESTION = "What does the second do that the first does not: which images flip, in which groups, through which heads?"


class TwoModels(GroupsPanel):
    """Two models on the same images: groups, the images whose answer differs, heads and token maps, each on one scale.

    Arguments:
        acts: labelled parts with the first model and the images (`Acts`).
        classes: two or more (`tk.classes`); default those of a lab whose session is given as acts.
        other: a Model (another checkpoint, of any shape), or an edit of the first; default the edit of a linked
            EditLab.
        layers: candidates; a list of layers, None for all, a negative int for the last |n|; default −4.
        selection: a Selection to share with other panels; default its own.
        engine: what works; `Engine()` works inline; default a worker of the panel.
        score: "A", "−B", "C", "−D" (badness, R25), "LTC", "text" (along predicted − true) or any registered score
            (`tk.head_score`); default "−D".
        pair: (true, predicted); default all mistakes pooled.
        text, against, image: of the token maps; default nothing.
        find: of more than 14 groups, a text in the names of those shown; default "".
        rank: which of them come first: "loss", "gain", "before" (the worst) or "after"; default "loss".
        title, description: words; default "Two models" and "".
        theme: "auto", "light" or "dark"; default "auto".

    `.change` is the paired change of every group from the first to the second.

    >>> import toolkit as tk
    >>> model, birds = tk.load(), tk.classes(["waterbird", "landbird"])
    >>> acts = tk.extract(model, tk.scenes("val", n=60, kind="birds"), progress=False)
    >>> edit = tk.edit(acts, birds, "L3.H7", steps=20)
    >>> two = tk.TwoModels(acts, birds, edit, engine=tk.Engine()); [g.group for g in two.change.groups][:2]
    ['landbird on land', 'landbird on water']
    """

    heading = "Two models"
    saved = ("score", "against")
    place = ExplorerPlace("two", tab="two", label="Two models")
    doing: ClassVar[dict[str, str]] = {
        "groups": "run the second model",
        "maps": "score the heads of both models",
        "looks": "look where both models look",
        "flips": "read the images that changed",
    }
    _esm = script("two_models")
    _css = style("two_models")
    score: traitlets.TraitType[Any, Any] = traitlets.Any(USUAL_SCORE).tag(sync=True)
    pair = Pair().tag(sync=True)
    image = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    against = traitlets.Unicode("").tag(sync=True)
    _names: traitlets.TraitType[Any, Any] = traitlets.Dict({"first": "", "second": ""}).tag(sync=True)
    _of: traitlets.TraitType[Any, Any] = traitlets.Dict({"first": "", "second": ""}).tag(sync=True)
    _scores: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _maps: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _map_words = traitlets.Unicode("").tag(sync=True)
    _facts = traitlets.Dict().tag(sync=True)
    _flips: traitlets.TraitType[Any, Any] = traitlets.Dict(dict(EMPTY)).tag(sync=True)
    _sheet = traitlets.Bytes(b"").tag(sync=True)
    _a: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _b: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _picture = traitlets.Bytes(b"").tag(sync=True)
    _head: traitlets.List[int] = traitlets.List(traitlets.Int(), [0, 0]).tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {
        "pair": "_follow_pair", "image": "_follow_image", "text": "_follow_text", "heads": "_follow_head",
        "edit": "_follow_edit",
    }  # fmt: skip

    @classmethod
    def in_explorer(cls, explorer: Host) -> TwoModels:
        """The model beside the second one given, else beside the edit solved in the explorer.

        Arguments:
            explorer: what it is a part of.
        """
        session = explorer.session
        looked, every = len(session.classes), len(session.all_classes)
        words = f" Answers are among these {looked} classes; heads off and edits are judged among all {every}."
        given = explorer.first_texts() | explorer.live | {"description": QUESTION + words * (every > looked)}
        return cls(session.judged_alone, None, explorer.second, **given)

    def __init__(
        self,
        acts: Acts | AblationSession,
        classes: Any = None,
        other: Any = None,
        *,
        layers: Any = -4,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._lab = (
            acts if isinstance(acts, AblationSession) else AblationSession(acts, classes, layers, operation="TwoModels")
        )
        self._second = None if other is None else SecondModel(self._lab, other)
        self._own, self._waits, self._missed = other is not None, False, False
        self._noun = self._lab.noun
        self.change: Any = None
        self._begin(engine)
        self._pictures = Worker() if isinstance(self.engine, Worker) else self.engine
        given = {name: words.pop(name) for name in ("pair", "image", "text") if name in words}
        super().__init__(**words)
        images = self._lab.images
        self._facts = {"groups": images.has_groups, "images": images.acts.has_images}
        self._head, self._scores = [self._lab.layers[-1], 0], _choices()
        self.selection = shared
        for name, value in given.items():
            setattr(self, name, value)
        self._ask()

    _card = property(lambda self: self._lab.images.acts.card)
    _classes_there = property(lambda self: self._lab.images.classes)

    @property
    def other(self) -> Any:
        """The second model or edit; assign another to compare with it, None for none."""
        return None if self._second is None else self._second.given

    @other.setter
    def other(self, other: Any) -> None:
        self._second = None if other is None else SecondModel(self._lab, other)
        self._own = other is not None
        self._ask()

    def wait(self, waits: bool) -> None:
        """Answer nothing while nobody looks: every answer to an edit runs all images through the edited model.

        Arguments:
            waits: whether to answer nothing; False answers what was missed.
        """
        self._waits = waits
        if not waits and self._missed:
            self._missed = False
            self._ask()

    @traitlets.validate("score")
    def _valid_score(self, proposal: dict[str, Any]) -> str:
        found = known_score(proposal["value"], "TwoModels.score", "TwoModels")
        self._scores = _choices()
        return found.name

    @observes("score", "pair", "image", "text", "against", "_head")
    def _changed(self, change: Any) -> None:
        name = change["name"]
        if not self._following and name in ("pair", "image", "text", "_head"):
            shared = "heads" if name == "_head" else name
            setattr(self.selection, shared, (tuple(self._head),) if name == "_head" else getattr(self, name))
        if name in ("score", "pair"):
            self._ask_maps()
        elif name != "_head":
            self._ask_looks()

    # what is asked

    def _ask(self, pause: float = 0) -> None:
        """Compare anew. pause: seconds in which a newer edit may take this one's place."""
        second = self._second
        if second is None:
            self._clear()
            return
        if self._waits:
            self._missed = True
            return
        self._names = second.names

        def work(request: Any) -> tuple[SecondModel, HeadsOffOutcome]:
            if pause and isinstance(self.engine, Worker):
                time.sleep(pause)
                request.check()
            return second, second.outcome()

        self._submit("groups", work, self._paint)
        self._ask_maps()
        self._ask_looks()

    def _clear(self) -> None:
        """There is nothing to compare with."""
        for part in PARTS:
            self.engine.cancel(self._key(part))
        with self.hold_sync():
            self._names = self._of = {"first": self._lab.images.acts.card.id, "second": ""}
            self._show_groups([])
            self._maps, self._a, self._b, self.change = [], {}, {}, None
            self.summary = f"{self.title}: solve an edit, or name a second model."

    def _ask_maps(self) -> None:
        second, kind, pair = self._second, self.score, self.pair
        if second is None or self._waits:
            self._missed = self._waits
            return
        self._submit(
            "maps",
            lambda request: (second, kind, second.maps(kind, pair)),
            self._paint_maps,
        )

    def _ask_looks(self) -> None:
        second, image, text, images = self._second, self.image, self.text.strip(), self._lab.looked_at
        if self._waits:
            self._missed = True
            return
        if second is None or not image or not text or not images.has_images:
            self.engine.cancel(self._key("looks"))
            self._a, self._b = {}, {}
            return
        against = self.against.strip()

        def work(request: Any) -> Any:
            return second, image, second.looks(image, text, against), encoded(images.image(image))

        self._submit("looks", work, self._paint_looks)

    def _do(self, ask: dict[str, Any]) -> None:
        if ask["do"] == "stop":
            for part in PARTS:
                self.engine.cancel(self._key(part))

    # what comes of it; an answer about another second model is nobody's any more

    def _paint(self, found: tuple[SecondModel, HeadsOffOutcome]) -> None:
        second, outcome = found
        if second is not self._second:
            return
        self.change, self._of = outcome.change, second.names
        self._show_groups(outcome.rows)
        images = second.labs()[0].images
        pause = PAUSE if self._pictures is not self.engine else 0
        self._submit(
            "flips", lambda request: turned(images, outcome.before, outcome.after, request, pause), self._paint_flips,
            engine=self._pictures,
        )  # fmt: skip
        rows = self._groups[-2:]
        said = ", ".join(f"{r['name']} {100 * r['before']:.1f} → {100 * r['after']:.1f} %" for r in rows)
        left = f"; {second.used} it was made from left out" if second.used else ""
        n, split = len(images), images.acts.split
        both = f"{second.names['first']} → {second.names['second']}"
        self.summary = f"{self.title}: {both}: {said}; {n} images ({split}){left}."

    def _paint_flips(self, found: tuple[FlipsSent, bytes]) -> None:
        self._flips, self._sheet = found

    def _paint_maps(self, found: tuple[SecondModel, Any, list[Side]]) -> None:
        second, kind, sides = found
        if second is not self._second:
            return
        self._map_words = known_score(kind, "TwoModels").says
        names = second.names
        maps: list[HeadTable] = [
            {
                "name": name, "layers": list(side.layers), "heads": side.heads, "kind": kind, "of": names,
                "values": b"" if side.table is None else np.asarray(side.table).astype("<f4").tobytes(),
            }
            for name, side in zip((names["first"], names["second"]), sides, strict=True)
        ]  # fmt: skip
        self._maps = maps

    def _paint_looks(self, found: tuple[SecondModel, str, Any, bytes]) -> None:
        second, image, (first, other), picture = found
        if second is self._second:
            self._picture = picture
            self._a, self._b = told(first, image), {**told(other, image), "state": second.names["second"]}

    # what others choose

    @shows_errors
    def _follow_pair(self, change: Any) -> None:
        pair, names = self.selection.pair, self._lab.images.classes.names
        if pair is None or all(name in names for name in pair):
            self._followed("pair", pair)

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        if self.selection.image in set(map(str, self._lab.looked_at.ids)):
            self._followed("image", self.selection.image)

    @shows_errors
    def _follow_text(self, change: Any) -> None:
        if self.selection.text:
            self._followed("text", self.selection.text)

    @shows_errors
    def _follow_head(self, change: Any) -> None:
        found = HeadSet(self.selection.heads).heads
        if found:
            self._followed("_head", list(found[-1]))

    @shows_errors
    def _follow_edit(self, change: Any) -> None:
        edit = self.selection.edit
        if self._own or edit is self.other or (edit is None and change is None):
            return
        self._second = None if edit is None else SecondModel(self._lab, edit)
        self._ask(REST)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per group: group, n, before (first), after (second), change, low, high, level, interval, split."""
        if self.change is None:
            given = "a panel whose first numbers are still on their way"
            raise InputError("TwoModels.to_dataframe", given, "a panel that is painted", "wait a moment")
        found: pandas.DataFrame = self.change.to_dataframe()
        return found


class HeadTable(TypedDict):
    """A map of heads of one model, called `name`. kind: its score. of: both models, when it was worked out."""

    name: str
    layers: list[int]
    heads: int
    kind: str
    of: ModelNames
    values: bytes


def _choices() -> list[dict[str, Any]]:
    return [score.told | ({"label": ALONG} if score.takes_text else {}) for score in offered("TwoModels")]
