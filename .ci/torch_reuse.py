"""A torch that is already there, used again: linked into the new environment, and nothing else with it.

`--system-site-packages` would bring the whole other environment along, with a half of its Jupyter (the Python half:
the browser files lie elsewhere). So torch, torchvision and the compiled libraries they require are linked one by one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

FOLDER = "reused-torch"
PINS = f"{FOLDER}/pins.txt"
HEAVY = re.compile(r"(torch|torchvision|triton|pytorch-triton.*|nvidia-.*|cuda-.*)$")


@dataclass(frozen=True)
class Torch:
    """A torch that will do: its version, its site-packages folder, and the distributions to link."""

    version: str
    folder: str
    names: tuple[str, ...]


def find(dependencies: list[str], tell: Callable[[str], None]) -> Torch | None:
    """The running Python's torch if it is in range, complete and importable; `tell` gets a reason if not."""
    try:
        torch = distribution("torch")
    except PackageNotFoundError:
        return None
    wanted = next(text for text in dependencies if re.match(r"torch\b(?!vision)", text))
    if not in_range(torch.version, wanted):
        tell(f"torch {torch.version} is installed but not in range ({wanted}): another one is downloaded.")
        return None
    names = closure("torch") | closure("torchvision")
    if "torchvision" not in names or any(not distribution(name).files for name in names):
        tell(f"torch {torch.version} is installed but without a torchvision that fits: another one is downloaded.")
        return None
    code = "import torch, torchvision"
    if subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode:
        tell(f"torch {torch.version} is installed but does not import: another one is downloaded.")
        return None
    return Torch(torch.version, str(torch.locate_file("")), tuple(sorted(names)))


def in_range(version: str, requirement: str) -> bool:
    """Whether "2.15.0+cpu" meets a requirement such as "torch>=2.6,<3"; of its bounds only >=, < and == are read."""
    given = numbers(version)
    bounds = [(sign, numbers(bound)) for sign, bound in re.findall(r"(>=|<|==)\s*([\d.]+)", requirement)]
    fits = {">=": given.__ge__, "<": given.__lt__, "==": given.__eq__}
    return all(fits[sign](bound) for sign, bound in bounds)


def numbers(version: str) -> tuple[int, ...]:
    """The release as integers, trailing zeros dropped: "2.10.0+cpu" → (2, 10)."""
    found = re.match(r"\d+(\.\d+)*", version)
    parts = [int(part) for part in found[0].split(".")] if found else []
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def normal(name: str) -> str:
    """A distribution's name as an index compares it: "Jupyter_Client" → "jupyter-client"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(name: str) -> set[str]:
    """The heavy distributions among `name` and what it requires, as far as installed."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = normal(waiting.pop())
        if name in found or not HEAVY.match(name):
            continue
        try:
            dist = distribution(name)
        except PackageNotFoundError:
            continue
        found.add(name)
        waiting += [re.split(r"[^\w.-]", text)[0] for text in dist.requires or []]
    return found


def link(torch: Torch, venv: Path) -> None:
    """Link the distributions into the environment, and pin them so that pip does not fetch others."""
    folder = venv / FOLDER
    folder.mkdir()
    dists = [distribution(name) for name in torch.names]
    for dist in dists:
        for entry in entries(dist):
            if not (folder / entry).exists():
                (folder / entry).symlink_to(Path(str(dist.locate_file(entry))).resolve())
    pins = (f"{dist.metadata['Name']}=={dist.version}\n" for dist in dists)
    (venv / PINS).write_text("".join(pins), encoding="utf-8")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (venv / "lib" / version / "site-packages" / f"{FOLDER}.pth").write_text(f"{folder}\n", encoding="utf-8")


def entries(dist: Distribution) -> set[str]:
    """The top-level names of the distribution inside site-packages (not its scripts, not its byte code)."""
    return {file.parts[0] for file in dist.files or [] if file.parts[0] not in {"..", "/", "__pycache__"}}


def linked(venv: Path) -> list[Distribution]:
    """The distributions that the environment reuses; [] where it has its own torch."""
    return list(distributions(path=[str(venv / FOLDER)]))
