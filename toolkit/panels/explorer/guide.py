"""A guided tour of the explorer: steps that a user walks by keyboard and a notebook walks in cells."""

from __future__ import annotations

import itertools
import json
import operator
import time
from dataclasses import dataclass, replace
from typing import Any, Self

import traitlets

from toolkit.core.heads import HeadSet
from toolkit.engine.engine import Engine
from toolkit.errors import InputError
from toolkit.panels.base.panel import LOCK, observes
from toolkit.panels.explorer.parts import ExplorerParts

PAUSE = 0.01
NOT_THERE = object()


@dataclass(frozen=True)
class Own:
    """A value that the explorer itself knows, by the name of a property of it."""

    name: str


@dataclass(frozen=True)
class Step:
    """One step of the tour.

    title; says: what there is to see; look: a question to ask oneself; target: what is ringed, a name that the script
    knows; sets: what the step does, as (what of the explorer, value or Own) in order; shows: what of the explorer a
    cell ends in, "" for nothing.
    """

    title: str
    says: str
    look: str
    target: str
    sets: tuple[tuple[str, Any], ...] = ()
    shows: str = ""

    @property
    def code(self) -> str:
        """The same in Python, of an `explorer`."""
        written = (f"explorer.{v.name}" if isinstance(v, Own) else json.dumps(v) for _, v in self.sets)
        lines = [f"explorer.{path} = {value}" for (path, _), value in zip(self.sets, written, strict=True)]
        return "\n".join(lines + ([f"explorer.{self.shows}"] if self.shows else []))

    @property
    def told(self) -> dict[str, str]:
        """What the box in the explorer needs to know of it."""
        words = {name: getattr(self, name) for name in ("title", "says", "look", "target", "code")}
        return words | {"tab": str(dict(self.sets).get("tab", ""))}


class Tour(tuple[Step, ...]):
    """The steps, in order; prints as a list of what they say and do."""

    def __repr__(self) -> str:
        return "\n".join(
            "\n    ".join([f"{n}. {step.title}", step.says, step.look, *step.code.split("\n")])
            for n, step in enumerate(self, 1)
        )


STEPS = Tour((
    Step(
        "The most frequent mistake",
        "Every row is a true class, every column what the model said, every number so many images; of many classes only"
        " the most frequent mistakes are listed. What is off the diagonal is wrong.",
        "Which mistake is the most frequent, and is the reverse as frequent?",
        "confusion", (("tab", "mistakes"), ("show", "mistakes")), "wait().worst_pair",
    ),
    Step(
        "Its images",
        "The tour has chosen the most frequent mistake, as a click on its cell does; every tab now works on it. These"
        " are its images, those the model was surest of first. Where nothing is wrong there are none: choose “all"
        " images” and go on.",
        "What do these images share that has nothing to do with their class?",
        "gallery", (("tab", "mistakes"), ("pair", Own("worst_pair"))), "gallery",
    ),
    Step(
        "The heads that push towards it",
        "One square per attention head, a row per layer; the scale beside them says which colour pushes towards the"
        " mistake. It shows −D, the score whose first heads helped most on validation scenes. Now choose A instead: its"
        " darkest head carries the class itself, and without it the class is lost. “Guilty” is a score, not a proof:"
        " the proof is what happens without the head, on other images.",
        "Which heads are dark by both scores, and which by A alone?",
        "grid", (("tab", "mistakes"),), "grid",
    ),
    Step(
        "Choose the worst",
        "The tour has selected the first heads of this map: as many as serve best the worst group of the images set"
        " aside for choosing, the other classes losing at most two points there. They are named up here and marked in"
        " the grid. Shift-click adds or removes one. The tabs look at them; nothing is switched off yet.",
        "Would you have stopped at the same head?",
        "chosen", (("tab", "mistakes"), ("selection.heads", Own("worst_heads"))), "selection",
    ),
    Step(
        "What a head says",
        "The texts that best describe how the head's output varies from image to image, and how much of it they"
        " explain; shown is the head chosen last. Words describe variance, not meaning: a head can do something else"
        " with what it sees.",
        "Do the words name the class, or what surrounds it?",
        "words", (("tab", "words"),), "wait().spans",
    ),
    Step(
        "Where it looks",
        "One image of the mistake: what every patch gave, through the heads chosen, to the text of the wrong class less"
        " that of the right one. Without such a contrast a map shows what raises every text. It shows what was summed,"
        " not what was needed.",
        "Does the push come from the object, or from around it?",
        "where", (("tab", "where"), ("selection.image", Own("worst_image"))), "wait().maps",
    ),
    Step(
        "Switch them off",
        "The heads chosen are off now. Every group before and after, with a paired interval; below it, the images that"
        " flipped. “Direct” leaves out what later layers would do about it; “total” runs the model again. All of it is"
        " measured on images that had no part in finding or choosing the heads.",
        "Who gained, who paid, and which intervals leave zero out?",
        "off", (("tab", "off"), ("ablation.heads", Own("worst_heads"))), "wait().ablation.change",
    ),
    Step(
        "Edit instead",
        "Two edits of the same weights side by side, from ten images a class: the diagonal rescales the embedding, the"
        " other sets a strength for every head chosen, which the map shows. α weighs the mistake that should go, β what"
        " should stay. The first line is the plain alternative: the heads simply off. Where nothing is wrong there is"
        " nothing to learn from, and the tab says so.",
        "What does each edit keep of the gain, and what does it cost the other classes? And with β at 0?",
        "edit", (("tab", "edit"),), "wait().edit.edit",
    ),
    Step(
        "And the other cures",
        "Every line is a cure, made from the same few images or told words alone; all begin at the model as it is."
        " To the right is a better worst group, down is what the other classes lose. Turn a dial, or drag a mark."
        " Grey dots under “placebo” are the same cure told nothing; “price” draws what the others may lose.",
        "Which cure gives most where the others lose little, and what did it have to be told?",
        "compare", (("tab", "compare"),), "wait().compare.table",
    ),
    Step(
        "Before and after",
        "The model before and after the edit looked at, or beside a second model, on one scale: groups,"
        " heads, and one image. Only images that had no part in finding, choosing or fitting are counted.",
        "Does the interval of the worst group's change leave zero out, and what does the average hide?",
        "two", (("tab", "two"),), "wait().two.change",
    ),
    Step(
        "Hand it on",
        "“report” writes one page with what stands in the panels, who paid, and the numbers;"
        " explorer.report(\"found.html\") does the same. “state” is a short text that brings anyone with this model"
        " and these data back here. Confirm what you found on images you have not looked at.",
        "What would you have to see to change your mind?",
        "tools", (), "state",
    ),
))  # fmt: skip


def cells() -> list[tuple[str, str]]:
    """The tour as cells of a notebook: (markdown, code) of each; the code is that of the steps, after a first cell."""
    words = (
        "# A guided tour\n\nFrom a mistake to the heads behind it, what they say, where they look, what switching"
        " them off costs, and an edit. The button *tour* in the explorer, or the key `t`, walks the same steps."
    )
    found = [(words, "import toolkit as tk\n\nexplorer = tk.Explorer()\nexplorer")]
    for n, step in enumerate(STEPS, 1):
        found.append((f"## {n}. {step.title}\n\n{step.says}\n\n*{step.look}*", step.code))
    return found


class Guided(ExplorerParts):
    """Base class of the explorer: its tour, what a tour of any images needs to know, and a way to wait for it."""

    _aside: Engine
    guide: traitlets.TraitType[Any, Any] = traitlets.TraitType(-1).tag(sync=True)
    _tour: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _left = 0
    _steps_taken = itertools.count()

    @property
    def tour(self) -> Tour:
        """The steps of the guided tour; `explorer.guide = 0` begins it, −1 ends it."""
        return STEPS

    @traitlets.validate("guide")
    def _valid_guide(self, proposal: dict[str, Any]) -> int:
        value, accepted = proposal["value"], f"0 to {len(STEPS) - 1}, or −1 for no tour"
        try:
            found = -2 if isinstance(value, bool) else operator.index(value)
        except TypeError:
            found = -2
        if not -1 <= found < len(STEPS):
            raise InputError("Explorer.guide", repr(value), accepted, "name the number of a step, counted from 0")
        return found

    @observes("guide")
    def _guide_changed(self, change: Any) -> None:
        self._take_step()

    def _take_step(self) -> None:
        """Do what the step shown says: at once what is there, the rest when it can be had."""
        self._forgive("tour")
        if self.guide < 0:
            self._left += 1  # what is still to come of this tour is no longer wanted
            return
        later = []
        with self.hold_sync():
            self._tour = [step.told for step in STEPS]  # not before: most displays are never toured
            for path, value in STEPS[self.guide].sets:
                if "." in path or isinstance(value, Own):
                    later.append((path, value))
                else:
                    setattr(self, path, value)
        if later:
            self._ask_step(later)

    def _ask_step(self, later: list[tuple[str, Any]]) -> None:
        left, before = self._left, {path: self._value_of(path) for path, _ in later}

        def work(request: Any) -> list[tuple[str, Any]]:
            if left != self._left:
                return []
            self._session.prepare()
            return [(path, self._known(value)) for path, value in later if self._can_be_had(path)]

        def paint(found: list[tuple[str, Any]]) -> None:
            for path, value in found:
                # what the user has chosen meanwhile stays
                if left == self._left and before[path] in (NOT_THERE, self._value_of(path)):
                    owner, name = self._owner(path)
                    setattr(owner, name, value)

        # steps are not of one key: whoever hurries through them still gets what each does
        self._submit("tour", work, paint, key=f"tour {next(self._steps_taken)}", engine=self._aside)

    def _known(self, value: Any) -> Any:
        return getattr(self, value.name) if isinstance(value, Own) else value

    def _owner(self, path: str) -> tuple[Any, str]:
        """The object that has a setting, None while its panel is not made; and the setting's name there."""
        *of, name = path.split(".")
        return (self if not of else self.selection if of == ["selection"] else self.parts.get(of[0])), name

    def _value_of(self, path: str) -> Any:
        owner, name = self._owner(path)
        return NOT_THERE if owner is None else getattr(owner, name)

    def _can_be_had(self, path: str) -> bool:
        """Make the panel that a setting is of; where that cannot be, its own tab says why."""
        of, _, rest = path.partition(".")
        if not rest or of == "selection":
            return True
        try:
            self.part(of)
        except InputError:
            return False
        return True

    # what a tour of any images needs to know

    @property
    def worst_pair(self) -> tuple[str, str] | None:
        """The most frequent mistake, (true, predicted); None where nothing is wrong. Waits for the parts, as `.acts`
        does.
        """
        self._session.prepare()
        return self._session.first_pair if self._session.images.mistakes else None

    @property
    def worst_heads(self) -> HeadSet:
        """The first heads of the map for `.pair` (None: for all mistakes), as many as serve best the worst group of the
        images set aside for choosing; the first last, since panels of one head show the one chosen last. Where that
        finds none, the one with the highest score; without such images, what Algorithm 1 chooses. Waits for the parts,
        as `.acts` does.
        """
        self._session.prepare()
        lab = self._session.lab
        try:
            found = self._session.choose(self.pair)
        except InputError:  # no image is wrong in this way
            found = HeadSet(())
        return replace(found, heads=found.heads[::-1]) if found else HeadSet.of(self.worst_head, *lab.shape)

    @property
    def worst_image(self) -> str | None:
        """The id of the image of `.pair` that the model is wrong about and surest of; None where there is none. Waits
        for the parts, as `.acts` does.
        """
        self._session.prepare()
        rows = self._session.shown("mistakes", self.pair, "").rows
        return str(self._session.images.acts.ids[rows[0]]) if len(rows) else None

    # waiting

    def wait(self, timeout: float = 60) -> Self:
        """The explorer itself, once nothing of it is being worked out: `explorer.wait().ablation.change`.

        With `Engine()` there is nothing to wait for.

        Arguments:
            timeout: seconds, 0 or more; default 60.

        Raises:
            TimeoutError: when they are over, naming what still runs.
            what the work raised: where some of it failed and nothing newer took its place; what a panel cannot do with
                these images (an InputError) stands in that panel alone.
            InputError: where others could not go on meanwhile (in an observer).
        """
        if not isinstance(timeout, int | float) or not timeout >= 0:
            raise InputError("Explorer.wait", f"timeout={timeout!r}", "seconds, 0 or more", "leave timeout out")
        end = time.monotonic() + timeout
        while running := self._running():
            if LOCK._is_owned():  # type: ignore[attr-defined]
                raise InputError(
                    "Explorer.wait", "a call from an observer", "one from a cell", "read results in a cell"
                )
            if time.monotonic() > end:
                fix = "wait longer, as explorer.wait(600)"
                raise TimeoutError(f"Explorer.wait: after {timeout:g} s still at work: {', '.join(running)}; {fix}.")
            time.sleep(PAUSE)
        for panel in (self, *self.parts.values()):
            for part, error in list(getattr(panel, "_failed", {}).items()):
                if panel is not self and isinstance(error, InputError):  # nothing to do there, which the panel says
                    continue
                error.add_note(f"In Explorer.wait: {part} of {type(panel).__name__}.")
                raise error
        return self

    def _running(self) -> list[str]:
        """What is being worked out, by panel; what follows from an answer is asked for before the answer is over."""
        with LOCK:
            found = list(self._work)
            for name, panel in self.parts.items():
                found += [f"{name}: {part}" for part in getattr(panel, "awaited", ())]
        return found
