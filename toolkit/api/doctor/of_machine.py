"""Checks of the machine: versions, device, caches, and the store that parts come from."""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from toolkit.api.doctor.of_model import Said
from toolkit.api.doctor.patient import Patient
from toolkit.api.images.acts import Acts
from toolkit.errors import StoreError
from toolkit.store.check import check_store
from toolkit.store.errors import size
from toolkit.store.shelf import cache_folder
from toolkit.version import __version__

PACKAGES = ("torch", "open_clip_torch", "timm", "transformers", "numpy")
LITTLE = 1_000_000_000
"""Bytes free below which the place of the caches is called full."""
LARGE = 4_000_000_000
"""Bytes of a store that are read on the way; a larger one is read when it is asked for."""


def versions(patient: Patient) -> Said:
    """What is installed."""
    found = [f"toolkit {__version__}", f"Python {sys.version.split()[0]}"]
    missing = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return "warning", f"{', '.join(found)}; without {', '.join(missing)}", "install the toolkit again"
    return "ok", ", ".join(found), ""


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
