"""The methods that make maps, by name, behind one signature."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from inspect import signature
from typing import Any

from toolkit.api.where.attention_maps import attention_map, game, legrad, rollout
from toolkit.api.where.attribution import TokenAttribution
from toolkit.api.where.cam import grad_cam
from toolkit.api.where.token_map import token_map
from toolkit.core.precision import full_precision
from toolkit.errors import InputError

METHODS: dict[str, Callable[..., TokenAttribution]] = {
    "token map": token_map,
    "Grad-CAM": grad_cam,
    "LeGrad": legrad,
    "GAME": game,
    "attention": attention_map,
    "rollout": rollout,
}
BLIND = ("attention", "rollout")
"""Methods whose maps are the same for every text."""


@full_precision
def explain(
    model: Any, images: Any, text: Any = None, against: Any = None, heads: Any = None, *,
    method: str = "token map", **options: Any,
) -> TokenAttribution:  # fmt: skip
    """A map by a method's name (`TokenAttribution`). Options: the other arguments of that method.

    Arguments:
        model: a live one (`Model`).
        images: one image (PIL, a sample or a path: the result has no image axis), or several in any form.
        text: a text, a vector [d], or a class of the set given as `against`; only "attention" and "rollout" do without;
            default none.
        against: what is taken away: a text, several (their mean), a vector, a class set (the mean of its other
            classes); default nothing.
        heads: as the method takes them, in any spelling; default all.
        method: "token map", "Grad-CAM", "LeGrad", "GAME", "attention" or "rollout"; default "token map".

    Raises:
        InputError: for a method or an option there is not, with a spelling hint.

    >>> import toolkit as tk
    >>> tk.explain(tk.load(), tk.scenes("test", n=2), "a bird", method="LeGrad").method
    'LeGrad'
    """
    verb = METHODS[known_method(method, "explain")]
    known = [p.name for p in signature(verb).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, 1)
            fix = f"did you mean {near[0]!r}?" if near else "leave it out"
            raise InputError("explain", f"the unknown option {name!r} of {method}", ", ".join(known), fix)
    return verb(model, images, text, against, heads, **options)


def known_method(name: Any, operation: str) -> str:
    """The name of a method, or an InputError that names those there are."""
    if name not in METHODS:
        small = {known.lower(): known for known in METHODS}
        near = get_close_matches(str(name).lower(), small, 1, 0.5)
        fix = f"did you mean {small[near[0]]!r}?" if near else "name one of these"
        raise InputError(operation, f"method={name!r}", ", ".join(METHODS), fix)
    return str(name)
