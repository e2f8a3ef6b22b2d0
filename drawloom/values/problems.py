"""What can go wrong with a value, as diagnostics (codes V3xx), each fix in one place.

Standard library alone: a step loads this module.
"""

from __future__ import annotations

from typing import Final

from drawloom.errors import Diagnostic, Span, ValueRefused
from drawloom.ir.envelope import NotEncodable

__all__ = ["refused", "refused_part", "unreadable"]

_FIXES: Final = {
    "V301": "return values of standard types, dataclasses, arrays, tables, `File`s or models; for another class name a "
    'codec: `Annotated[Mesh, Codec("package.module:MeshCodec")]`',
    "V302": "define the class at the top of a module that the pipeline's code is imported from",
    "V303": "flatten it: hand over a list of records that name each other by key",
    "V304": "convert it to a form that comes back exactly the same",
    "V307": "run the pipeline again with the code as it is now, or read the value with the code that wrote it",
}


def refused(code: str, what: str, fix: str = "", where: str = "") -> ValueRefused:
    """A `ValueRefused` of one diagnostic; `where` is a path or a URI, "" for none."""
    return ValueRefused(Diagnostic(code, what, Span(where, 0) if where else None, fix or _FIXES[code]))


def refused_part(error: NotEncodable, what: str) -> ValueRefused:
    """The refusal of a value because of one of its parts; `what` is what the value is called."""
    return refused(error.code, error.told(what), error.fix)


def unreadable(error: BaseException) -> ValueRefused:
    """The refusal of a stored value that can't be made into an object here."""
    if isinstance(error, ImportError):
        missing = f" (no module {error.name!r})" if error.name else ""
        fix = "install it or put it on the path where the value is read, or read the value where it was written"
        return refused("V307", f"a stored value can't be read: what makes it can't be imported{missing}", fix)
    told = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return refused("V307", f"a stored value can't be read: {told}")
