"""The methods by name, those of this toolkit and those that its users add with `tk.method`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, TypeVar

from toolkit.api.methods.method import Method, public_name
from toolkit.errors import InputError

Kind = TypeVar("Kind", bound=type[Method])
_METHODS: dict[str, type[Method]] = {}


def method(kind: Kind) -> Kind:
    """Register a class of methods: it then stands in `tk.methods`, and `tk.comparison` takes it by its class's name.

    Arguments:
        kind: a subclass of `tk.methods.Method` with `name`, `told` and `solve`.

    Returns:
        The class itself: this is a decorator.

    Raises:
        InputError: for what is no such class, and a name that another class has.

    >>> import toolkit as tk
    >>> tk.methods.TipAdapter.name
    'Tip-Adapter'
    """
    given: Any = kind
    if not isinstance(given, type) or not issubclass(given, Method):
        accepted = "a subclass of tk.methods.Method with name, told and solve"
        raise InputError("method", repr(kind)[:80], accepted, "derive it from tk.methods.Method")
    lacks = [name for name in ("name", "told") if not isinstance(getattr(kind, name, None), str)]
    if lacks or getattr(kind.solve, "__isabstractmethod__", False):
        given = f"{kind.__name__} without {' and '.join(lacks) or 'solve'}"
        raise InputError("method", given, "name, told and solve", "define them")
    for key, other in _METHODS.items():
        same = f"{other.__module__}.{other.__qualname__}" == f"{kind.__module__}.{kind.__qualname__}"
        if not same and (key == public_name(kind) or other.name == kind.name):
            given = f"{kind.__name__} ({kind.name!r}), which {other.__module__} has"
            raise InputError("method", given, "a name of its own", "choose another name")
    _METHODS[public_name(kind)] = kind
    return kind


def offered_methods() -> dict[str, type[Method]]:
    """All classes of methods by their public names, in the order in which they were registered.

    >>> import toolkit as tk
    >>> "RoboShot" in tk.methods.offered()
    True
    """
    return dict(_METHODS)


def forget_method(name: str) -> None:
    """Take a class of methods out again.

    Arguments:
        name: in `tk.methods`; nothing happens where there is none.

    >>> import toolkit as tk
    >>> tk.methods.forget("one that is not there")
    """
    _METHODS.pop(name, None)


def known_method(given: Any, operation: str) -> Method:
    """A method: settings as they are, a class with its defaults, or the name of one. Raises InputError for others."""
    if isinstance(given, Method):
        return given
    kind = given if isinstance(given, type) else _METHODS.get(str(given)) or _by_title(str(given))
    if kind is None or not issubclass(kind, Method):
        near = get_close_matches(str(given), _METHODS, 1)
        fix = f"did you mean {near[0]!r}?" if near else "name one of tk.methods"
        raise InputError(operation, f"the method {given!r:.60}", ", ".join(_METHODS), fix)
    try:
        made: Method = kind()
    except TypeError as error:
        fix = f"write tk.methods.{public_name(kind)}(…)"
        raise InputError(operation, f"{given!r:.60} without settings", str(error), fix) from error
    return made


def _by_title(title: str) -> type[Method] | None:
    return next((kind for kind in _METHODS.values() if kind.name == title), None)
