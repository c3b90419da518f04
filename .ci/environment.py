"""The virtual environment of this checkout: created, filled, stamped, so that a second call is instant.

It holds exactly what constraints.txt pins; where pip cannot install that, what the ranges of pyproject.toml allow.

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
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pins
import torch_reuse
from system import SetupError, install, line, run, say

ROOT = Path(__file__).resolve().parents[1]
STAMP = "clip-head-toolkit.json"
NOT_PINNED = """
pip could not install exactly what constraints.txt pins; its own words stand above. Either a pinned file is gone, or
there is none for this Python ({python}) and machine, or the cause is another one: no network, a full disk.
Once more, with the newest that the ranges of pyproject.toml allow:
"""
OPEN = """
That went through, so some versions are other ones than those the suite last passed with. If anything is odd, suspect
them first. `make update` runs the suite on the newest versions and pins them.
"""
NEITHER = "\nThe ranges could not be installed either, so it is hardly the pins."
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
    project = declared()
    if chosen.key:
        print(cache_key(project))
        return 0
    extras = {extra for extra in chosen.extras.split(",") if extra}
    return in_words(lambda: ensure(place(), extras, project))


def in_words(work: Callable[[], int | None]) -> int:
    """The exit status of the work (None is 0), with words instead of a traceback where a set-up cannot go on."""
    try:
        return work() or 0
    except SetupError as error:
        say(f"\n{error}\n")
        return 1
    except KeyboardInterrupt:
        say("\nStopped; the next call goes on from here.")
        return 130


def declared() -> dict:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def cache() -> Path:
    """The folder of environments outside the checkout; .ci/run keeps CI's own there too."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "clip-head-toolkit"


def place() -> Path:
    """The environment's folder: $TOOLKIT_VENV, else .venv in the checkout."""
    return Path(os.environ.get("TOOLKIT_VENV") or ROOT / ".venv").absolute()


def fingerprint(project: dict) -> str:
    """A digest of all that decides what is installed: the pins, and pyproject.toml but for lint and tests."""
    table = project["project"]
    names = ("name", "version", "requires-python", "dependencies", "optional-dependencies", "scripts")
    decides = [pins.read(), project["build-system"], project["tool"]["hatch"], *(table.get(name) for name in names)]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def cache_key(project: dict) -> str:
    """A name that changes with the dependencies, the Python or the torch that would be reused."""
    torch = torch_reuse.find(project["project"]["dependencies"], tell=lambda words: None)
    facts = f"{fingerprint(project)} {sys.version} {platform.machine()} {torch}"
    return f"py{sys.version_info[0]}{sys.version_info[1]}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"


def ensure(venv: Path, extras: set[str], project: dict, exactly: dict[str, str] | None = None) -> None:
    """Make the environment hold the package with these extras; nothing is done where the stamp says it does.

    venv: its folder
    extras: names of extras of pyproject.toml
    project: pyproject.toml
    exactly: versions to install instead of the repository's pins, without a way out and without the running Python's
        torch ({}: the newest in range); default: the pins, or the ranges where pip cannot have the pins
    """
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
            create(venv, project["project"]["dependencies"], reuse=exactly is None)
        refuse_old(venv)
        begun = time.monotonic()
        fill(venv, extras, dependencies=not (current and extras == had), exactly=exactly)
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


def create(venv: Path, dependencies: list[str], reuse: bool = True) -> None:
    """An empty environment with pip; with `reuse`, the torch of the running Python linked in where that one will do."""
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
        raise SetupError(f"{venv} is not empty and not a virtual environment. Name another folder in TOOLKIT_VENV.")
    need_venv_module()
    say(f"Setting up {venv} (Python {platform.python_version()})")
    torch = torch_reuse.find(dependencies, tell=say) if reuse else None
    say(announcement(torch, reuse))
    if not run([sys.executable, "-m", "venv", "--clear", str(venv)]):
        shutil.rmtree(venv, ignore_errors=True)
        raise SetupError(f"`{sys.executable} -m venv {venv}` failed; its own words stand above.")
    if torch:
        torch_reuse.link(torch, venv)


def announcement(torch: torch_reuse.Torch | None, reuse: bool) -> str:
    """What is about to be downloaded, once; with `reuse`, what would make it less."""
    if torch:
        return f"Reusing torch {torch.version} from {torch.folder}; under 0.5 GB to download (1.2 GB unpacked), once."
    if platform.system() != "Linux":
        return "About 1 GB to download, some minutes, once."
    words = "About 2.7 GB to download (6.6 GB unpacked), most of it PyTorch with CUDA; some minutes, once."
    less = "A torch with its torchvision that this Python already has (a CPU-only build, say) would be reused instead."
    return f"{words}\n{less}" if reuse else words


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


def fill(venv: Path, extras: set[str], dependencies: bool, exactly: dict[str, str] | None = None) -> None:
    """Install the checkout in editable mode with the extras; only point to the checkout if they are there already.

    venv, extras, exactly: as for `ensure`
    dependencies: False: they are there already
    """
    target = f"{ROOT}[{','.join(sorted(extras))}]" if extras else str(ROOT)
    if not dependencies:
        done = pip(venv, target, {}, "--no-deps")
    elif exactly is not None:
        done = pip(venv, target, exactly)
    else:
        done = pip_pinned_or_open(venv, target)
    if not done:
        raise SetupError(
            "pip could not install everything; its own words stand above. Common causes: no network, a full disk\n"
            f"({shutil.disk_usage(venv).free / 1e9:.0f} GB free, 10 GB wanted), or a Python too new for torch "
            f"(this is {platform.python_version()}). Call it again: what is there is kept."
        )


def pip_pinned_or_open(venv: Path, target: str) -> bool:
    """Whether pip installed the target at the pinned versions or, said in words, at those that the ranges allow."""
    wanted = pins.agreeing(pins.read(), torch_reuse.linked(venv))
    if pip(venv, target, wanted):
        return True
    if not wanted:
        return False
    say(NOT_PINNED.format(python=platform.python_version()))
    done = pip(venv, target, {})
    say(OPEN if done else NEITHER)
    return done


def pip(venv: Path, target: str, versions: dict[str, str], *options: str) -> bool:
    """Whether pip installed the target: what `versions` names at its version, a reused torch as it is."""
    words = ["--disable-pip-version-check", "--no-input", "--prefer-binary", *options]
    words += [] if sys.stderr.isatty() else ["--quiet"]
    words += ["--constraint", str(venv / torch_reuse.PINS)] if torch_reuse.linked(venv) else []
    # pip collects every wheel in the temporary folder first, and on Debian 13 that one is a small RAM disk
    with tempfile.TemporaryDirectory(dir=venv) as scratch:
        constraints, log = Path(scratch) / "constraints.txt", Path(scratch) / "pip.log"
        constraints.write_text(pins.lines(versions), encoding="utf-8")
        words += ["--constraint", str(constraints), "--log", str(log)]
        os.environ["TMPDIR"] = scratch
        try:
            done = run([str(venv / "bin" / "python"), "-m", "pip", "install", *words, "--editable", target])
        finally:
            del os.environ["TMPDIR"]
        if not done and "--quiet" in words:
            say(conflict(log))
    return done


def conflict(log: Path) -> str:
    """What pip says of versions that do not go together, which a quiet pip keeps to its log; "" without such words."""
    written = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    plain = re.sub(r"^\S+T[\d:,]+ ", "", written, flags=re.MULTILINE)  # every line begins with its time
    found = re.search(r"^The conflict is caused by:\n(.+\n)+", plain, re.MULTILINE)
    return found[0] if found else ""


def verify(venv: Path) -> None:
    """One import of everything heavy, so that a broken mix is found here and not in the middle of a demo."""
    if not run([str(venv / "bin" / "python"), "-c", CHECK]):
        raise SetupError(f"The environment was filled but does not import. Remove {venv} and try again.")


if __name__ == "__main__":
    sys.exit(main())
