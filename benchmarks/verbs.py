"""What a verb takes of a store: seconds, bytes read from files, and memory. Each verb in a process of its own.

`python benchmarks/verbs.py STORE CLASSES VERB [memory]` prints one line of JSON. Memory is private memory (RssAnon,
read every few milliseconds): `base` with the store open; `own`, what is allowed for, the embeddings and, for verbs that
keep them, the logits of all images × classes, each once; `peak` the most above both. Pages of temporary files that are
mapped into memory are counted apart, as `mapped`. Without "memory" the store is read from disk; with it all of its
files are in memory first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore

import toolkit as tk
from toolkit.api.images.acts import Acts
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError
from toolkit.labs.ablation import AblationSession
from toolkit.labs.words import WordsSession
from toolkit.store.reader import Store, open_store

sys.path.insert(0, str(Path(__file__).resolve().parent))
import made

SIZES, CLASSES = (5_000, 20_000, 50_000), (20, 1_000)
EVERY = 0.004
"""Seconds between two looks at the memory."""
BANK = 500
PER_CLASS = 2


def a_bank() -> Any:
    """Vectors without words: no model is there to encode any."""
    return torch.from_numpy(made.vectors_of(BANK))


def few_of(acts: Acts, classes: ClassSet) -> tuple[Acts, Acts]:
    """The images an edit is made from, of two classes, and all others."""
    own = [np.flatnonzero(acts.labels == name)[:PER_CLASS] for name in classes.names[:2]]
    used = np.concatenate(own)
    rest = np.setdiff1d(np.arange(len(acts)), used)
    return acts.take(used.tolist()), acts.take(rest.tolist())


def late(layers: int = 4) -> list[str]:
    return [f"L{layer}.H{head}" for layer in range(24 - layers, 24) for head in range(16)]


def _edit(acts: Acts, classes: ClassSet) -> None:
    few, held = few_of(acts, classes)
    tk.edit(few, classes, "L23.H3", alpha=0, held_out=held, steps=5).on()


def _frontier(acts: Acts, classes: ClassSet) -> None:
    few, held = few_of(acts, classes)
    tk.frontier(few, classes, "L23.H3", [0.0], [0.0, 10.0], held_out=held, steps=5)


def _pair(acts: Acts, classes: ClassSet) -> None:
    session = AblationSession(acts, classes)
    wrong = session.images.mistakes
    true, predicted = max(wrong, key=lambda pair: wrong[pair])
    tk.locate(acts, classes, true, predicted).interval["a"]


def _click(acts: Acts, classes: ClassSet) -> Callable[[], None]:
    """A lab that has given its first answer, of another layer."""
    session = AblationSession(acts, classes)
    session.outcome([{"head": [22, 1], "strength": 0.0}], "zero", "direct")
    session.before  # noqa: B018 – once
    return lambda: session.outcome([{"head": [23, 3], "strength": 0.0}], "zero", "direct").rows and None


VERBS: dict[str, Callable[[Acts, ClassSet], Any]] = {
    "locate, one pair": _pair,
    "locate, all pairs": lambda acts, classes: tk.locate(acts, classes).a,
    "locate, LTC": lambda acts, classes: tk.locate(acts, classes).ltc,
    "choose": lambda acts, classes: tk.locate(acts, classes).choose(),
    "ablate": lambda acts, classes: tk.ablate(acts, classes, "L23.H3 L22.H1").change.groups,
    "ablate, mean": lambda acts, classes: tk.ablate(acts, classes, "L23.H3 L22.H1", how="mean").change.groups,
    "head_effects": lambda acts, classes: tk.head_effects(acts, classes, late(1)).map("worst"),
    "textspan": lambda acts, classes: tk.textspan(acts, a_bank(), size=5),
    "textspan, resampled": lambda acts, classes: tk.textspan(acts, a_bank(), size=5, layers=-1, resamples=10),
    "heads_for": lambda acts, classes: tk.heads_for(made.vectors_of(2)[:1], acts, a_bank(), layers=-4, draws=20),
    "head_pca": lambda acts, classes: tk.head_pca(acts, a_bank()),
    "edit, held out": _edit,
    "frontier": _frontier,
    "AblationLab, first": lambda acts, classes: AblationSession(acts, classes).outcome(
        [{"head": [23, 3], "strength": 0.0}], "zero", "direct"
    ),
    "AblationLab, map": lambda acts, classes: AblationSession(acts, classes).map("A", None, "zero", ""),
    "SpanExplorer, images": lambda acts, classes: WordsSession(acts, a_bank()).images(23, 3, None),
}


def _explorer(acts: Acts, classes: ClassSet) -> tk.Explorer:
    """An explorer of these parts whose work is done inline; its model is an L/14 with random weights."""
    acts = Acts(acts._store, None, "separate", made.model(), made.Pictures(acts))
    return tk.Explorer(acts.model, acts, classes, engine=tk.Engine())


def _opened(acts: Acts, classes: ClassSet) -> Callable[[], Any]:
    made.model()
    return lambda: _explorer(acts, classes)


def _explorer_pair(acts: Acts, classes: ClassSet) -> Callable[[], None]:
    explorer = _explorer(acts, classes)
    row = (explorer._confusion.get("rows") or [None])[0]
    pair = explorer._session.first_pair if row is None else (row["truth"], row["guess"])
    return lambda: setattr(explorer, "pair", pair)


def _explorer_off(acts: Acts, classes: ClassSet) -> Callable[[], None]:
    explorer = _explorer(acts, classes)
    explorer.tab = "off"
    explorer.ablation.heads = "L22.H1"
    return lambda: setattr(explorer.ablation, "heads", "L23.H3")


READY: dict[str, Callable[[Acts, ClassSet], Callable[[], Any]]] = {
    "AblationLab, click": _click, "explorer, first paint": _opened, "explorer, an error": _explorer_pair,
    "explorer, a head off": _explorer_off,
}  # fmt: skip
"""What is prepared first, and measured then."""
SUMS = ("AblationLab, first", "AblationLab, map", "head_effects")
"""Verbs that keep the logits of all images × classes (a click keeps those that are there)."""


def in_memory(place: Path) -> Store:
    """A store whose files are all in memory."""
    made_of = default_buffer_prototype().buffer
    found = [path for path in place.rglob("*") if path.is_file()]
    files = {path.relative_to(place).as_posix(): made_of.from_bytes(path.read_bytes()) for path in found}
    return Store(zarr.open_group(store=MemoryStore(files), mode="r"), open_store(place).words)


def resident(kind: str) -> int:
    """Bytes of this process: "RssAnon", private ones, or "RssFile", those of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) * 1024
    return 0


@contextmanager
def watched(found: dict[str, int]) -> Any:
    """The most memory while something runs, above what there was before."""
    base = {kind: resident(kind) for kind in ("RssAnon", "RssFile")}
    most, over = dict(base), threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            for kind in most:
                most[kind] = max(most[kind], resident(kind))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()
    for kind in most:
        most[kind] = max(most[kind], resident(kind))
    found |= {"base": base["RssAnon"], "peak": most["RssAnon"] - base["RssAnon"]}
    found["mapped"] = most["RssFile"] - base["RssFile"]


@contextmanager
def counted(found: dict[str, int]) -> Any:
    """Bytes that are read from files of stores."""
    get = LocalStore.get

    async def noted(self: Any, key: str, *rest: Any, **more: Any) -> Any:
        value = await get(self, key, *rest, **more)
        found["read"] = found.get("read", 0) + (0 if value is None else len(value))
        return value

    found["read"] = 0
    LocalStore.get = noted
    yield
    LocalStore.get = get


def measure(place: Path, classes: int, verb: str, memory: bool) -> dict[str, Any]:
    """In this process."""
    store = in_memory(place) if memory else open_store(place)
    acts, known = Acts(store), made.class_set(classes)
    acts.head_maps, acts.ids.tolist(), acts.moments
    own = 0 if verb in READY else 4 * len(acts) * (acts.card.embed_dim + (classes if verb in SUMS else 0))
    found: dict[str, Any] = {"images": len(acts), "classes": classes, "verb": verb, "in memory": memory, "own": own}
    ready = READY[verb](acts, known) if verb in READY else lambda: VERBS[verb](acts, known)
    if verb in VERBS:
        with suppress(InputError):  # libraries that are loaded at first use are not the verb's own
            VERBS[verb](acts.take(range(64)), known)
    with watched(found), counted(found):
        start = time.perf_counter()
        ready()
        found["seconds"] = round(time.perf_counter() - start, 3)
    found["peak"] = max(0, found["peak"] - own)
    return found


def measured(place: Path, classes: int, verb: str, memory: bool = False) -> dict[str, Any]:
    """In a process of its own; what it said where it failed."""
    command = [sys.executable, __file__, str(place), str(classes), verb, *(["memory"] if memory else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "ended without a word").splitlines()[-1]
        return {"classes": classes, "verb": verb, "in memory": memory, "failed": last}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def everything(
    sizes: Sequence[int], classes: Sequence[int], verbs: Sequence[str], memory: Sequence[bool] = (False, True)
) -> list[dict[str, Any]]:
    """Every verb on stores of these sizes, one after the other. memory: read from disk (False), in memory (True)."""
    rows = []
    for count in classes:
        for images in sizes:
            with tempfile.TemporaryDirectory(prefix="bench") as folder:
                place = Path(folder) / "made.zarr"
                made.parts(images, count, place)
                for kept in memory:
                    for verb in verbs:
                        rows.append({"images": images} | measured(place, count, verb, kept))
                        print(rows[-1], file=sys.stderr)
    return rows


if __name__ == "__main__":
    torch.manual_seed(0)
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], "memory" in sys.argv[4:])))
