"""constraints.txt: exactly what the suite last passed with, read, compared and written.

Not in it: pip, and the parts of one build of torch (nvidia-*, cuda-*, triton), which torch itself asks for by version.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
from importlib.metadata import Distribution
from pathlib import Path

from torch_reuse import HEAVY, in_range, normal, numbers

FILE = Path(__file__).resolve().parents[1] / "constraints.txt"
LEFT_OUT = {"pip", "clip-head-toolkit"}
LISTING = """
import importlib.metadata, json
every = importlib.metadata.distributions()
print(json.dumps([(one.metadata["Name"], one.version, one.metadata["Requires-Python"]) for one in every]))
"""
HEAD = """\
# What the suite last passed with: {suite}, on Python {python} and {system}.
# Written by `make update`, not by hand. `make demo`, `make test` and environment.yml install exactly this, on other
# Pythons too: a release that is not for all of them says for which it is. Where pip cannot install this, make says so
# and takes the ranges of pyproject.toml; for conda, take the line with this file's name out of environment.yml.
# Not listed: pip, and nvidia-*, cuda-* and triton, which belong to one build of torch, and torch asks for by version.
"""


def read() -> dict[str, str]:
    """What constraints.txt pins, such as {"zarr": "3.1.6"}, with a marker behind the version where there is one.

    Without the file nothing is pinned.
    """
    written = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    pairs = (line.split("==", 1) for line in written if not line.startswith("#"))
    return {normal(name): version.strip() for name, version in pairs}


def lines(pins: dict[str, str]) -> str:
    """The pins as pip reads them."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))


def installed(python: Path, requires_python: str) -> dict[str, str]:
    """What the environment of this Python holds, as pins.

    python: the environment's interpreter
    requires_python: what the project itself asks for, such as ">=3.11"
    """
    asked = subprocess.run([python, "-c", LISTING], capture_output=True, text=True, check=True)
    found = {}
    for name, version, requires in json.loads(asked.stdout):
        name = normal(name)
        if name in LEFT_OUT or (HEAVY.match(name) and name not in {"torch", "torchvision"}):
            continue
        mark = marker(requires or "", requires_python)
        found[name] = version.split("+")[0] + (f"; {mark}" if mark else "")  # 2.14.1+cpu is one build of 2.14.1
    return found


def marker(requires: str, project: str) -> str:
    """The Pythons of a release that is not for all of the project's, as `python_full_version >= "3.11.5"`; else ""."""
    oldest = numbers(project.removeprefix(">="))
    marks = []
    for sign, bound in re.findall(r"(>=|<)\s*([\d.]+)", requires):
        narrower = numbers(bound) > oldest if sign == ">=" else numbers(bound) < (4,)
        if narrower:
            marks.append(f'python_full_version {sign} "{bound}"')
    return " and ".join(marks)


def changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """What differs, a line for every distribution."""
    words = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after:
            words.append(f"{name}: {before or 'new'} → {after or 'gone'}")
    return words


def text(pins: dict[str, str], suite: str) -> str:
    """The whole file; `suite` says what has passed."""
    return HEAD.format(suite=suite, python=platform.python_version(), system=machine()) + lines(pins)


def machine() -> str:
    """Such as "Linux x86_64"."""
    return f"{platform.system()} {platform.machine()}"


def agreeing(pins: dict[str, str], reused: list[Distribution]) -> dict[str, str]:
    """The pins without what is reused, and without those that it refuses (torch 2.6 wants sympy 1.13.1)."""
    names = {normal(one.metadata["Name"]) for one in reused}
    kept = {name: version for name, version in pins.items() if name not in names}
    for one in reused:
        for requirement in one.requires or []:
            name = normal(re.split(r"[^\w.-]", requirement)[0])
            if name in kept and not in_range(kept[name], requirement.split(";")[0]):
                del kept[name]
    return kept
