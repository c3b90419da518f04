"""The gate of every `make` target: find a Python that is new enough and hand over to environment.py with it.

Where the first argument is another file of this folder, such as floors.py, it is handed over to that one.

This file must parse and run on Python 3.6, so that an old Python is refused in words and not by a traceback.
"""

import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)  # a test keeps this in step with pyproject.toml
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")
TARGETS = {"floors.py": "test-floors", "update.py": "update"}
REFUSAL = """
clip-head-toolkit needs Python {oldest} or newer.
This is Python {given} ({path}), and the PATH holds no newer one.

Install one and name it:   make {target} PYTHON=python{oldest}
On Ubuntu 22.04, for example:   sudo apt-get install python{oldest} python{oldest}-venv
"""


def fits(python: str) -> bool:
    """Whether the command runs (a version manager's shim may not) and is new enough."""
    code = "import sys; sys.exit(sys.version_info < %r)" % (OLDEST,)
    try:
        return subprocess.call([python, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def main() -> int:
    """Become environment.py, under this Python or a newer one of the PATH; else say what is missing and return 1."""
    name = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] in TARGETS else "environment.py"
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    arguments = sys.argv[1:] if name == "environment.py" else sys.argv[2:]
    if tuple(sys.version_info[:2]) >= OLDEST:
        os.execv(sys.executable, [sys.executable, program, *arguments])
    for newer in NEWER:
        python = shutil.which(newer)
        if python and fits(python):
            sys.stderr.write("Python %d.%d is too old; using %s\n" % (sys.version_info[0], sys.version_info[1], python))
            sys.stderr.flush()
            os.execv(python, [python, program, *arguments])
    words = {"oldest": "%d.%d" % OLDEST, "given": sys.version.split()[0], "path": sys.executable}
    target = TARGETS.get(name) or ("test" if any("test" in word for word in arguments) else "demo")
    sys.stderr.write(REFUSAL.format(target=target, **words).lstrip() + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
