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
"""Characters that need no space beside them; + − and / may (a + +b)."""
ENDS = set("}])?:&|,")
"""No statement begins with these: a line end before them means nothing."""
HEADS = ("if", "for", "await", "while", "with")
"""After the parentheses of these, and after `else`, `do` and a label, a lone semicolon is a statement."""
BARE = ("else", "try", "finally")
"""Words whose braces are a statement's."""
NAMED = re.compile(r"(\bfunction\b[*\s]*)?([\w$]*)$")


def compact(source: str) -> str:
    """The source with the same meaning: literals untouched, line ends kept where a statement might end there, no
    semicolon before the end of a block.

    `export` goes where something is declared: all parts are one module, of which only the default is asked for.

    >>> compact("// a note\\nconst a = [1, 2];\\n  b(`x ${a ? `, ${ a }` : ''} y`, / +/); // more")
    "const a=[1,2];b(`x ${a?`, ${a}`:''} y`,/ +/);"
    """
    out: list[str] = []
    _code(EXPORT.sub("", source), 0, out, nested=False)
    return "".join(out).strip()


class _Marks:
    """What parentheses and braces say of the semicolons and line ends after them. blocks: of the braces that are open,
    whether they are those of a statement or a method, after which nothing goes on. over: the same of the last closed.
    """

    def __init__(self) -> None:
        self.blocks: list[bool] = []
        self._heads: list[str] = []
        self._head, self._lone, self.over = "", False, False

    def take(self, token: str, out: list[str]) -> None:
        """Before a character is written; a semicolon that ends a block's last statement is taken back."""
        last = _last(out)
        if token == "(":
            self._heads.append(_named(out))
        elif token == ")":
            self._head = self._heads.pop() if self._heads else ""
        elif token == "{":
            self.blocks.append(bool(self._head) if last == ")" else _named(out) in BARE)
        elif token == ";":
            self._lone = self._head in HEADS if last == ")" else last == ":" or _named(out) in ("else", "do")
        elif token == "}":
            self.over = bool(self.blocks) and self.blocks.pop()
            if last == ";" and not self._lone:
                out.pop()


def _code(source: str, at: int, out: list[str], nested: bool) -> int:
    """Copy code from a position on: to the end, or to the brace that ends a template's expression. Where it ended."""
    marks = _Marks()
    while at < len(source):
        found = TOKEN.match(source, at)
        assert found is not None
        kind, token = found.lastgroup, found[0]
        if nested and token == "}" and not marks.blocks:
            _trim(out)
            return at
        at = found.end()
        if kind == "tick":
            at = _template(source, at, out)
        elif kind == "slash" and _begins(out):
            found = re.compile(REGEX).match(source, at - 1)
            assert found is not None, source[at - 1 : at + 40]
            out.append(found[0])
            at = found.end()
        elif kind == "space":
            out.append(_space(token, source[at : at + 1], out, marks.over))
        elif kind == "note":
            if token.startswith("/*") and _last(out) not in TIGHT and _last(out) != "\n":
                out.append(" ")
        else:
            if token in TIGHT:
                _trim(out)
            marks.take(token, out)
            out.append(token)
    return at


def _space(token: str, after: str, out: list[str], over: bool) -> str:
    """What stays of spaces before a character. over: whether a brace before them ends all it belongs to."""
    if "\n" not in token:
        return " " if _parted(out, after) else ""
    _trim(out)
    last = _last(out)
    return "" if last in "\n{,;" or after in ENDS or (last == "}" and over) else "\n"


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


def _parted(out: list[str], after: str) -> bool:
    """Whether a space is needed between what was written and a character: two words, a + +b, a / /b/, 1 .x."""
    before, word = _last(out), lambda x: x.isalnum() or x in "_$#@\\"
    if before in TIGHT or before == "\n":
        return False
    regex = len(next(part for part in reversed(out) if part)) > 1 and before == "/"
    if word(after):
        return word(before) or regex
    return after == before or (before, after) == ("/", "*") or (after == "." and before.isdigit())


def _named(out: list[str]) -> str:
    """The word written last, if that is what was written last; of a function, none."""
    found = NAMED.search("".join(out[-60:]).rstrip())
    return "" if found is None or found[1] else found[2].replace("function", "")


def _last(out: list[str]) -> str:
    """The last character written."""
    return next((part[-1] for part in reversed(out) if part), "\n")


def _trim(out: list[str]) -> None:
    """Take a space back."""
    while out and out[-1] in (" ", ""):
        out.pop()
