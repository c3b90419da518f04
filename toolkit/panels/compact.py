"""JavaScript without comments and without spaces that mean nothing: what a panel sends counts."""

from __future__ import annotations

import re

QUOTED = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
REGEX = r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])*/[a-z]*"
NOTE = r"//[^\n]*|/\*.*?\*/"
TOKEN = re.compile(rf"(?P<text>{QUOTED})|(?P<note>{NOTE})|(?P<tick>`)|(?P<space>\s+)|(?P<slash>/)|.", re.DOTALL)
BEFORE_REGEX = "(,=:[!&|?{};>"
"""After these a slash begins a regular expression (of > only the arrow occurs here), and after these words."""
WORDS = ("return", "typeof", "case", "in", "of")
EXPORT = re.compile(r"^export (?=(?:async )?function|class|const|let)", re.MULTILINE)
TIGHT = set("{}()[];,:?=<>!&|*%")
"""Characters that need no space beside them; + and − may (a + +b)."""


def compact(source: str) -> str:
    """The source with the same meaning: literals untouched, line ends kept where a statement might end there.

    `export` goes where something is declared: all parts are one module, of which only the default is asked for.

    >>> compact("// a note\\nconst a = [1, 2];\\n  b(`x ${a ? `, ${ a }` : ''} y`, / +/); // more")
    "const a=[1,2];b(`x ${a?`, ${a}`:''} y`,/ +/);"
    """
    out: list[str] = []
    _code(EXPORT.sub("", source), 0, out, nested=False)
    return "".join(out).strip()


def _code(source: str, at: int, out: list[str], nested: bool) -> int:
    """Copy code from a position on: to the end, or to the brace that ends a template's expression. Where it ended."""
    depth = 0
    while at < len(source):
        found = TOKEN.match(source, at)
        assert found is not None
        kind, token = found.lastgroup, found[0]
        if nested and token == "}" and depth == 0:
            _trim(out)
            return at
        depth += {"{": 1, "}": -1}.get(token, 0)
        at = found.end()
        if kind == "tick":
            at = _template(source, at, out)
        elif kind == "slash" and _begins(out):
            found = re.compile(REGEX).match(source, at - 1)
            assert found is not None, source[at - 1 : at + 40]
            out.append(found[0])
            at = found.end()
        elif kind == "space":
            if "\n" in token:
                _trim(out)
                out.append("" if _last(out) in "\n{,;" else "\n")
            elif _last(out) not in TIGHT and _last(out) != "\n":
                out.append(" ")
        elif kind == "note":
            if token.startswith("/*") and _last(out) not in TIGHT and _last(out) != "\n":
                out.append(" ")
        else:
            if token in TIGHT:
                _trim(out)
            out.append(token)
    return at


def _template(source: str, at: int, out: list[str]) -> int:
    """Copy a template literal from after its first tick; where it ended."""
    out.append("`")
    while source[at] != "`":
        if source.startswith("${", at):
            out.append("${")
            at = _code(source, at + 2, out, nested=True)
        if source[at] == "\\":
            out.append(source[at])
            at += 1
        out.append(source[at])
        at += 1
    out.append("`")
    return at + 1


def _begins(out: list[str]) -> bool:
    """Whether a slash here begins a regular expression; else it divides."""
    before = "".join(out[-40:]).rstrip()
    return not before or before[-1] in BEFORE_REGEX or re.search(r"[\w$]*$", before)[0] in WORDS  # type: ignore[index]


def _last(out: list[str]) -> str:
    """The last character written."""
    return next((part[-1] for part in reversed(out) if part), "\n")


def _trim(out: list[str]) -> None:
    """Take a space back."""
    while out and out[-1] in (" ", ""):
        out.pop()
