"""Prompt templates: `{a}` stands for the class name with its article ("an umbrella"), `{}` for the bare name.

The two sets here are our own; "openai" is the 80 prompts published with CLIP, as open_clip ships them. Other sets are
passed as a list or a text file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from toolkit.errors import InputError

PLAIN: tuple[str, ...] = ("a photo of {a}",)
"""The default of `tk.classes`."""

VARIED: tuple[str, ...] = (
    "a photo of {a}",
    "an image of {a}",
    "a picture of {a}",
    "a picture of the {}",
    "the {} in a photo",
    "{a} in the picture",
    "an image with {a}",
    "the {}",
)
"""Eight wordings to average over; every word is also known to the built-in model."""

TEMPLATE_SETS: dict[str, tuple[str, ...]] = {"plain": PLAIN, "varied": VARIED}

_PLACE = re.compile(r"\{a?\}")
_ARTICLE = re.compile(r"(a|an|the)\s", re.IGNORECASE)
# Spelled with a vowel but spoken with a consonant (a unicorn, a one-way street) and the reverse (an hour).
_SPOKEN_CONSONANT = re.compile(r"uni(?![nmd])|us[aeu]|ut[eio]|ubi|ur[aeio]|u(?:k|fo)\b|eu|ewe|one\b|ouija|ukulele")
_SPOKEN_VOWEL = re.compile(r"hour|honou?r|honest|heir|8|1[18]\b")


def with_article(name: str) -> str:
    """The name with "a" or "an" before it, by sound; a name that already begins with an article is returned as it is.

    >>> [with_article(n) for n in ("bird", "umbrella", "unicycle", "hourglass", "SUV", "the sea")]
    ['a bird', 'an umbrella', 'a unicycle', 'an hourglass', 'an SUV', 'the sea']
    """
    if _ARTICLE.match(name):
        return name
    word = re.split(r"[\s\-]", name.strip(), maxsplit=1)[0]
    spelled = word.isalpha() and (len(word) == 1 or (word.isupper() and len(word) <= 3))  # x-ray, SUV
    if spelled:
        vowel = word[0].upper() in "AEFHILMNORSX"
    else:
        low = name.strip().lower()
        vowel = bool(_SPOKEN_VOWEL.match(low)) or (low[0] in "aeiouáéíóúäöå" and not _SPOKEN_CONSONANT.match(low))
    return f"{'an' if vowel else 'a'} {name}"


def fill(template: str, name: str) -> str:
    """The template with `{a}` and `{}` replaced by the name; braces inside the name are left alone.

    >>> fill("a photo of {a}", "umbrella"), fill("two {} birds", "red")
    ('a photo of an umbrella', 'two red birds')
    """
    return _PLACE.sub(lambda place: with_article(name) if place[0] == "{a}" else name, template)


def templates(source: str | Path | Sequence[str] | None = None) -> tuple[str, ...]:
    """Checked templates.

    source: None (`PLAIN`), "plain", "varied" or "openai", one template, a list of templates, or a .txt file with one
    template per line (UTF-8; empty lines and lines that begin with # are skipped).
    Raises InputError for a template without `{}` or `{a}`, with other braces, an empty list or a missing file.

    >>> templates(["{a} at night"])
    ('{a} at night',)
    """
    if source is None:
        return PLAIN
    if isinstance(source, str) and source in TEMPLATE_SETS:
        return TEMPLATE_SETS[source]
    if source == "openai":
        from open_clip import OPENAI_IMAGENET_TEMPLATES

        return tuple(make("{}") for make in OPENAI_IMAGENET_TEMPLATES)
    if isinstance(source, Path) or (isinstance(source, str) and source.endswith(".txt") and "{" not in source):
        found = _read(Path(source))
    else:
        found = [source] if isinstance(source, str) else list(source)
    accepted = 'a template with {} (the name) or {a} (the name with its article), such as "a photo of {a}"'
    if not found:
        raise InputError("templates", "no templates", f"at least {accepted}", "leave templates out for the default")
    for i, template in enumerate(found):
        if not isinstance(template, str) or not _PLACE.search(template) or set("{}") & set(_PLACE.sub("", template)):
            fix = f"correct it, or name a set: {', '.join(TEMPLATE_SETS)}"
            raise InputError("templates", f"{template!r} at position {i}", accepted, fix)
    return tuple(found)


def _read(path: Path) -> list[str]:
    try:
        lines = path.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fix = "check the path and save the file as UTF-8"
        raise InputError("templates", f"the file {str(path)!r} ({error})", "a readable .txt file", fix) from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
