"""Edits on disk: one .safetensors that holds all of it, and the same facts as .json for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from toolkit.api.edit.settings import kind_of, known_strategy, linear_strategy, projection_strategy
from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_parts import HeadParts
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.projection_strategies import ProjectionChange
from toolkit.core.strategies import Strategy
from toolkit.errors import InputError
from toolkit.store.whole import saved_file

FORMAT = "clip-head-toolkit edit 1"
NEEDED = (
    "strategy", "alpha", "beta", "step", "steps", "fingerprint", "model", "heads", "ids", "logit_scale", "seed", "rate",
    "nonnegative", "allowance", "classes", "convention", "pairs", "notes", "sizes", "targets",
)  # fmt: skip

NEEDED_BY = {"class vectors": ("moved", "rows"), "projection full": ("w",), "projection rank": ("w",)}
"""What a strategy of a kind is made of, of which the file must tell."""


def save_edit(
    path: str | Path, theta: torch.Tensor, texts: torch.Tensor | None, facts: dict[str, Any], strategy: Strategy
) -> Path:
    """Write an edit: its parameters [k], class vectors [c, d], what its strategy is made of, and what is to be known of
    it.

    Either file appears whole or not at all. Raises InputError for another ending, StoreError where the folder cannot be
    written to.
    """
    from safetensors.torch import save_file

    target = edit_path("edit.save", path)
    if target.suffix != ".safetensors":
        raise InputError("edit.save", repr(target.name), "a name ending in .safetensors", "rename it")
    more, own = _made_of(strategy)
    written = json.dumps(facts | more | {"format": FORMAT}, ensure_ascii=False, indent=1, allow_nan=False)
    tensors = {"theta": theta.cpu().contiguous()} | {name: x.cpu().contiguous() for name, x in own.items()}
    if texts is not None:
        tensors["texts"] = texts.cpu().contiguous()
    with saved_file(target, "edit.save") as part:
        save_file(tensors, part, {"format": "pt", "edit": written})
    with saved_file(target.with_suffix(".json"), "edit.save") as part:
        part.write_text(written + "\n", encoding="utf-8")
    return target


def _made_of(strategy: Strategy) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Facts and tensors of a strategy that is more than its name."""
    if isinstance(strategy, ClassVectors):
        return {"moved": list(strategy.names), "rows": list(strategy.rows)}, {"original": strategy.original}
    if isinstance(strategy, ProjectionChange):
        return {"w": strategy.w, "d": strategy.d}, {}
    if not isinstance(strategy, HeadStrengths):
        return {}, {}
    parts = strategy.parts
    directions = {} if parts.directions is None else {"directions": parts.directions}
    return {"scaled": [list(head) for head in parts.heads], "d": strategy.d}, directions


def made_strategy(facts: dict[str, Any], tensors: dict[str, torch.Tensor], d: int) -> Strategy:
    """The strategy of a file that `read_edit` read. Raises InputError where something of it is missing."""
    name = known_strategy(facts["strategy"], d)
    kind, linear = kind_of(name), linear_strategy(name, d)
    if linear is not None:
        return linear
    needed = NEEDED_BY.get(kind, ("scaled",))
    of_tensors = {"class vectors": ("original",), "directions": ("directions",)}.get(kind, ())
    missing = [n for n in needed if n not in facts] + [n for n in of_tensors if n not in tensors]
    if missing:
        given = f"an edit of strategy {name!r} without {', '.join(missing)}"
        raise InputError("load_edit", given, f"format {FORMAT!r}", "save the edit again")
    if kind.startswith("projection"):
        return projection_strategy(name, int(facts["w"]), d)
    if kind == "class vectors":
        return ClassVectors(tuple(facts["moved"]), tensors["original"], tuple(facts["rows"]))
    heads = tuple((int(layer), int(head)) for layer, head in facts["scaled"])
    return HeadStrengths(name, HeadParts(heads, tensors.get("directions")), d)


def read_edit(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The facts and the tensors of a file that `save_edit` wrote. Raises InputError for any other."""
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


def edit_path(operation: str, path: Any) -> Path:
    """The path, or an InputError where it is none."""
    if not isinstance(path, str | Path):
        raise InputError(operation, f"path={path!r:.80}", "a path that ends in .safetensors", "name such a file")
    return Path(path).expanduser()
