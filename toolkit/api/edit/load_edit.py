"""`tk.load_edit`: an edit from its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from toolkit.api.edit.file import edit_path, made_strategy, read_edit
from toolkit.api.edit.held_out import held_out as judged_on
from toolkit.api.edit.problem import EditProblem, edit_problem
from toolkit.api.edit.result import Edit
from toolkit.api.edit.settings import known_steps, known_weight
from toolkit.core.heads import HeadSet
from toolkit.data.classes import classes as class_set
from toolkit.errors import InputError


def load_edit(
    path: str | Path, acts: Any = None, classes: Any = None, held_out: Any = None, unrelated: Any = None
) -> Edit:
    """An edit that `edit.save` wrote, as an `Edit`.

    Without acts it can be folded, applied and read.

    Arguments:
        path: of the .safetensors file.
        acts: parts among which are the images it was made from; with them `.loss`, `.gradient`, `.on` and a new solve
            work; default none.
        classes: their class set, where the names alone do not make it again; default names and vectors of the file.
        held_out: parts of other images to judge it on, as for `tk.edit`; default none: `.metrics` are those of the
            file.
        unrelated: by name, parts an edit should leave alone, as for `tk.edit`; default none.

    Raises:
        InputError: for a file that is no edit or is broken, acts of another model, or acts without its images.

    >>> import tempfile, toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> made = tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7", steps=5)
    >>> path = made.save(tempfile.mkdtemp() + "/mine.safetensors")
    >>> bool((tk.load_edit(path).theta == made.theta).all())
    True
    """
    facts, tensors = read_edit(edit_path("load_edit", path))
    theta = tensors["theta"]
    d = len(tensors["texts"][0]) if "texts" in tensors else _width(facts, len(theta))
    way = made_strategy(facts, tensors, d)
    if len(theta) != way.size or not theta.isfinite().all():
        given = f"{len(theta)} parameters" + ("" if theta.isfinite().all() else " with NaN or infinity")
        raise InputError("load_edit", given, f"{way.size} finite ones ({way.name}, d = {d})", "save the edit again")
    own = {
        "name",
        "strategy",
        "alpha",
        "beta",
        "step",
        "negative",
        "metrics",
        "format",
        "scaled",
        "moved",
        "rows",
        "d",
        "w",
    }
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


def _width(facts: dict[str, Any], size: int) -> int:
    """d of an edit whose file holds no class vectors."""
    strategy = facts["strategy"]
    if "d" in facts:
        return int(facts["d"])
    if strategy == "diagonal" or strategy == "full":
        return size if strategy == "diagonal" else round(size**0.5)
    rank = "".join(c for c in str(strategy) if c.isdigit())
    return size // (2 * max(1, int(rank or 1)))


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
    layers = sorted({int(layer) for layer, _ in facts.get("scaled", ())}) or None  # of “strengths all”, to solve again
    heads = HeadSet.of(facts["heads"])
    keep = facts.get("keep", "right")
    problem = edit_problem(
        some, found, heads, pairs, facts["logit_scale"], operation="load_edit", layers=layers, keep=keep
    )
    # vectors that are made unit once more differ in the last bit, and θ with them
    return problem if classes is not None else replace(problem, images=replace(problem.images, texts=tensors["texts"]))
