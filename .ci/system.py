"""What the distribution can add: apt packages, where there is apt and the right to use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

INSTALL = ["apt-get", "install", "-y", "-q", "--no-install-recommends"]


class SetupError(Exception):
    """Set-up cannot go on; the message is for the person at the terminal: what is missing and the line that helps."""


def say(words: str) -> None:
    """Tell the person at the terminal; on stderr, because stdout may be the answer of a program."""
    print(words, file=sys.stderr, flush=True)


def run(command: list[str]) -> bool:
    """Whether the command succeeded; its output goes to stderr, and it gets no stdin."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode == 0
    except OSError:
        return False


def rights() -> list[str] | None:
    """The words to put before apt-get ([] for root, passwordless sudo), or None without apt or without rights."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return ["env", "DEBIAN_FRONTEND=noninteractive"]
    if not shutil.which("sudo"):
        return None
    asked = subprocess.run(["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"] if asked.returncode == 0 else None


def install(package: str) -> bool:
    """Whether the apt package was installed; False, with nothing done, where rights are missing."""
    prefix = rights()
    if prefix is None:
        return False
    say(f"Installing the distribution's package {package}")
    if run([*prefix, *INSTALL, package]):
        return True
    return run([*prefix, "apt-get", "update", "-q"]) and run([*prefix, *INSTALL, package])


def line(package: str) -> str:
    """The one line a person with rights runs to get the package."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {package}"
