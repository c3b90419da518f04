"""Pillow's settings as ours while a picture is decoded, whatever the process has set."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from PIL import Image, ImageFile

OURS: tuple[tuple[Any, str, Any], ...] = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
    (Image, "MAX_IMAGE_PIXELS", 89_478_485),
)
"""What Pillow reads at every picture: half files are errors, and so are those of twice this many pixels."""
_QUIET: Any = ("ignore", None, Warning, re.compile(r"PIL(\.|$)(?#toolkit)"), 0)


class _Held:
    """What the process had set while we decode, and in how many threads we do."""

    lock = Lock()
    threads = 0
    before: dict[str, Any] = {}  # noqa: RUF012 – there is one of it
    filters: list[Any] = []  # noqa: RUF012
    disturbed = 0


def _filters() -> list[Any]:
    """The list by which Python decides on warnings, itself."""
    found: Any = warnings.filters
    return found  # type: ignore[no-any-return]


@contextmanager
def own_settings() -> Iterator[Callable[[], bool]]:
    """Pillow's settings as ours until the last thread that decodes is done; then those that were set before.

    What another thread sets meanwhile is kept for it; what is yielded says whether none has. Pillow's warnings (on
    metadata, on size) are no errors here.
    """
    with _Held.lock:
        for module, name, value in OURS:
            now = getattr(module, name)
            if not _Held.threads or now != value:
                _Held.before[name] = now
            _Held.disturbed += bool(_Held.threads and now != value)
            setattr(module, name, value)
        if not _Held.threads:
            _Held.filters = _filters()
            _Held.filters.insert(0, _QUIET)
        _Held.threads += 1
        since = _Held.disturbed
    try:
        yield lambda: _Held.disturbed == since and all(getattr(m, name) == value for m, name, value in OURS)
    finally:
        with _Held.lock:
            _Held.threads -= 1
            if not _Held.threads:
                for module, name, value in OURS:
                    if getattr(module, name) == value:
                        setattr(module, name, _Held.before[name])
                for filters in (_Held.filters, _filters()):  # whoever copied them meanwhile has ours too
                    with suppress(ValueError):
                        filters.remove(_QUIET)
