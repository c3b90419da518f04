"""The set-up behind `make demo` and `make test`: refused in words where it cannot go on, instant where it stands."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from ci_modules import CI, modules, script
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OLD_PYTHON = """
import collections, runpy, sys
kind = collections.namedtuple("version_info", "major minor micro releaselevel serial")
sys.version_info, sys.version = kind(3, 9, 2, "final", 0), "3.9.2 (an old one)"
sys.argv = ["bootstrap.py", *{arguments!r}]
runpy.run_path({script!r}, run_name="__main__")
"""


@pytest.fixture
def ci(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules of .ci, imported afresh."""
    return modules(monkeypatch)


@pytest.mark.slow
def test_ci_checks_the_scripts_and_runs_both_kinds_of_tests_with_a_browser_required(tmp_path: Path) -> None:
    clone, home = tmp_path / "clone", tmp_path / "home"
    shutil.copytree(CI, clone / ".ci", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", clone)
    fake = 'echo "$@|$CI|$TOOLKIT_REQUIRE_BROWSER|$TOOLKIT_VENV|$(wc -c)"'
    path = f"{script(tmp_path / 'bin' / 'make', fake).parent}:{os.environ['PATH']}"
    env = {"HOME": str(home), "PATH": path, "PYTHON": sys.executable}
    done = subprocess.run([clone / ".ci" / "run"], env=env, input="typed", capture_output=True, text=True, check=True)
    for line, targets in zip(done.stdout.strip().split("\n"), (["jscheck", "test"], ["test-wide"]), strict=True):
        arguments, ci, required, venv, stdin = line.split("|")
        asked = [word for word in arguments.split() if not word.startswith("-")]
        assert (asked, ci, required, stdin.strip()) == (targets, "true", "1", "0")
    assert re.fullmatch(re.escape(f"{home}/.cache/clip-head-toolkit/") + r"ci-py3\d+-[0-9a-f]{12}", venv)


# ── refusals in words ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_gate_parses_on_python_3_6_and_knows_the_oldest_python() -> None:
    text = (CI / "bootstrap.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 6))
    oldest = re.search(r"^OLDEST = \((\d+), (\d+)\)", text, re.MULTILINE)
    assert oldest
    assert PROJECT["requires-python"] == f">={oldest[1]}.{oldest[2]}"


def old_python(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The gate with these arguments, under a Python that calls itself 3.9.2, with this PATH."""
    code = OLD_PYTHON.format(script=str(CI / "bootstrap.py"), arguments=arguments)
    return subprocess.run([sys.executable, "-c", code], env={"PATH": str(path)}, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["--extras", "lab,test"], "test"),
        (["--extras", "lab"], "demo"),
        (["floors.py", "-n", "4"], "test-floors"),
        (["update.py"], "update"),
    ],
)
def test_an_old_python_is_refused_in_words(tmp_path: Path, arguments: list[str], target: str) -> None:
    script(tmp_path / "python3.12", "exit 127")  # a version manager's shim for a version that is not there
    done = old_python(tmp_path, *arguments)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "3.9.2" in done.stderr
    assert f"make {target} PYTHON=python3.11" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_newer_python_on_the_path_is_used_instead(tmp_path: Path) -> None:
    script(tmp_path / "python3.13", 'echo "took over: $@"')
    done = old_python(tmp_path, "--extras", "lab,test")
    assert done.returncode == 0
    assert re.search(r"took over: .*environment\.py --extras lab,test$", done.stdout)
    assert re.search(r"took over: .*floors\.py -n 4$", old_python(tmp_path, "floors.py", "-n", "4").stdout)


def test_a_missing_venv_module_without_rights_gives_one_line_to_run(
    ci: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ci.environment.sys, "executable", str(script(tmp_path / "python3", "exit 1")))
    monkeypatch.setattr(ci.system.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ci.system.SetupError, match=r"\n    sudo apt-get update && sudo apt-get install -y .*-venv$"):
        ci.environment.need_venv_module()


@pytest.mark.parametrize(
    ("user", "sudo", "expected"),
    [(0, "exit 1", ["env"]), (1000, "exit 0", ["sudo", "-n", "env"]), (1000, "exit 1", None), (1000, "", None)],
)
def test_apt_is_used_only_with_rights(
    ci: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    user: int,
    sudo: str,
    expected: list[str] | None,
) -> None:
    script(tmp_path / "apt-get", "exit 0")
    if sudo:
        script(tmp_path / "sudo", sudo)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ci.system.os, "geteuid", lambda: user)
    prefix = ci.system.rights()
    assert (prefix and prefix[:-1]) == expected


def test_a_folder_that_is_no_environment_is_left_alone(ci: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ci.system.SetupError, match="not a virtual environment"):
        ci.environment.create(tmp_path, PROJECT["dependencies"])
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_an_environment_of_an_older_python_is_refused(ci: SimpleNamespace, tmp_path: Path) -> None:
    script(tmp_path / "bin" / "python", 'echo "3 10"; exit 1')
    with pytest.raises(ci.system.SetupError, match=r"holds a Python 3\.10"):
        ci.environment.refuse_old(tmp_path)


# ── the set-up ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def setup(ci: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """`ensure` on a pretended environment that records how it is filled."""
    calls: list[tuple[set[str], bool]] = []

    def fill(venv: Path, extras: set[str], dependencies: bool, exactly: dict[str, str] | None) -> None:
        calls.append((extras, dependencies))

    monkeypatch.setattr(ci.environment, "fill", fill)
    monkeypatch.setattr(ci.environment, "verify", lambda venv: None)
    monkeypatch.setattr(ci.pins, "FILE", tmp_path / "constraints.txt")
    script(tmp_path / "venv" / "bin" / "python", 'echo "3 11"')
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    def ensure(*extras: str) -> list[tuple[set[str], bool]]:
        calls.clear()
        ci.environment.ensure(tmp_path / "venv", set(extras), project)
        return list(calls)

    return SimpleNamespace(ensure=ensure, project=project, module=ci.environment, pins=ci.pins.FILE)


def test_a_second_call_does_nothing_and_a_wider_one_keeps_what_was_there(setup: SimpleNamespace) -> None:
    assert setup.ensure("lab") == [({"lab"}, True)]
    assert setup.ensure("lab") == []
    assert setup.ensure("test") == [({"lab", "test"}, True)]
    assert setup.ensure("lab") == []


def test_new_dependencies_are_installed_and_new_lint_rules_are_not(setup: SimpleNamespace) -> None:
    setup.ensure("lab")
    setup.project["tool"]["ruff"]["line-length"] = 100
    assert setup.ensure("lab") == []
    setup.project["project"]["dependencies"].append("einops>=0.8")
    assert setup.ensure("lab") == [({"lab"}, True)]


def test_new_pins_are_installed_and_new_words_above_them_are_not(setup: SimpleNamespace) -> None:
    setup.pins.write_text("zarr==3.1.6\n", encoding="utf-8")
    setup.ensure("lab")
    key = setup.module.cache_key(setup.project)
    setup.pins.write_text("# made today\nzarr==3.1.6\n", encoding="utf-8")
    assert setup.ensure("lab") == []
    assert setup.module.cache_key(setup.project) == key
    setup.pins.write_text("zarr==3.1.7\n", encoding="utf-8")
    assert setup.ensure("lab") == [({"lab"}, True)]
    assert setup.module.cache_key(setup.project) != key  # CI's own environment too


def test_another_checkout_is_pointed_to_without_resolving_again(
    setup: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    setup.ensure("lab")
    monkeypatch.setattr(setup.module, "ROOT", tmp_path)
    assert setup.ensure("lab") == [({"lab"}, False)]


def test_an_interrupted_set_up_is_done_again(setup: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.ensure("lab")

    def broken(venv: Path) -> None:
        raise setup.module.SetupError("does not import")

    with monkeypatch.context() as patch:
        patch.setattr(setup.module, "verify", broken)
        with pytest.raises(setup.module.SetupError):
            setup.ensure("test")
    assert setup.ensure("lab") == [({"lab"}, True)]


@pytest.mark.parametrize(
    ("given", "requirement", "fits"),
    [
        ("2.6.0", "torch>=2.6", True),
        ("2.15.0+cpu", "torch>=2.6", True),
        ("2.5.1", "torch>=2.6", False),
        ("3.0.0", "torch>=2.6,<3", False),
        ("2.10.0", "torch>=2.6,<3", True),
        ("1.13.1", "sympy==1.13.1", True),
        ("1.14.0", "sympy==1.13.1", False),
    ],
)
def test_a_version_in_range_is_accepted(ci: SimpleNamespace, given: str, requirement: str, fits: bool) -> None:
    assert ci.torch_reuse.in_range(given, requirement) is fits


def test_the_torch_requirement_is_one_that_the_set_up_can_read(ci: SimpleNamespace) -> None:
    torch = Requirement(PROJECT["dependencies"][0])
    assert torch.name == "torch"
    assert {part.operator for part in torch.specifier} <= {">=", "<"}


@pytest.mark.slow
def test_a_reused_torch_imports_from_its_links_and_nothing_else_comes_along(
    ci: SimpleNamespace, tmp_path: Path
) -> None:
    torch = ci.torch_reuse.find(PROJECT["dependencies"], tell=pytest.fail)
    assert torch
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    ci.torch_reuse.link(torch, tmp_path / "venv")
    code = (
        "import importlib.metadata as m, importlib.util as u\n"
        "print(m.version('torch'), u.find_spec('torch').origin, u.find_spec('plotly'))"
    )
    python = tmp_path / "venv" / "bin" / "python"
    shown = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert shown == [torch.version, str(tmp_path / "venv" / "reused-torch" / "torch" / "__init__.py"), "None"]
    pins = (tmp_path / "venv" / "reused-torch" / "pins.txt").read_text().splitlines()
    assert f"torch=={torch.version}" in pins


# ── the browser ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def bare(ci: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """browser.py where the PATH is an empty folder, apt has no rights, and Playwright can fetch nothing."""
    asked: list[str] = []
    monkeypatch.delenv("TOOLKIT_BROWSER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ci.browser, "install", lambda package: asked.append(package) or False)
    monkeypatch.setattr(ci.browser, "run", lambda command: asked.append(command[-2]) or False)
    monkeypatch.setattr(ci.browser, "playwright_own", lambda: iter(()))
    return SimpleNamespace(module=ci.browser, folder=tmp_path, asked=asked)


@pytest.mark.parametrize(("required", "status", "words"), [("1", 1, "a failure"), ("0", 0, "SKIPPED")])
def test_no_browser_is_said_and_fails_where_required(
    bare: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    required: str,
    status: int,
    words: str,
) -> None:
    monkeypatch.setenv("TOOLKIT_REQUIRE_BROWSER", required)
    assert bare.module.main() == status
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert "apt-get install -y --no-install-recommends chromium" in shown.err
    assert bare.asked == ["chromium", "install"]  # the distribution's package, then Playwright's download


def test_a_browser_that_does_not_start_is_passed_over(
    bare: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    script(bare.folder / "chromium-browser", "/bin/echo 'please install the snap'; exit 1")
    good = script(bare.folder / "google-chrome", "/bin/echo '<p>toolkit-ready</p>'")
    assert bare.module.main() == 0
    assert capsys.readouterr().out.strip() == str(good)
    assert bare.asked == []


def test_a_named_browser_that_does_not_start_is_said(
    bare: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script(bare.folder / "chromium", "/bin/echo '<p>toolkit-ready</p>'")
    monkeypatch.setenv("TOOLKIT_BROWSER", "/nonexistent/browser")
    monkeypatch.setenv("TOOLKIT_REQUIRE_BROWSER", "1")
    assert bare.module.main() == 1
    assert "/nonexistent/browser, which does not start" in capsys.readouterr().err


def nested(tmp_path: Path, text: str, *options: str, **env: str) -> str:
    """pytest's output on a small tree with this project's conftest and one browser test."""
    (tmp_path / "tests" / "browser").mkdir(parents=True)
    for name in ("conftest.py", "warm.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    (tmp_path / "tests" / "browser" / "test_it.py").write_text(text, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\ntestpaths = ["tests"]\nmarkers = ["browser: .", "cuda: ."]\n',
        encoding="utf-8",
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TOOLKIT_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    env = {**clean, "PATH": str(tmp_path), **env}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    return done.stdout + done.stderr


SELF_SKIPPING = "import pytest\ndef test_it():\n    pytest.skip('no JupyterLab')\n"


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "side by side"])
def test_a_skipped_browser_test_is_a_failure_only_where_required(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert "1 failed" in nested(tmp_path / "required", SELF_SKIPPING, *options, TOOLKIT_REQUIRE_BROWSER="1")
    assert "1 skipped" in nested(tmp_path / "free", SELF_SKIPPING, *options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "side by side"])
def test_a_required_run_without_browser_tests_is_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    found = nested(tmp_path, "", *options, TOOLKIT_REQUIRE_BROWSER="1")
    assert "no test with the marker" in found
    assert "passed" not in found
