"""What is installed: the pins of constraints.txt, the open ranges where those fail, the floors, the newest.

pip is the real one here; what it installs are wheels made on the spot, in a folder that stands in for an index.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ci_modules import modules, script
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TABLE = PROJECT["project"]
DECLARED = [Requirement(text) for text in TABLE["dependencies"]]
for extra in TABLE["optional-dependencies"].values():
    DECLARED += [Requirement(text) for text in extra]
PINS = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]


@pytest.fixture
def ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """The modules of .ci, with another constraints.txt and another cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = modules(monkeypatch)
    monkeypatch.setattr(found.pins, "FILE", tmp_path / "constraints.txt")
    return found


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_pin_is_one_version_for_any_build_and_named_once() -> None:
    pins = [Requirement(line) for line in PINS]
    names = [pin.name for pin in pins]
    assert names == sorted({canonicalize_name(name) for name in names})
    for pin in pins:
        (part,) = pin.specifier
        assert part.operator == "=="
        assert not Version(part.version).local
        assert not re.match(r"nvidia-|cuda-|triton$|pip$|clip-head-toolkit$", pin.name)


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_what_is_declared_is_pinned_in_its_range(requirement: Requirement) -> None:
    (pin,) = (pin for pin in map(Requirement, PINS) if pin.name == canonicalize_name(requirement.name))
    (part,) = pin.specifier
    assert requirement.specifier.contains(part.version)
    assert not pin.marker


def test_its_head_says_what_passed_and_on_what() -> None:
    head = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[0] == "#"]
    assert re.search(r"passed with: make .* on Python 3\.\d+\.\d+ and \w+ \w+\.$", head[0])


def test_conda_and_the_source_archive_have_the_same_file() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert listed[-1]["pip"][0] == "--constraint constraints.txt"
    assert "constraints.txt" in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]


def test_the_oldest_python_is_the_same_wherever_it_is_said() -> None:
    oldest = TABLE["requires-python"].removeprefix(">=")
    for name in ("README.md", "CONTRIBUTING.md", "docs/start.md"):
        said = set(re.findall(r"(3\.\d+) or newer", (ROOT / name).read_text(encoding="utf-8")))
        assert said == {oldest}, name
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")


# ── read, compared, written ───────────────────────────────────────────────────────────────────────────────────────


def test_what_is_written_is_read_again(ci: SimpleNamespace) -> None:
    pins = {"zarr": "3.1.6", "soupsieve": '4.1.3; python_full_version >= "3.11.5"'}
    ci.pins.FILE.write_text(ci.pins.text(pins, "all of it"), encoding="utf-8")
    assert ci.pins.read() == pins
    ci.pins.FILE.unlink()
    assert ci.pins.read() == {}


def test_what_an_environment_holds_becomes_pins(ci: SimpleNamespace) -> None:
    found = ci.pins.installed(Path(sys.executable), TABLE["requires-python"])
    assert found["torch"] == version("torch").split("+")[0]
    assert found["jupyter-client"] == version("jupyter_client")
    assert not {"pip", "triton", "clip-head-toolkit"} & found.keys()


@pytest.mark.parametrize(
    ("requires", "marker"),
    [
        ("", ""),
        (">=3.10", ""),
        (">=3.11", ""),
        (">=3.11.0,<4", ""),
        (">=3.11.5", 'python_full_version >= "3.11.5"'),
        (">=3.12,<3.15", 'python_full_version >= "3.12" and python_full_version < "3.15"'),
        ("!=3.9.7,>=3.8", ""),
    ],
)
def test_a_release_for_some_pythons_only_says_so(ci: SimpleNamespace, requires: str, marker: str) -> None:
    assert ci.pins.marker(requires, ">=3.11") == marker


def test_changes_name_what_is_new_and_what_is_gone(ci: SimpleNamespace) -> None:
    words = ci.pins.changes({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})
    assert words == ["b: 1 → 2", "c: 1 → gone", "d: new → 1"]


def test_every_floor_is_installed_for_the_floors(ci: SimpleNamespace) -> None:
    floors = ci.floors.floors(PROJECT)
    js = {canonicalize_name(Requirement(text).name) for text in TABLE["optional-dependencies"]["js"]}
    assert floors.keys() == {canonicalize_name(requirement.name) for requirement in DECLARED} - js
    for requirement in DECLARED:
        if requirement.name not in js:
            assert f">={floors[canonicalize_name(requirement.name)]}" in map(str, requirement.specifier)


# ── installed, by pip ─────────────────────────────────────────────────────────────────────────────────────────────

BACKEND = """
import shutil

def build_editable(folder, config_settings=None, metadata_directory=None):
    return shutil.copy("clip_head_toolkit-0.1.0-py3-none-any.whl", folder).rpartition("/")[2]
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "clip-head-toolkit"
version = "0.1.0"
"""


def metadata(name: str, number: str, requires: list[str]) -> str:
    """A distribution's METADATA."""
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n" + "".join(
        f"Requires-Dist: {x}\n" for x in requires
    )


def wheel(folder: Path, name: str, number: str, *requires: str) -> None:
    """A wheel of one empty module."""
    info = f"{name}-{number}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{number}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", metadata(name, number, list(requires)))
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but pip, to be copied: to make one takes seconds."""
    venv = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    return venv


@pytest.fixture
def real(ci: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, empty: Path, tmp_path: Path) -> SimpleNamespace:
    """A project that asks for alpha and beta, of which the index has 1.0 and 1.1, and an empty environment with pip."""
    index, project, venv = tmp_path / "index", tmp_path / "project", tmp_path / "venv"
    index.mkdir()
    project.mkdir()
    for name in ("alpha", "beta"):
        wheel(index, name, "1.0")
        wheel(index, name, "1.1")
    wheel(project, "clip_head_toolkit", "0.1.0", "alpha>=1", "beta>=1")
    (project / "backend.py").write_text(BACKEND, encoding="utf-8")
    (project / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    monkeypatch.setattr(ci.environment, "ROOT", project)
    settings = {"NO_INDEX": "1", "FIND_LINKS": str(index), "CONFIG_FILE": "/dev/null", "NO_CACHE_DIR": "1"}
    for name, value in settings.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    shutil.copytree(empty, venv, symlinks=True)

    def fill(pins: str, exactly: dict[str, str] | None = None) -> dict[str, str]:
        ci.pins.FILE.write_text(pins, encoding="utf-8")
        ci.environment.fill(venv, set(), dependencies=True, exactly=exactly)
        listing = [venv / "bin" / "python", "-m", "pip", "list", "--format=json"]
        facts = json.loads(subprocess.run(listing, check=True, capture_output=True).stdout)
        return {fact["name"]: fact["version"] for fact in facts if fact["name"] in {"alpha", "beta", "gamma"}}

    return SimpleNamespace(fill=fill, index=index, venv=venv, ci=ci)


@pytest.mark.slow
def test_pins_are_installed_exactly_and_again_where_something_newer_was(
    real: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    assert real.fill("") == {"alpha": "1.1", "beta": "1.1"}
    assert real.fill("# both\nalpha==1.0\nbeta==1.1\nnever-asked-for==7\n") == {"alpha": "1.0", "beta": "1.1"}
    assert real.fill('alpha==1.0\nbeta==1.0; python_version < "3"\n') == {"alpha": "1.0", "beta": "1.1"}
    assert real.fill("alpha==1.1\n", exactly={"alpha": "1.0"}) == {"alpha": "1.0", "beta": "1.1"}
    assert "ranges" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_pin_that_is_gone_is_said_and_the_ranges_are_taken(
    real: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    assert real.fill("alpha==1.0.5\nbeta==1.0\n") == {"alpha": "1.1", "beta": "1.1"}
    said = capfd.readouterr().err
    order = [
        "(constraint) alpha==1.0.5",
        "a pinned file is gone",
        "no network, a full disk",
        "That went through",
        "make update",
    ]
    assert sorted(order, key=said.index) == order  # pip's own words first


@pytest.mark.slow
def test_where_the_ranges_fail_too_the_pins_are_not_blamed(
    real: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    for file in real.index.glob("beta-*"):
        file.unlink()
    with pytest.raises(real.ci.system.SetupError, match="no network, a full disk"):
        real.fill("alpha==1.0\n")
    said = capfd.readouterr().err
    assert "The ranges could not be installed either, so it is hardly the pins" in said
    assert "That went through" not in said
    with pytest.raises(real.ci.system.SetupError, match="could not install everything"):
        real.fill("alpha==1.0\n", exactly={"alpha": "1.0"})
    assert "ranges" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_reused_torch_keeps_its_version_and_what_it_asks_for(
    real: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = real.venv / real.ci.torch_reuse.FOLDER
    info = folder / "alpha-9.0+cpu.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata("alpha", "9.0+cpu", ["beta==1.0"]), encoding="utf-8")
    (real.venv / real.ci.torch_reuse.PINS).write_text("alpha==9.0+cpu\n", encoding="utf-8")
    (site,) = real.venv.glob("lib/python*/site-packages")
    (site / "reused-torch.pth").write_text(f"{folder}\n", encoding="utf-8")
    assert real.fill("alpha==1.0\nbeta==1.1\n") == {"alpha": "9.0+cpu", "beta": "1.0"}
    assert "ranges" not in capfd.readouterr().err


# ── the newest ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def update(ci: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """`make update` where the newest is alpha 2 and the suite is a script; `asked` is what that one was told."""
    asked = tmp_path / "asked"
    ci.pins.FILE.write_text("alpha==1\n", encoding="utf-8")
    monkeypatch.setattr(ci.update, "ROOT", tmp_path)
    monkeypatch.setattr(
        ci.update, "ensure", lambda venv, extras, project, exactly: (venv / str(exactly)).mkdir(parents=True)
    )
    monkeypatch.setattr(ci.pins, "installed", lambda python, requires_python: {"alpha": "2", "beta": "1"})

    def main(status: int, *arguments: str) -> int:
        script(tmp_path / ".ci" / "run", f'echo "$TOOLKIT_VENV|$PYTHON|$ARGS" > "{asked}"\nexit {status}')
        monkeypatch.setattr(ci.update.sys, "argv", ["update.py", *arguments])
        return ci.update.main()

    return SimpleNamespace(
        main=main, file=ci.pins.FILE, asked=asked, venv=tmp_path / "cache/clip-head-toolkit/update", ci=ci
    )


def test_what_passes_is_pinned_and_what_changed_is_said(
    update: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert update.main(0) == 0
    assert update.asked.read_text() == f"{update.venv}|{sys.executable}|\n"
    assert update.ci.pins.read() == {"alpha": "2", "beta": "1"}
    assert "passed with: make jscheck, test and test-wide, on Python" in update.file.read_text(encoding="utf-8")
    said = capsys.readouterr().err
    assert "alpha: 1 → 2" in said
    assert "beta: new → 1" in said
    assert not update.venv.exists()


def test_what_fails_is_not_pinned_and_stays_to_be_looked_at(
    update: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert update.main(1) == 1
    assert update.file.read_text(encoding="utf-8") == "alpha==1\n"
    assert f"TOOLKIT_VENV={update.venv} make test" in capsys.readouterr().err
    assert [path.name for path in update.venv.iterdir()] == ["{}"]  # installed from the open ranges
    shutil.rmtree(update.venv)


def test_a_part_of_the_suite_is_called_one(
    update: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make = script(tmp_path / "bin" / "make", f'echo "$@|$TOOLKIT_VENV|$ARGS" > "{update.asked}"')
    monkeypatch.setenv("PATH", f"{make.parent}:/usr/bin:/bin")
    assert update.main(1, "-k", "grid or map") == 0
    assert update.asked.read_text() == f"--no-print-directory test|{update.venv}|-k 'grid or map'\n"
    head = update.file.read_text(encoding="utf-8").splitlines()[0]
    assert """passed with: only a part, make test ARGS="-k 'grid or map'", on Python""" in head


def test_without_anything_new_the_suite_is_not_run(update: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    update.file.write_text("# as it was\nalpha==2\nbeta==1\n", encoding="utf-8")
    assert update.main(1) == 0
    assert not update.asked.exists()
    assert "# as it was" in update.file.read_text(encoding="utf-8")
    assert "Nothing is newer" in capsys.readouterr().err
