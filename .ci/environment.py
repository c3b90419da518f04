"""The virtual environment of this checkout: created, filled, stamped, so that a second call is instant.

python3 .ci/bootstrap.py --extras lab,test     in .venv, or in $TOOLKIT_VENV
python3 .ci/bootstrap.py --key                 prints a short name for these dependencies on this Python
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch_reuse
from system import SetupError, install, line, run, say

ROOT = Path(__file__).resolve().parents[1]
STAMP = "clip-head-toolkit.json"
CHECK = """
import torch, torchvision, open_clip, toolkit
cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device: the CPU is used"
print(f"torch {torch.__version__}, open_clip {open_clip.__version__}; {cuda}")
"""


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when the environment stands (or the key was printed), 1 after words on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default="", help="comma-separated extras of pyproject.toml, for example lab,test")
    parser.add_argument("--key", action="store_true", help="print the cache key and do nothing")
    chosen = parser.parse_args(arguments)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if chosen.key:
        print(cache_key(project))
        return 0
    try:
        ensure(place(), {extra for extra in chosen.extras.split(",") if extra}, project)
    except SetupError as error:
        say(f"\n{error}\n")
        return 1
    except KeyboardInterrupt:
        say("\nStopped; the next call goes on from here.")
        return 130
    return 0


def place() -> Path:
    """The environment's folder: $TOOLKIT_VENV, else .venv in the checkout."""
    return Path(os.environ.get("TOOLKIT_VENV") or ROOT / ".venv").absolute()


def fingerprint(project: dict) -> str:
    """A digest of everything in pyproject.toml that decides what is installed; lint and test settings do not count."""
    table = project["project"]
    names = ("name", "version", "requires-python", "dependencies", "optional-dependencies", "scripts")
    decides = [project["build-system"], project["tool"]["hatch"], *(table.get(name) for name in names)]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def cache_key(project: dict) -> str:
    """A name that changes with the dependencies, the Python or the torch that would be reused."""
    torch = torch_reuse.find(project["project"]["dependencies"], tell=lambda words: None)
    facts = f"{fingerprint(project)} {sys.version} {platform.machine()} {torch}"
    return f"py{sys.version_info[0]}{sys.version_info[1]}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"


def ensure(venv: Path, extras: set[str], project: dict) -> None:
    """Make the environment hold the package with these extras; nothing is done where the stamp says it does."""
    wanted = {"dependencies": fingerprint(project), "root": str(ROOT)}
    with locked(venv):
        stamp = read_stamp(venv)
        had = set(stamp.get("extras", []))
        current = stamp.get("dependencies") == wanted["dependencies"]
        if current and stamp.get("root") == wanted["root"] and extras <= had:
            return
        extras = extras | had
        (venv / STAMP).unlink(missing_ok=True)
        if not (venv / "bin" / "python").exists():
            create(venv, project["project"]["dependencies"])
        refuse_old(venv)
        begun = time.monotonic()
        fill(venv, extras, dependencies=not (current and extras == had))
        verify(venv)
        (venv / STAMP).write_text(json.dumps({**wanted, "extras": sorted(extras)}), encoding="utf-8")
        say(f"Ready after {time.monotonic() - begun:.0f} s: {venv}\n")


@contextmanager
def locked(venv: Path) -> Iterator[None]:
    """Two set-ups of one environment wait for each other."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    with (venv.parent / f".{venv.name.lstrip('.')}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another set-up of {venv} is at work; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_stamp(venv: Path) -> dict:
    """What the last complete set-up wrote, or {}."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if (venv / "bin" / "python").exists() else {}


def create(venv: Path, dependencies: list[str]) -> None:
    """An empty environment with pip, and with the torch of the running Python linked in where that one will do."""
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
        raise SetupError(f"{venv} is not empty and not a virtual environment. Name another folder in TOOLKIT_VENV.")
    need_venv_module()
    say(f"Setting up {venv} (Python {platform.python_version()})")
    torch = torch_reuse.find(dependencies, tell=say)
    say(announcement(torch))
    if not run([sys.executable, "-m", "venv", "--clear", str(venv)]):
        shutil.rmtree(venv, ignore_errors=True)
        raise SetupError(f"`{sys.executable} -m venv {venv}` failed; its own words stand above.")
    if torch:
        torch_reuse.link(torch, venv)


def announcement(torch: torch_reuse.Torch | None) -> str:
    """What is about to be downloaded, once."""
    if torch:
        return f"Reusing torch {torch.version} from {torch.folder}; under 0.5 GB to download (1.2 GB unpacked), once."
    if platform.system() == "Linux":
        return (
            "About 2.7 GB to download (6.6 GB unpacked), most of it PyTorch with CUDA; some minutes, once.\n"
            "A torch with its torchvision that this Python already has (a CPU-only build, say) would be reused instead."
        )
    return "About 1 GB to download, some minutes, once."


def need_venv_module() -> None:
    """Debian and Ubuntu ship Python without the half of `venv` that brings pip: add it, or say how."""
    if makes_environments():
        return
    own = Path("/usr/bin/python3").resolve() == Path(sys.executable).resolve()
    package = "python3-venv" if own else f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if install(package) and makes_environments():
        return
    raise SetupError(f"This Python lacks a working `venv`. Run this one line, then try again:\n\n    {line(package)}")


def makes_environments() -> bool:
    """Whether both halves of `venv` are there; asked of a fresh process, which sees what apt has just added."""
    code = "import ensurepip, venv; ensurepip.version()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def refuse_old(venv: Path) -> None:
    """An environment somebody made with an older Python is refused, not replaced."""
    code = "import sys; print(*sys.version_info[:2]); sys.exit(sys.version_info < (3, 11))"
    asked = subprocess.run([venv / "bin" / "python", "-c", code], capture_output=True, text=True, check=False)
    if asked.returncode:
        version = ".".join(asked.stdout.split()) or "that does not start"
        raise SetupError(f"{venv} holds a Python {version}; 3.11 or newer is needed. Remove the folder and try again.")


def fill(venv: Path, extras: set[str], dependencies: bool) -> None:
    """Install the checkout in editable mode with the extras; only point to the checkout if they are there already."""
    target = f"{ROOT}[{','.join(sorted(extras))}]" if extras else str(ROOT)
    options = ["--disable-pip-version-check", "--no-input", "--prefer-binary"]
    options += [] if sys.stderr.isatty() else ["--quiet"]
    options += ["--constraint", str(venv / torch_reuse.FOLDER / "pins.txt")] * torch_reuse.linked(venv)
    options += [] if dependencies else ["--no-deps"]
    # pip collects every wheel in the temporary folder first, and on Debian 13 that one is a small RAM disk
    with tempfile.TemporaryDirectory(dir=venv) as scratch:
        os.environ["TMPDIR"] = scratch
        try:
            done = run([str(venv / "bin" / "python"), "-m", "pip", "install", *options, "--editable", target])
        finally:
            del os.environ["TMPDIR"]
    if not done:
        raise SetupError(
            "pip could not install everything; its own words stand above. Common causes: no network, a full disk\n"
            f"({shutil.disk_usage(venv).free / 1e9:.0f} GB free, 10 GB wanted), or a Python too new for torch "
            f"(this is {platform.python_version()}). Call it again: what is there is kept."
        )


def verify(venv: Path) -> None:
    """One import of everything heavy, so that a broken mix is found here and not in the middle of a demo."""
    if not run([str(venv / "bin" / "python"), "-c", CHECK]):
        raise SetupError(f"The environment was filled but does not import. Remove {venv} and try again.")


if __name__ == "__main__":
    sys.exit(main())
