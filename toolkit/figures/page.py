"""A short, self-contained HTML page: text and pictures inside one file, no script, no request."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from toolkit.store.whole import saved_file

STYLE = """
:root { color-scheme: light dark; --ink: #22262e; --soft: #5b6370; --paper: #fff; --line: #e3e6ea; --card: #f7f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ec; --soft: #a3abb8; --paper: #16191f; --line: #2c323c; --card: #1e222a; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 3rem 1.25rem 5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .4rem; }
p { margin: .4rem 0 .8rem; } .lead, figcaption, footer { color: var(--soft); } figcaption, footer { font-size: .9rem; }
figure { margin: 1rem 0; } img { max-width: 100%; background: #fff; border: 1px solid var(--line); border-radius: 8px; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; }
pre { overflow-x: auto; font-size: .82rem; }
.table { overflow-x: auto; margin: .6rem 0 1rem; } table { border-collapse: collapse; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); }
td { white-space: pre-line; } th { font-weight: 600; } thead th { color: var(--soft); }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
"""


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph, a picture (PNG bytes) with its description, words in fixed width, a table (column
    names, rows), and rows folded away under a name each; all but the heading optional.
    """

    heading: str
    text: str = ""
    picture: bytes | None = None
    description: str = ""
    fixed: str = ""
    table: tuple[Sequence[str], Sequence[Sequence[str]]] | None = None
    folded: Sequence[tuple[str, Sequence[Sequence[str]]]] = ()


def png(picture: Any) -> bytes:
    """PNG bytes of a PIL image or a matplotlib figure."""
    buffer = io.BytesIO()
    if isinstance(picture, Image.Image):
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.savefig(buffer, format="png", dpi=144)
    return buffer.getvalue()


def page(title: str, lead: str, sections: Sequence[Section], footer: str) -> str:
    """The page as HTML; everything that comes from data is escaped."""
    body = f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{sections_html(sections)}'
    body += f"<footer>{escape(footer)}</footer>"
    head = (
        '<meta charset="utf-8"><meta name="viewport"'
        f' content="width=device-width"><title>{escape(title)}</title><style>{STYLE}</style>'
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><main>{body}</main></body></html>\n'


def sections_html(sections: Sequence[Section]) -> str:
    """Sections as HTML, everything in them escaped."""
    body: list[str] = []
    for s in sections:
        body.append(f"<h2>{escape(s.heading)}</h2>")
        body += [f"<p>{escape(s.text)}</p>"] if s.text else []
        if s.picture:
            data = base64.b64encode(s.picture).decode()
            caption = f"<figcaption>{escape(s.description)}</figcaption>" if s.description else ""
            body.append(
                f'<figure><img src="data:image/png;base64,{data}" alt="{escape(s.description)}">{caption}</figure>'
            )
        body += [_table(*s.table)] if s.table else []
        body += [f"<pre>{escape(s.fixed)}</pre>"] if s.fixed else []
        body += [f"<details><summary>{escape(a)}</summary>{_table(('', ''), rows)}</details>" for a, rows in s.folded]
    return "".join(body)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    lines = [
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    ]
    top = f"<thead><tr>{head}</tr></thead>" if any(names) else ""
    return f'<div class="table"><table>{top}<tbody>{"".join(lines)}</tbody></table></div>'


def write(path: Path, content: str | bytes, operation: str = "report") -> Path:
    """Write a file whole or not at all."""
    with saved_file(path, operation) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
