"""Edits on disk: one .safetensors that holds all of it, and the same facts as .json for people."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from toolkit.api.edit_problem import EditProblem, edit_problem
from toolkit.api.edit_settings import known_steps, known_strategy, known_weight
from toolkit.api.held_out import held_out as judged_on
from toolkit.core.heads import HeadSet
from toolkit.data.classes import classes as class_set
from toolkit.errors import InputError, StoreError
from toolkit.store.whole import whole_file

if TYPE_CHECKING:
    from toolkit.api.edits import Edit

FORMAT = "clip-head-toolkit edit 1"
NEEDED = (
    "strategy", "alpha", "beta", "step", "steps", "fingerprint", "model", "heads", "ids", "logit_scale", "seed", "rate",
    "nonnegative", "allowance", "classes", "convention", "pairs", "notes", "sizes", "targets",
)  # fmt: skip


def save_edit(edit: Edit, path: str | Path) -> Path:
    """Write an edit. Either file appears whole or not at all. Raises InputError for another ending, StoreError where
    the folder cannot be written to.
    """
    from safetensors.torch import save_file

    target = _path("edit.save", path)
    if target.suffix != ".safetensors":
        raise InputError("edit.save", repr(target.name), "a name ending in .safetensors", "rename it")
    facts = json.dumps(edit.facts | {"format": FORMAT}, ensure_ascii=False, indent=1, allow_nan=False)
    tensors = {"theta": edit.theta.cpu().contiguous()}
    texts = edit._texts if edit._problem is None else edit._problem.images.texts
    if texts is not None:
        tensors["texts"] = texts.cpu().contiguous()
    try:
        with whole_file(target) as part:
            save_file(tensors, part, {"format": "pt", "edit": facts})
        with whole_file(target.with_suffix(".json")) as part:
            part.write_text(facts + "\n", encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        fix = "choose a folder that exists and that you may write to"
        raise StoreError("edit.save", f"{target.name}: {reason}", "a folder that can be written to", fix) from error
    except Exception as error:  # safetensors raises its own type for what the system refuses
        if "os error" not in str(error):
            raise
        fix = "choose a folder that exists and that you may write to"
        raise StoreError("edit.save", f"{target.name}: {error}", "a folder that can be written to", fix) from error
    return target


def load_edit(
    path: str | Path, acts: Any = None, classes: Any = None, held_out: Any = None, unrelated: Any = None
) -> Edit:
    """Read an edit that `edit.save` wrote.

    acts: parts among which are the images it was made from; with them `.loss`, `.gradient`, `.on` and a new solve work.
    classes: their class set, where the names alone do not make it again (default: names and vectors of the file).
    held_out, unrelated: what to judge it on, as for `tk.edit`; without them `.metrics` are those of the file. Without
    acts it can be folded, applied and read.
    Raises InputError for a file that is no edit or is broken, acts of another model, or acts without its images.

    >>> import tempfile, toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> made = tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7", steps=5)
    >>> path = made.save(tempfile.mkdtemp() + "/mine.safetensors")
    >>> bool((tk.load_edit(path).theta == made.theta).all())
    True
    """
    from toolkit.api.edits import Edit

    facts, tensors = _read(_path("load_edit", path))
    theta = tensors["theta"]
    d = len(tensors["texts"][0]) if "texts" in tensors else _width(facts["strategy"], len(theta))
    way = known_strategy(facts["strategy"], d)
    if len(theta) != way.size or not theta.isfinite().all():
        given = f"{len(theta)} parameters" + ("" if theta.isfinite().all() else " with NaN or infinity")
        raise InputError("load_edit", given, f"{way.size} finite ones ({way.name}, d = {d})", "save the edit again")
    own = {"name", "strategy", "alpha", "beta", "step", "negative", "metrics", "format"}
    settings = {name: value for name, value in facts.items() if name not in own}
    problem = None if acts is None else _problem(facts, tensors, acts, classes)
    held = None
    if problem is not None and (held_out is not None or unrelated is not None):
        held = judged_on(problem, held_out, unrelated)
    alpha, beta = (known_weight(name, facts[name]) for name in ("alpha", "beta"))
    return Edit(
        theta, way, alpha, beta, known_steps(facts["step"]) or 0, str(facts.get("name", "")), settings, None, problem,
        held, facts.get("metrics"), tensors.get("texts"),
    )  # fmt: skip


def _width(strategy: str, size: int) -> int:
    if strategy == "diagonal" or strategy == "full":
        return size if strategy == "diagonal" else round(size**0.5)
    rank = "".join(c for c in str(strategy) if c.isdigit())
    return size // (2 * max(1, int(rank or 1)))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    accepted, fix = "a .safetensors that edit.save wrote", "name such a file"
    if not path.is_file():
        raise InputError("load_edit", f"{path.name!r}, which is no file", accepted, fix)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 – it is no mapping
        facts = json.loads(metadata["edit"])
    except KeyError as error:
        raise InputError("load_edit", f"{path.name!r}, which holds no edit", accepted, fix) from error
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError("load_edit", f"{path.name!r}: {error}", accepted, fix) from error
    if not isinstance(facts, dict):
        raise InputError("load_edit", f"{path.name!r}, whose facts are a {type(facts).__name__}", accepted, fix)
    missing = [name for name in NEEDED if name not in facts] + [name for name in ("theta",) if name not in tensors]
    if facts.get("format") != FORMAT or missing:
        what = f"without {', '.join(missing)}" if missing else f"of format {facts.get('format')!r}"
        raise InputError("load_edit", f"{path.name!r}, {what}", f"format {FORMAT!r}", "save the edit again")
    return facts, tensors


def _problem(facts: dict[str, Any], tensors: dict[str, torch.Tensor], acts: Any, classes: Any) -> EditProblem:
    card = getattr(acts, "card", None)
    if card is None or card.fingerprint != facts["fingerprint"]:
        given = f"parts of {card.id!r} ({card.fingerprint})" if card else f"a {type(acts).__name__}"
        accepted = f"parts of {facts['model']!r} ({facts['fingerprint']})"
        raise InputError("load_edit", given, accepted, "extract them with that model")
    asked = facts["ids"]["CE"]
    known = {str(name): row for row, name in enumerate(acts.ids)}
    missing = [name for name in asked if name not in known]
    if missing:
        given = f"parts without {len(missing)} of the {len(asked)} images it was made from, {missing[0]!r} for one"
        raise InputError("load_edit", given, "parts of all of them", "extract the data it was made from")
    some = acts.take([known[name] for name in asked]).using(facts["convention"])
    found = class_set(facts["classes"], vectors=tensors["texts"]) if classes is None else classes
    pairs = [(y, o) for y, o in facts["pairs"]]
    problem = edit_problem(some, found, HeadSet.of(facts["heads"]), pairs, facts["logit_scale"], operation="load_edit")
    # vectors that are made unit once more differ in the last bit, and θ with them
    return problem if classes is not None else replace(problem, images=replace(problem.images, texts=tensors["texts"]))


def _path(operation: str, path: Any) -> Path:
    if not isinstance(path, str | Path):
        raise InputError(operation, f"path={path!r:.80}", "a path that ends in .safetensors", "name such a file")
    return Path(path).expanduser()
