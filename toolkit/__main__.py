"""`python -m toolkit`: the console, under the name it has there."""

from __future__ import annotations

from toolkit.cli import main

if __name__ == "__main__":
    main(prog_name="toolkit")
