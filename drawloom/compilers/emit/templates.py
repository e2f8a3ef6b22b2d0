"""Templates of text files: jinja2, told to refuse what it doesn't know and to leave every character as it is."""

from __future__ import annotations

from typing import Any

from drawloom.errors import CompileError, Diagnostic

__all__ = ["template"]


def template(text: str, missing: Diagnostic, *, trim: bool = False) -> Any:  # Any: jinja2 is an extra
    """A template of jinja2.

    Args:
        text: its source.
        missing: what is told where jinja2 isn't installed.
        trim: whether lines that hold nothing but a tag leave none behind.

    Raises:
        CompileError: `missing`.
    """
    try:
        import jinja2
    except ImportError as error:
        raise CompileError(missing) from error
    made = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=trim,
        lstrip_blocks=trim,
        autoescape=False,  # noqa: S701  # no HTML
    )
    return made.from_string(text)
