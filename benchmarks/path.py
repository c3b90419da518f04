"""How long a way is: files and functions of the toolkit between a question and its answer.

`toolkit bench path [--journey alpha|images|spans] [--json]`. To measure another checkout: PYTHONPATH=CHECKOUT python
benchmarks/path.py [--journey …] [--json].

The rule: everything is asked once or more to warm up, then once more with every call of a Python function watched, on
whatever thread (but those of engines for what follows a paint). A function counts once, by its file and name, however
often it is called; a file counts when one of its functions runs. What is written inside a function as a comprehension
or generator belongs to it; a lambda and an inner function count by themselves. Generated methods (of dataclasses, say)
and everything outside the package do not count.

alpha: from `lab.alpha = value` to the message with the new groups, and to the last message (words and pictures follow
the groups), in an EditLab with an `Engine` that works inline. images: `tk.decompose`. spans: texts to `tk.textspan`.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import toolkit as tk

PACKAGE = Path(tk.__file__).parent
INSIDE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
HEADS = "L3.H7 L3.H5"


class Watch:
    """Calls of the package's functions, in the order of the first one: {(file, function): how often}."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.on = False
        self.elsewhere: tuple[Any, ...] = ()
        """Engines whose threads do not count: what follows a paint may begin before its message has left."""

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if not self.on or event != "call":
            return
        if any(engine._thread is threading.current_thread() for engine in self.elsewhere):
            return
        code = frame.f_code
        if code.co_filename.startswith(str(PACKAGE)) and not code.co_qualname.endswith(INSIDE):
            self.calls[(str(Path(code.co_filename).relative_to(PACKAGE)), code.co_qualname)] += 1

    def counts(self) -> dict[str, Any]:
        """files and functions so far, and the functions as rows [file, name, calls]."""
        rows = [[*key, calls] for key, calls in self.calls.items()]
        return {"files": len({row[0] for row in rows}), "functions": len(rows), "rows": rows}


def watched(ask: Callable[[], Any], watch: Watch) -> None:
    """Ask with every call watched: in this thread, and in those that `threading.setprofile` was told of."""
    watch.calls.clear()
    before = sys.getprofile()
    sys.setprofile(watch)
    watch.on = True
    try:
        ask()
    finally:
        watch.on = False
        sys.setprofile(before)


def make_lab(quick: bool, engine: Any) -> Any:
    """An EditLab on the built-in world."""
    few = tk.extract(tk.load(), tk.scenes("edit", 200, 5, kind="birds"), progress=False).draw(per_class=10)
    val = tk.extract(tk.load(), tk.scenes("val", 120 if quick else 600, 5), progress=False)
    return tk.EditLab(few, tk.classes(sorted(set(val.labels))), HEADS, held_out=val, engine=engine)


def rest(lab: Any) -> None:
    """Wait until every answer is there."""
    end = time.monotonic() + 60
    while lab._work and time.monotonic() < end:
        time.sleep(0.01)


def moved(quick: bool, engine: Any, watch: Watch) -> dict[str, Any]:
    """One move of α: painted, up to the message with its groups; settled, up to the last message."""
    lab = make_lab(quick, engine)
    if engine is None:
        watch.elsewhere = (lab._pictures, lab._aside, lab._filling)
    for value in (11.0, 12.0, 13.0):
        lab.alpha = value
        rest(lab)
    found: dict[str, Any] = {"messages": 0}
    comm, send = lab.comm, lab.comm.send

    def noted(data: Any = None, *more: Any, **named: Any) -> Any:
        found["messages"] += 1
        found["settled"] = watch.counts()
        if "painted" not in found and "_shown" in data["state"]:
            found["painted"] = found["settled"]
        return send(data, *more, **named)

    def ask() -> None:
        lab.alpha = 30.0
        rest(lab)

    comm.send = noted
    watched(ask, watch)
    return found


def alpha(quick: bool, watch: Watch) -> dict[str, Any]:
    """Inline, and (worker) with the panel's own threads, as in a notebook."""
    found = moved(quick, tk.Engine(), watch)
    threading.setprofile(watch)
    try:
        found["worker"] = moved(quick, None, watch)["painted"]
    finally:
        threading.setprofile(None)  # type: ignore[arg-type]
    return found


def images(quick: bool, watch: Watch) -> dict[str, Any]:
    """From images to their exact parts."""
    model, some = tk.load(), tk.scenes("val", 16, 5)
    tk.decompose(model, some)
    watched(lambda: tk.decompose(model, some), watch)
    return {"answered": watch.counts()}


def spans(quick: bool, watch: Watch) -> dict[str, Any]:
    """From texts nobody has encoded before to those of a head."""
    acts = tk.extract(tk.load(), tk.scenes("val", 60, 5), progress=False)
    words = list(tk.bank("world").texts)
    tk.textspan(acts, words, size=5).head("L3.H7")
    watched(lambda: tk.textspan(acts, [f"a {word}" for word in words[:40]], size=5).head("L3.H7"), watch)
    return {"answered": watch.counts()}


JOURNEYS = {"alpha": alpha, "images": images, "spans": spans}


def run(quick: bool = False, journey: str | None = None) -> dict[str, Any]:
    """The journey named, or all; `quick` takes few images, for the tests."""
    return {name: JOURNEYS[name](quick, Watch()) for name in JOURNEYS if journey in (None, name)}


SAID = {
    "painted": "alpha → the groups are painted", "settled": "alpha → words and pictures too",
    "worker": "alpha → the groups are painted, by threads as in a notebook", "answered": "→",
}  # fmt: skip


def report(result: dict[str, Any]) -> str:
    """The result in words; of a single journey with every function, in the order of the first call."""
    lines = []
    for journey, found in result.items():
        for end in SAID:
            if end in found:
                name = {"images": "images → parts", "spans": "texts → spans"}.get(journey, SAID[end])
                lines.append(f"{name}: {found[end]['files']} files, {found[end]['functions']} functions")
    if len(result) == 1:
        (found,) = result.values()
        told = found.get("painted") or found["answered"]
        lines += [f"  {calls:6,} × {file}: {name}" for file, name, calls in told["rows"]]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--journey", choices=list(JOURNEYS))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    measured = run(journey=given.journey)
    print(json.dumps(measured, indent=1) if given.json else report(measured))
