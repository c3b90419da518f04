"""`TwoModels`: two checkpoints, or a model before and after an edit, side by side on one scale."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from toolkit.api.lab import WORDS, LabSession, Outcome, known_kind, known_pair
from toolkit.api.two_models import TwoSession
from toolkit.core.heads import HeadSet
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK
from toolkit.panels.base import css, esm, shows_errors
from toolkit.panels.groups import GroupsPanel
from toolkit.panels.selection import Selection
from toolkit.panels.told_maps import encoded, told
from toolkit.panels.turned import EMPTY, PAUSE, turned

if TYPE_CHECKING:
    import pandas

    from toolkit.api.acts import Acts

PALETTE = {"light": DIVERGING.tolist(), "dark": DIVERGING_DARK.tolist()}
REST = 0.4
"""Seconds an edit must stay before it is compared: the images run through the edited model once more."""
KINDS = ("A", "−B", "C", "−D", "LTC", "text")


class TwoModels(GroupsPanel):
    """Two models on the same images: groups, the images whose answer differs, heads and token maps, each on one scale.

    acts: labelled parts with the first model and the images. classes: two or more. other: a Model (another checkpoint,
    of any shape), or an edit of the first; default the edit of a linked EditLab. layers: candidates, default the last
    four. score: "A", "−B", "C", "−D" (badness, R25), "LTC" or "text" (along predicted − true). pair: (true, predicted).
    text, against, image: of the token maps. selection: a Selection to share with other panels. engine: default a worker
    of the panel; `Engine()` works inline.

    `.change` is the paired change of every group from the first to the second.

    >>> import toolkit as tk
    >>> model, birds = tk.load(), tk.classes(["waterbird", "landbird"])
    >>> acts = tk.extract(model, tk.scenes("val", n=60, kind="birds"), progress=False)
    >>> edit = tk.edit(acts, birds, "L3.H7", steps=20)
    >>> two = tk.TwoModels(acts, birds, edit, engine=tk.Engine()); [g.group for g in two.change.groups][:2]
    ['landbird on land', 'landbird on water']
    """

    _esm = esm("map", "tiles", "labs", "patches", "two_models")
    _css = css("map", "tiles", "labs", "patches", "two_models")
    title = traitlets.Unicode("Two models").tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)
    score: traitlets.TraitType[Any, Any] = traitlets.Any("A").tag(sync=True)
    pair: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    image = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    against = traitlets.Unicode("").tag(sync=True)
    _names: traitlets.List[str] = traitlets.List(traitlets.Unicode(), ["", ""]).tag(sync=True)
    _maps: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _map_words = traitlets.Unicode("").tag(sync=True)
    _facts = traitlets.Dict().tag(sync=True)
    _flips = traitlets.Dict(EMPTY).tag(sync=True)
    _sheet = traitlets.Bytes(b"").tag(sync=True)
    _a = traitlets.Dict().tag(sync=True)
    _b = traitlets.Dict().tag(sync=True)
    _picture = traitlets.Bytes(b"").tag(sync=True)
    _head: traitlets.List[int] = traitlets.List(traitlets.Int(), [0, 0]).tag(sync=True)
    _progress = traitlets.Dict().tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {
        "pair": "_follow_pair", "image": "_follow_image", "text": "_follow_text", "heads": "_follow_head",
        "edit": "_follow_edit",
    }  # fmt: skip

    def __init__(
        self,
        acts: Acts | LabSession,
        classes: Any = None,
        other: Any = None,
        *,
        layers: Any = -4,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        if selection is not None and not isinstance(selection, Selection):
            raise InputError("TwoModels", f"selection={selection!r}", "a Selection", "leave selection out")
        lab = acts if isinstance(acts, LabSession) else LabSession(acts, classes, layers)
        self._session, self._own = TwoSession(lab, other), other is not None
        self.change: Any = None
        self._begin(engine if engine is not None else Worker())
        self._pictures = Worker() if isinstance(self.engine, Worker) else self.engine
        shared = Selection() if selection is None else selection
        given = {name: words.pop(name) for name in ("pair", "image", "text") if name in words}
        super().__init__(**words)
        self._facts = {"groups": lab.images.has_groups, "images": lab.images.acts.has_images}
        self.selection = shared
        for name, value in given.items():
            setattr(self, name, value)
        self._ask()

    @property
    def other(self) -> Any:
        """The second model or edit; assign another to compare with it."""
        return self._session.other

    @other.setter
    def other(self, other: Any) -> None:
        self._session.take(other)
        self._own = other is not None
        self._ask()

    @traitlets.validate("score")
    def _valid_score(self, proposal: dict[str, Any]) -> str:
        found = known_kind(proposal["value"])
        if found not in KINDS:
            raise InputError("TwoModels.score", repr(found), ", ".join(map(repr, KINDS)), "name one of these maps")
        return found

    @traitlets.validate("pair")
    def _valid_pair(self, proposal: dict[str, Any]) -> tuple[str, str] | None:
        return known_pair(self._session.lab.images, proposal["value"], "TwoModels")

    @traitlets.observe("score", "pair", "image", "text", "against", "_head")
    @shows_errors
    def _changed(self, change: Any) -> None:
        if not hasattr(self, "_selection"):
            return
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
        if not hasattr(self, "_selection"):
            return
        self._names = self._session.names
        if self._session.other is None:
            self.summary = f"{self.title}: solve an edit, or name a second model."
            return
        session = self._session

        def work(request: Any) -> Outcome:
            if pause and isinstance(self.engine, Worker):
                time.sleep(pause)
                request.check()
            return session.outcome(request.progress)

        self._submit("groups", work, self._paint, progress=self._report)
        self._ask_maps()
        self._ask_looks()

    def _report(self, done: int, of: int) -> None:
        with self.painting():
            self._progress = {"done": done, "of": of}

    def _ask_maps(self) -> None:
        if self._session.other is None:
            return
        kind, pair, session = self.score, self.pair, self._session
        self._submit("maps", lambda request: (kind, session.maps(kind, pair, request.progress)), self._paint_maps)

    def _ask_looks(self) -> None:
        image, text, session = self.image, self.text.strip(), self._session
        if session.other is None or not image or not text or not session.lab.images.acts.has_images:
            return
        against = self.against.strip()

        def work(request: Any) -> Any:
            found = session.looks(image, text, against)
            return image, found, encoded(session.lab.images.acts.image(image))

        self._submit("looks", work, self._paint_looks)

    def _do(self, ask: dict[str, Any]) -> None:
        if ask["do"] == "stop":
            self.engine.cancel(self._key("groups"))

    # what comes of it

    def _paint(self, found: Outcome) -> None:
        self.change, self._groups, self._progress = found.change, found.rows, {}
        images = self._session.lab.images
        pause = PAUSE if self._pictures is not self.engine else 0
        self._submit(
            "flips", lambda request: turned(images, found.before, found.after, request, pause), self._paint_flips,
            engine=self._pictures,
        )  # fmt: skip
        rows = self._groups[-2:]
        said = ", ".join(f"{r['name']} {100 * r['before']:.1f} → {100 * r['after']:.1f} %" for r in rows)
        n, split = len(images), images.acts.split
        self.summary = f"{self.title}: {self._names[0]} → {self._names[1]}: {said}; {n} images ({split})."

    def _paint_flips(self, found: tuple[dict[str, Any], bytes]) -> None:
        self._flips, self._sheet = found

    def _paint_maps(self, found: tuple[Any, list[Any]]) -> None:
        kind, tables = found
        labs = self._session.labs()
        self._map_words = WORDS[known_kind(kind)]
        self._maps = [
            {
                "layers": list(lab.layers), "heads": lab.shape[1], "kind": kind,
                "values": b"" if table is None else np.asarray(table).astype("<f4").tobytes(),
            }
            for lab, table in zip(labs, tables, strict=True)
        ]  # fmt: skip

    def _paint_looks(self, found: tuple[str, Any, bytes]) -> None:
        image, (first, second), self._picture = found
        self._a, self._b = told(first, image), told(second, image) | {"state": self._names[1]}

    # what others choose

    @shows_errors
    def _follow_pair(self, change: Any) -> None:
        pair, names = self.selection.pair, self._session.lab.images.classes.names
        if pair is None or all(name in names for name in pair):
            self._followed("pair", pair)

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        if self.selection.image in set(map(str, self._session.lab.images.acts.ids)):
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
        if not self._own and self.selection.edit is not None:
            self._session.take(self.selection.edit)
            self._ask(REST)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per group: group, n, before (first), after (second), change, low, high, level, interval, split."""
        if self.change is None:
            given = "a panel whose first numbers are still on their way"
            raise InputError("TwoModels.to_dataframe", given, "a panel that is painted", "wait a moment")
        found: pandas.DataFrame = self.change.to_dataframe()
        return found
