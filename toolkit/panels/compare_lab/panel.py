"""`CompareLab`: cures as paths from one origin, each turned by one dial, live.

Long because paths, the method looked at, its heads, images, other draws and the table are each asked for, painted and
followed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from toolkit.api.edit.frontier_result import MEASURES
from toolkit.api.edit.outcome import Outcome
from toolkit.api.methods.comparison import Comparison
from toolkit.api.methods.heads_under import HeadsUnder
from toolkit.core.heads import HeadSet
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK
from toolkit.figures.comparison import comparison_matplotlib, comparison_plotly
from toolkit.figures.heatmap import figure_png
from toolkit.labs.compare import CompareSession, How, MethodPath, cures_of_words, rows_between, table_row
from toolkit.labs.compare_words import told_words, with_words
from toolkit.labs.edit_shown import rows
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import observes, shows_errors
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.traits import Table
from toolkit.panels.base.turned import EMPTY, FlipsSent, turned
from toolkit.panels.compare_lab.sent import CloudSent, MethodSent, TableSent, known, measures_sent, number
from toolkit.panels.compare_lab.turned import TurnedMethods

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

    from toolkit.api.images.acts import Acts
    from toolkit.api.methods.method import Method
    from toolkit.data.classes import ClassSet

PALETTE = {"light": DIVERGING.tolist(), "dark": DIVERGING_DARK.tolist()}
TOLD = {"nothing": "told nothing", "words": "told words", "labels": "told labels", "groups": "told groups too"}
ACROSS = {
    "worst": "worst group", "success": "target classes", "like": "same mistakes, now right",
    "locality": "other classes", "agreement": "answers there that stay",
}  # fmt: skip
EVERY = 0.3
"""Seconds between two times that the paths made so far are sent."""


class CompareLab(LivePanel):
    """Cures beside one another: every method a path from the model as it is, its dial a mark on the path, in the plane
    of the worst group and the other classes, on images nothing was fitted to.

    Arguments:
        few: parts of a few labelled images that all methods are fitted to (`Acts`), or a list of draws.
        classes: all that are told apart (`tk.classes`), those that should stay as they are too.
        methods: settings, classes of `tk.methods` or their names; default all that need nothing but labels and, where
            the images have groups, groups.
        held_out: parts of other labelled images, which judge.
        unrelated: by name, parts that should stay as they are, or (parts, classes of their own); default none.
        validation: parts of other labelled images that dials and the price column are chosen on; default none.
        heads: for methods that take heads out or learn to do without them; default those each locates.
        x, y: what is across and what is up, of "worst", "success", "like", "locality", "agreement"; default "worst",
            "locality".
        focus: the method looked at first; default the first.
        against: what it is compared with, "" for the model as it is; default "".
        placebo: whether the method looked at stands beside itself told nothing, eight times; default False.
        about: what is told of the method looked at: "heads", "flips", "words" or "told"; default "heads".
        price: accuracy that the other classes should keep, 0 to 1; default None, which draws no line. The price column
            is the best worst group of the dial values that lose no more on the validation images than this line is
            below the model as it is, measured on the held-out images.
        selection: a Selection to share with other panels: its edit and its heads are two of the paths; default its own.
        engine: what works; `Engine()` works inline; default a worker of its own.
        title, description: words; default "Cures beside one another" and "".
        theme: "auto", "light" or "dark"; default "auto".

    `.methods["probe"].dial = 0.1` turns one; `.tell("RoboShot", ["snow | grass"])` tells one other words; `.focus`,
    `.against`, `.price`, `.draw`; `.table` is what is shown; `.comparison` is that as `tk.comparison` gives it.

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(5)
    >>> val = tk.extract(tk.load(), tk.scenes("val", n=100), progress=False)
    >>> every = tk.classes(["waterbird", "landbird", *sorted(set(val.labels) - {"waterbird", "landbird"})])
    >>> lab = tk.CompareLab(few, every, ["TipAdapter", "Probe"], held_out=val, engine=tk.Engine())
    >>> lab.methods["Tip-Adapter"].dial = 0; lab.methods["Tip-Adapter"]
    Tip-Adapter, α = 0
    """

    heading = "Cures beside one another"
    saved = ("x", "y", "about", "placebo", "focus", "against", "price", "dials", "draw")
    selection_fix = "pass heads= to choose heads"
    doing: ClassVar[dict[str, str]] = {
        "paths": "follow every method along its dial",
        "shown": "judge the method looked at",
        "table": "judge the methods",
        "heads": "ask what heads do under it",
        "cloud": "follow it over other draws",
        "flips": "read the images that changed",
    }
    place = ExplorerPlace("compare", tab="compare", label="Compare")
    _esm = script("compare_lab")
    _css = style("compare_lab")
    x = traitlets.Enum(MEASURES, "worst").tag(sync=True)
    y = traitlets.Enum(MEASURES, "locality").tag(sync=True)
    focus = traitlets.Unicode("").tag(sync=True)
    against = traitlets.Unicode("").tag(sync=True)
    price = traitlets.Float(None, allow_none=True).tag(sync=True)
    draw = traitlets.Int(0).tag(sync=True)
    dials: traitlets.Dict[str, int] = traitlets.Dict(value_trait=traitlets.Int(), key_trait=traitlets.Unicode()).tag(
        sync=True
    )
    image = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    placebo = traitlets.Bool(False).tag(sync=True)
    about = traitlets.Enum(("heads", "flips", "words", "told"), "heads").tag(sync=True)
    _methods: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _paths: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _origin: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _names = traitlets.Dict(ACROSS).tag(sync=True)
    _told = traitlets.Dict(TOLD).tag(sync=True)
    _draws = traitlets.Int(1).tag(sync=True)
    _made_of = traitlets.Unicode("").tag(sync=True)
    _shown: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _cloud: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _table: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _flips: traitlets.TraitType[Any, Any] = traitlets.Dict(dict(EMPTY)).tag(sync=True)
    _sheet = traitlets.Bytes(b"").tag(sync=True)
    _maps = Table().tag(sync=True)
    _layers = traitlets.List(traitlets.Int()).tag(sync=True)
    _heads = traitlets.Int(1).tag(sync=True)
    _map_words = traitlets.Unicode("").tag(sync=True)
    _head: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {
        "heads": "_follow_heads", "edit": "_follow_edit", "image": "_follow_image",
    }  # fmt: skip

    @classmethod
    def in_explorer(cls, explorer: Host) -> CompareLab:
        """Cures from the few images of the edit, judged on those set aside; with the words of the mistake.

        Arguments:
            explorer: what it is a part of.
        """
        session = explorer.session
        few, every, held = session.for_editing()
        choosing = session.prepare().take(session.shares.choosing) if session.shares.choosing else None
        methods: list[Any] = [*cures_of_words(session.lab.images, explorer.pair), *DEFAULT]
        if session.images.has_groups:
            methods += GROUPED
        return cls(
            [few, *session.draws], every, methods, held_out=held, unrelated=explorer.unrelated,
            heads=explorer.selection.heads or None, validation=choosing, **explorer.live,
        )  # fmt: skip

    def __init__(
        self,
        few: Acts | Sequence[Acts],
        classes: ClassSet,
        methods: Sequence[Any] | None = None,
        *,
        held_out: Acts,
        unrelated: Mapping[str, Any] | None = None,
        validation: Acts | None = None,
        heads: Any = None,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._session = CompareSession(few, classes, methods, held_out, unrelated, validation, heads)
        self._begin(engine)
        self._aside = Worker() if isinstance(self.engine, Worker) else self.engine
        self._paths_made: dict[str, MethodPath] = {}
        self._reasons: dict[str, str] = {}
        self._how: dict[str, How] = {}
        self._sent = 0.0
        first = {name: words.pop(name) for name in ("focus", "against", "dials", "draw") if name in words}
        super().__init__(**words)
        self._draws = len(self._session.draws)
        self.selection = shared
        self._restoring = dict(first.pop("dials", {}))
        for name, value in first.items():
            setattr(self, name, value)
        self._fill()

    _card = property(lambda self: self._session.draws[0].card)

    @property
    def methods(self) -> TurnedMethods:
        """The methods whose paths are there, by name."""
        return TurnedMethods(self)

    # what is asked

    def _fill(self) -> None:
        """All paths of the draw shown, one method after the other, so that the first are there at once."""
        self._paths_made, self._reasons, self._sent = {}, {}, 0.0
        with self.hold_sync():
            origin = self._session.origin(self.draw)
            self._origin = {name: known(value) for name, value in origin.items()}
            self._made_of = self._made_from()
        self._next(list(self._session.settings), self.draw)

    def _made_from(self) -> str:
        """What methods are made from, and what judges them."""
        field = self._session.fields[self.draw]
        few = field.problem.images
        counts = np.unique(few.group_names.astype(str), return_counts=True)
        groups = ", ".join(f"{name} {n}" for name, n in zip(*counts, strict=True)) if len(counts[0]) <= 8 else ""
        held = field.held
        judged = f"{held.sizes['success']:,} of the target classes and {held.sizes['agreement']:,} others"
        return f"made from {len(few)} images{f' ({groups})' if groups else ''}; judged on {judged}, split {held.split}"

    def _next(self, left: list[str], draw: int) -> None:
        if not left:
            return
        name, *rest = left

        def work(request: Any) -> MethodPath | InputError:
            try:
                return self._session.path(name, draw)
            except InputError as error:
                return error

        def paint(found: MethodPath | InputError) -> None:
            if draw != self.draw:
                return
            if isinstance(found, MethodPath):
                self._paths_made[name] = found
                self._reasons.pop(name, None)
            else:
                self._reasons[name] = str(found)
            if not rest or time.monotonic() - self._sent > EVERY:
                self._send_paths()
            if rest:
                self._next(rest, draw)

        self._submit("paths", work, paint, engine=self._aside, key=f"paths {draw} {name}")

    def _send_paths(self) -> None:
        self._sent = time.monotonic()
        methods: list[MethodSent] = []
        paths: dict[str, dict[str, list[float | None]]] = {}
        dials = dict(self.dials)
        for name, settings in self._session.settings.items():
            path = self._paths_made.get(name)
            if path is None and name not in self._reasons:
                continue
            row: MethodSent = {
                "name": name, "told": settings.told, "source": settings.source, "dial": "", "says": "", "values": [],
                "paper": 0, "validated": None, "reason": self._reasons.get(name, ""),
            }  # fmt: skip
            if path is not None:
                dial = path.fitted.dial
                row |= {
                    "dial": dial.name, "says": dial.says, "values": [number(v) for v in path.values],
                    "paper": path.paper, "validated": path.validated,
                }  # fmt: skip
                paths[name] = {key: [known(v) for v in path.measures[key]] for key in MEASURES}
                at = self._restoring.pop(name, dials.get(name))
                dials[name] = path.paper if at is None or not 0 <= at < len(path.values) else at
                if name in self._how and self._how[name] != "here" and name not in self._restoring:
                    dials[name] = self._put_by(path, self._how[name])
            methods.append(row)
        with self.hold_sync():
            self._methods, self._paths = methods, paths
            self.dials = dials
            coming = self.focus in self._session.settings and self.focus not in self._reasons
            if self.focus not in self._paths_made and self._paths_made and not coming:
                self.focus = next(iter(self._paths_made))
            self._ask_shown()
            self._ask_table()

    def _put_by(self, path: MethodPath, how: How) -> int:
        validated = path.validated
        return validated if how == "validation" and validated is not None else path.paper

    @traitlets.validate("dials")
    def _valid_dials(self, proposal: dict[str, Any]) -> dict[str, int]:
        known = {}
        for name, at in proposal["value"].items():
            path = self._paths_made.get(name)
            if path is not None:
                known[name] = min(max(0, int(at)), len(path.values) - 1)
        return known

    @observes("dials")
    def _dials_changed(self, change: Any) -> None:
        before = change["old"] if isinstance(change["old"], dict) else {}
        moved = [name for name, at in self.dials.items() if name in before and before[name] != at]
        for name in moved:
            path = self._paths_made[name]
            at = self.dials[name]
            if self._how.get(name) != "validation" or at != path.validated:
                self._how[name] = "paper" if at == path.paper else "here"
        if self.focus in moved or self.against in moved:
            self._ask_shown()
        if moved:
            self._ask_table()

    @observes("focus", "against")
    def _focus_changed(self, change: Any) -> None:
        self._ask_shown()

    @observes("placebo")
    def _placebo_changed(self, change: Any) -> None:
        self._ask_cloud()

    @observes("price")
    def _price_changed(self, change: Any) -> None:
        self._ask_table()

    @traitlets.validate("price")
    def _valid_price(self, proposal: dict[str, Any]) -> float | None:
        value = proposal["value"]
        if value is not None and not 0 <= value <= 1:
            raise InputError("CompareLab.price", f"{value!r}", "a share from 0 to 1, or None", "write price=0.93")
        return None if value is None else float(value)

    @traitlets.validate("draw")
    def _valid_draw(self, proposal: dict[str, Any]) -> int:
        value = int(proposal["value"])
        if not 0 <= value < len(self._session.draws):
            accepted = f"0 to {len(self._session.draws) - 1}"
            raise InputError("CompareLab.draw", repr(value), accepted, "pass several draws as few=[…]")
        return value

    @observes("draw")
    def _draw_changed(self, change: Any) -> None:
        self._fill()

    @observes("image")
    def _image_changed(self, change: Any) -> None:
        if not self._following:
            self.selection.image = self.image

    @observes("_head")
    def _head_changed(self, change: Any) -> None:
        if not self._following and self._head is not None:
            self.selection.heads = (tuple(self._head),)

    def put(self, how: str) -> None:
        """All dials where the papers have them, or where validation images say.

        Arguments:
            how: "paper" or "validation".

        Raises:
            InputError: for anything else, and "validation" without such images.
        """
        if how not in ("paper", "validation"):
            raise InputError("CompareLab.put", repr(how), "'paper' or 'validation'", "name one of the two")
        if how == "validation" and self._session.validation is None:
            raise InputError("CompareLab.put", "no validation images", "validation=acts", "pass such images")
        known: How = "paper" if how == "paper" else "validation"
        self._how = dict.fromkeys(self._paths_made, known)
        self.dials = {name: self._put_by(path, known) for name, path in self._paths_made.items()}

    def put_method(self, settings: Method) -> None:
        """A cure with other settings in the place of that of the same name; its path follows.

        Arguments:
            settings: of `tk.methods`.

        Raises:
            InputError: for a name that no method here has.
        """
        if settings.name not in self._session.settings:
            known = ", ".join(map(repr, self._session.settings))
            raise InputError("CompareLab.put_method", f"the name {settings.name!r}", known, "give it that name")
        self._session.put(settings)
        self._anew(settings.name)

    def tell(self, name: str, lines: Sequence[str]) -> None:
        """Other words for a cure that is told some; its path follows.

        Arguments:
            name: of the cure.
            lines: what it is told: of RoboShot pairs “one text | the other”, of contexts endings of prompts.

        Raises:
            InputError: for a cure that takes no words, no words, and pairs that are none.
        """
        if name not in self._session.settings:
            known = ", ".join(map(repr, self._session.settings))
            raise InputError("CompareLab.tell", repr(name), known, "name one of the methods")
        self.put_method(with_words(self._session.settings[name], lines))

    def _do(self, ask: dict[str, Any]) -> None:
        acts: dict[str, Callable[[], None]] = {
            "put": lambda: self.put(str(ask.get("how", ""))),
            "tell": lambda: self.tell(str(ask.get("name", "")), [str(line) for line in ask.get("lines", ())]),
        }
        acts[ask["do"]]()

    def _ask_shown(self) -> None:
        name, against, draw = self.focus, self.against, self.draw
        path = self._paths_made.get(name)
        if path is None:
            return
        value = path.values[self.dials.get(name, path.paper)]
        other = self._paths_made.get(against)
        beside = None if other is None else (against, other.values[self.dials.get(against, other.paper)])

        def work(request: Any) -> tuple[str, float, str, Outcome, Outcome | None]:
            now = self._session.outcome(name, value, draw)
            before = None if beside is None else self._session.outcome(*beside, draw)
            return name, value, against if beside else "", now, before

        self._submit("shown", work, self._paint_shown, then=self._after_shown)

    def _paint_shown(self, found: tuple[str, float, str, Outcome, Outcome | None]) -> None:
        name, value, against, now, before = found
        fitted = self._paths_made[name].fitted if name in self._paths_made else None
        if fitted is None:
            return
        table = rows(now) if before is None else rows_between(before, now)
        self._shown = {
            "name": name, "against": against, "rows": table, "told": str(fitted.ledger),
            "notes": [str(note) for note in fitted.notes], "value": number(value), "dial": fitted.dial.name,
            "source": self._session.settings[name].source, "says": fitted.dial.says,
            "words": told_words(self._session.settings[name], fitted, self.selection.pair),
        }  # fmt: skip
        self._describe(now)

    def _after_shown(self, found: tuple[str, float, str, Outcome, Outcome | None]) -> None:
        name, value, _, now, before = found
        draw = self.draw
        images = now.held.images
        was = images.guess if before is None else before.guess

        def look(request: Any) -> tuple[FlipsSent, bytes]:
            return turned(images, was.numpy(), now.guess.numpy(), request, 0)

        if images.acts.has_images:
            self._submit("flips", look, self._paint_flips, engine=self._aside)

        def heads(request: Any) -> HeadsUnder | InputError:
            try:
                return self._session.heads(name, value, draw)
            except InputError as error:
                return error

        self._submit("heads", heads, self._paint_heads, engine=self._aside)
        self._ask_cloud()

    def _ask_cloud(self) -> None:
        """The method looked at made from the other draws, and told nothing."""
        name, draw, told_nothing = self.focus, self.draw, self.placebo
        path = self._paths_made.get(name)
        if path is None:
            return
        value = path.values[self.dials.get(name, path.paper)]

        def work(request: Any) -> CloudSent:
            found: CloudSent = {"name": name, "draws": [], "placebo": [], "why": ""}
            try:
                for one in self._session.other_draws(name, value, draw):
                    request.check()
                    found["draws"].append(measures_sent(one))
                for one in self._session.placebos(name, value, draw) if told_nothing else ():
                    request.check()
                    found["placebo"].append(measures_sent(one))
            except InputError as error:
                found["why"] = str(error)
            return found

        self._submit("cloud", work, self._paint_cloud, engine=self._aside)

    def _paint_cloud(self, found: CloudSent) -> None:
        self._cloud = found

    def _paint_flips(self, found: tuple[FlipsSent, bytes]) -> None:
        self._flips, self._sheet = found

    def _paint_heads(self, found: HeadsUnder | InputError) -> None:
        if isinstance(found, InputError):
            self._maps, self._layers, self._map_words = b"", [], str(found)
            return
        self._maps = np.stack([found.as_it_is, found.under])
        self._layers, self._heads = list(found.layers), found.under.shape[1]
        self._map_words = (
            f"What every head does to the margin of the true class, × 100, mean over {found.n} mistakes, split"
            f" {found.split}: as it is, and under {found.name}. Below 0 it pushes towards the mistake."
        )

    def _ask_table(self) -> None:
        names = [(name, path, self.dials.get(name, path.paper)) for name, path in self._paths_made.items()]
        draw, price = self.draw, self.price

        def work(request: Any) -> list[TableSent]:
            found: list[TableSent] = []
            for name, path, at in names:
                request.check()
                found.append(self._table_row(name, path, at, draw, price))
            return found

        self._submit("table", work, self._paint_table, engine=self._aside)

    def _table_row(self, name: str, path: MethodPath, at: int, draw: int, price: float | None) -> TableSent:
        value, ledger = path.values[at], path.fitted.ledger
        measured = table_row(self._session.outcome(name, value, draw))
        how = self._how.get(name, "paper" if at == path.paper else "here")
        row: TableSent = {
            "name": name, "worst": measured["worst"], "low": measured["low"], "high": measured["high"],
            "others": measured["others"], "others_low": measured["others_low"], "others_high": measured["others_high"],
            "images": ledger.labels, "words": ledger.texts, "groups": ledger.group_labels,
            "given": self._session.knows_heads(name), "chosen": how if how != "here" else "chosen here",
            "value": f"{path.fitted.dial.name} = {number(value)}",
        }  # fmt: skip
        if price is not None:
            loss = self._session.origin(draw)["locality"] - price
            place = path.within(loss) if path.on_validation is not None else self._within_here(path, price)
            row["price"] = None if place is None else known(path.measures["worst"][place])
            row["price_at"] = "" if place is None else f"{path.fitted.dial.name} = {number(path.values[place])}"
        return row

    def _within_here(self, path: MethodPath, price: float) -> int | None:
        """Without validation images: read off the images that judge, which the panel says."""
        kept = path.measures["locality"] >= price - 1e-12
        worst = np.where(kept, path.measures["worst"], -1.0)
        return int(worst.argmax()) if kept.any() else None

    def _paint_table(self, found: list[TableSent]) -> None:
        self._table = found

    # what others choose

    @shows_errors
    def _follow_heads(self, change: Any) -> None:
        heads = self.selection.heads
        self._followed("_head", list(heads[-1]) if heads else None)
        if change is not None:
            self._anew(self._session.put_heads(HeadSet(heads) if heads else None))

    @shows_errors
    def _follow_edit(self, change: Any) -> None:
        edit = self.selection.edit
        if edit is None:
            return
        same = {str(name) for name in self._session.fields[0].problem.images.acts.ids}
        made = set(edit.settings.get("ids", {}).get("CE", ()))
        if made and made != same:
            return  # an edit of other images is no path of this plane
        self._anew(self._session.put_edit(edit))

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        self._followed("image", self.selection.image)

    def _anew(self, name: str | None) -> None:
        """The path of one method once more: it is made of something else now."""
        if name is not None and self._draws and name in (*self._paths_made, *self._reasons):
            self._next([name], self.draw)

    # as words, tables and pictures

    def _describe(self, now: Outcome) -> None:
        shown = self._shown
        worst = "" if now.success is None else f", worst group {100 * now.success.change.worst.after:.1f} %"
        self.summary = (
            f"{self.title}: {len(self._paths_made)} methods, {self._made_of}. {shown['name']}, {shown['dial']} ="
            f" {shown['value']}{worst}."
        )

    @property
    def comparison(self) -> Comparison:
        """What is shown, frozen: the methods of this draw with their dials where they stand (`Comparison`)."""
        how = {name: self._how.get(name, "paper") for name in self._paths_made}
        at = {name: self.dials.get(name, path.paper) for name, path in self._paths_made.items()}
        return self._session.shown(at, how, self.draw)

    @property
    def table(self) -> pandas.DataFrame:
        """The table as it is shown: one row per method."""
        import pandas

        return pandas.DataFrame(self._table)

    def to_dataframe(self) -> pandas.DataFrame:
        """The paths of the draw shown: method, value, every measure."""
        import pandas

        tables = [
            pandas.DataFrame({"method": name, "value": path.values} | path.measures)
            for name, path in self._paths_made.items()
        ]
        return pandas.concat(tables, ignore_index=True) if tables else pandas.DataFrame()

    def to_plotly(self) -> PlotlyFigure:
        """The plane as a plain plotly figure."""
        return comparison_plotly(self.comparison, self.x, self.y)

    def to_matplotlib(self) -> Figure:
        """The plane as a matplotlib figure."""
        return comparison_matplotlib(self.comparison, self.x, self.y)

    def png(self) -> bytes:
        return figure_png(self.to_matplotlib(), dpi=80) if self._paths_made else super().png()


DEFAULT = ["HeadsOff", "Edit", "TipAdapter", "Probe", "AnchoredProbe"]
GROUPED = ["BalancedProbe", "GroupDRO", "LTC", "MIClip"]
"""What an explorer compares, beside the words of the mistake."""
