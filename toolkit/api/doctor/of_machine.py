"""Checks of the machine: versions, device, caches, and the store that parts come from."""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import PackageNotFoundError, requires, version

import torch
from packaging.requirements import Requirement

from toolkit.api.doctor.of_model import Said
from toolkit.api.doctor.patient import Patient
from toolkit.api.images.acts import Acts
from toolkit.errors import StoreError
from toolkit.store.check import check_store
from toolkit.store.errors import size
from toolkit.store.shelf import cache_folder
from toolkit.version import __version__

DISTRIBUTION = "clip-head-toolkit"
PACKAGES = ("torch", "open_clip_torch", "timm", "transformers", "numpy")
"""Those whose versions are told."""
LITTLE = 1_000_000_000
"""Bytes free below which the place of the caches is called full."""
LARGE = 4_000_000_000
"""Bytes of a store that are read on the way; a larger one is read when it is asked for."""


def versions(patient: Patient) -> Said:
    """What is installed, and whether it is what the toolkit asks for."""
    there = {name: _installed(name) for name in PACKAGES}
    said = ", ".join(
        [f"toolkit {__version__}", f"Python {sys.version.split()[0]}", *(f"{n} {v}" for n, v in there.items() if v)]
    )
    try:
        asked = [Requirement(line) for line in requires(DISTRIBUTION) or []]
    except PackageNotFoundError:
        return "ok", f"{said}; what it asks for is not known where it is not installed, but found on a path", ""
    needed = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    others = [one for one in needed if not _fits(one)]
    if others:
        told = [f"{one.name} {_installed(one.name) or 'is missing'}, asked for {one.specifier}" for one in others]
        fix = "python -m pip install " + " ".join(f'"{one.name}{one.specifier}"' for one in others)
        return "warning", f"{'; '.join(told)} ({said})", fix
    return "ok", f"{said}; all {len(needed)} packages it asks for are of accepted versions", ""


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _fits(asked: Requirement) -> bool:
    """Whether a package is there, in a version that is asked for."""
    there = _installed(asked.name)
    return there is not None and asked.specifier.contains(there, prereleases=True)


def device(patient: Patient) -> Said:
    """Whether the model is where it is fast."""
    own = patient.model.device
    better = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""
    if own.type == "cpu" and better:
        return "warning", f"the model is on the CPU, and there is {better}", f'load it with device="{better}"'
    return "ok", f"{own}, {torch.get_num_threads()} threads" if own.type == "cpu" else str(own), ""


def caches(patient: Patient) -> Said:
    """Whether texts that were encoded can be kept."""
    folder = cache_folder() / "texts"
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    kept = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    said = f"{size(kept)} of encoded texts kept, {size(free)} free"
    if free < LITTLE:
        return "warning", said, "free some space, or name another place in TOOLKIT_CACHE"
    return "ok", said, ""


def stores(patient: Patient) -> Said:
    """Whether the stores that the parts come from are as they were written."""
    paths = {shown.data.folder for shown in patient.splits if isinstance(shown.data, Acts)} - {None}
    if not paths:
        return "not checked", "no parts on disk", "extract into one: tk.extract(model, data, store=…)"
    found = []
    for path in sorted(path for path in paths if path is not None):
        total = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        if total > LARGE:
            return "not checked", f"{path.name}: {size(total)}", f"toolkit info {path.name} --check"
        try:
            files, read = check_store(path)
        except StoreError as error:
            return "wrong", error.given, error.fix
        found.append(f"{path.name}: {files:,} files ({read}) are as they were written")
    return "ok", "; ".join(found), ""
