"""HTML for notebooks and pages: self-contained, escaped, readable on a light and on a dark page.

No template engine is a dependency of drawloom. `Html` marks what is HTML already; everything else is escaped where it
is put together, so a value can't get in unescaped by being forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from drawloom.display.palette import COLOURS

__all__ = ["Html", "card", "chip", "details", "join", "page", "picture", "preformatted", "rows_html", "table"]

# currentColor and transparent greys fit any page; chips bring their own background and a dark text
_STYLE: Final = """<style>
.drawloom{font:13px/1.45 system-ui,sans-serif;max-width:100%;overflow-x:auto}
.drawloom h4{font-size:14px;margin:.2em 0 .4em}
.drawloom table{border-collapse:collapse;margin:.3em 0;font-size:12px;color:inherit;background:transparent}
.drawloom th,.drawloom td{text-align:left;vertical-align:top;padding:.15em .7em .15em 0;border:0;
border-bottom:1px solid rgba(128,128,128,.3);max-width:48em;overflow-wrap:anywhere;background:transparent}
.drawloom th{font-weight:600;white-space:nowrap}
.drawloom td.n,.drawloom th.n{text-align:right;white-space:nowrap}
.drawloom pre{font:12px/1.4 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:.3em 0;
padding:.5em;border:1px solid rgba(128,128,128,.3);border-radius:4px;background:rgba(128,128,128,.08);color:inherit}
.drawloom .chip{display:inline-block;padding:0 .5em;border-radius:.7em;border:1px solid;color:#1f2328;font-size:11px}
.drawloom .facts{opacity:.85;margin:.2em 0}
.drawloom summary{cursor:pointer}
.drawloom svg{max-width:100%;height:auto;background:#fff;border-radius:4px}
</style>"""


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def join(parts: Iterable[str], between: str = "") -> Html:
    """The parts one after another, those that aren't `Html` escaped."""
    return Html(_safe(between).join(map(_safe, parts)))


def _safe(text: object) -> str:
    return str(text) if isinstance(text, Html) else escape(_visible(str(text)))


def _visible(text: str) -> str:
    """`text` with control characters, which HTML has no place for, spelt out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def card(title: str, facts: Iterable[tuple[str, str]], *parts: str) -> Html:
    """A fragment with a title, a line of facts and what follows, and the style it needs.

    Args:
        title: its heading.
        facts: (name, text); those with an empty text are left out.
        parts: what stands below.
    """
    line = join(
        (f"{name} {text}" if not isinstance(text, Html) else join([name, " ", text]) for name, text in facts if text),
        " · ",
    )
    head = Html(f'<h4>{_safe(title)}</h4><div class="facts">{line}</div>')
    return Html(f'{_STYLE}<div class="drawloom">{head}{join(parts)}</div>')


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> Html:
    """A table; cells that aren't `Html` are escaped.

    Args:
        columns: the headings.
        rows: the cells.
        right: the headings of columns of numbers.
    """
    kinds = [' class="n"' if column in right else "" for column in columns]
    head = "".join(f"<th{kind}>{_safe(column)}</th>" for column, kind in zip(columns, kinds, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{_safe(cell)}</td>' for cell, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return Html(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def chip(state: str) -> Html:
    """A state in its colour."""
    fill, border = COLOURS.get(state, COLOURS["pending"])
    return Html(f'<span class="chip" style="background:{fill};border-color:{border}">{_safe(state)}</span>')


def details(title: str, *parts: str, opened: bool = False) -> Html:
    """What is shown when its title is clicked."""
    return Html(f"<details{' open' if opened else ''}><summary>{_safe(title)}</summary>{join(parts)}</details>")


def preformatted(text: str) -> Html:
    """Lines as they are."""
    return Html(f"<pre>{_safe(text)}</pre>")


def picture(svg: str) -> Html:
    """An SVG document, to stand inside HTML."""
    return Html(svg[max(0, svg.find("<svg")) :])


def page(title: str, *parts: str) -> str:
    """A whole HTML document."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}</title>'
        '<meta name="color-scheme" content="light dark"></head>\n'
        f"<body>{card(title, (), *parts)}</body></html>\n"
    )


def rows_html(
    title: str,
    facts: Iterable[tuple[str, str]],
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
) -> str:
    """The HTML of something that is a title and a table: plans, differences, lists of artifacts.

    A cell may be `chip("cached")`; any other text is escaped.

    Args:
        title: its heading.
        facts: (name, text) in a line below it.
        columns: the headings of the table.
        rows: its cells.
        right: the headings of columns of numbers.
    """
    return card(title, facts, table(columns, rows, right=right))
