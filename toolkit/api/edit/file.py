"""Edits on disk: one .safetensors that holds all of it, and the same facts as .json for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from toolkit.errors import InputError
from toolkit.store.whole import saved_file

FORMAT = "clip-head-toolkit edit 1"
NEEDED = (
    "strategy", "alpha", "beta", "step", "steps", "fingerprint", "model", "heads", "ids", "logit_scale", "seed", "rate",
    "nonnegative", "allowance", "classes", "convention", "pairs", "notes", "sizes", "targets",
)  # fmt: skip


def save_edit(path: str | Path, theta: torch.Tensor, texts: torch.Tensor | None, facts: dict[str, Any]) -> Path:
    """Write an edit: its parameters [k], class vectors [c, d], and what is to be known of it.

    Either file appears whole or not at all. Raises InputError for another ending, StoreError where the folder cannot be
    written to.
    """
    from safetensors.torch import save_file

    target = edit_path("edit.save", path)
    if target.suffix != ".safetensors":
        raise InputError("edit.save", repr(target.name), "a name ending in .safetensors", "rename it")
    written = json.dumps(facts | {"format": FORMAT}, ensure_ascii=False, indent=1, allow_nan=False)
    tensors = {"theta": theta.cpu().contiguous()}
    if texts is not None:
        tensors["texts"] = texts.cpu().contiguous()
    with saved_file(target, "edit.save") as part:
        save_file(tensors, part, {"format": "pt", "edit": written})
    with saved_file(target.with_suffix(".json"), "edit.save") as part:
        part.write_text(written + "\n", encoding="utf-8")
    return target


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
