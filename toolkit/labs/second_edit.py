"""The edit that stands beside the one looked at."""

from __future__ import annotations

from typing import Any

from toolkit.api.edit.result import Edit
from toolkit.errors import InputError
from toolkit.labs.edit import EditSession, Settings
from toolkit.labs.edit_records import BesideSent
from toolkit.labs.edit_shown import NO_STRENGTHS, EditShown, beside, shown


def second(
    session: EditSession, made: EditShown, settings: Settings | None, kept: Edit | None
) -> tuple[Edit | None, BesideSent | dict[str, Any]]:
    """The edit beside the one that was `made`, and how it is told; an error of its own stands in its place alone. kept:
    that edit, where it was kept.
    """
    if settings is None:
        return None, {}
    try:
        edit = session.solve(settings) if kept is None else kept
        return edit, beside(made, shown(edit), settings.told)
    except InputError as error:
        told: BesideSent = {"of": settings.told, "rows": {}, "strengths": NO_STRENGTHS, "error": str(error)}
        return None, told
