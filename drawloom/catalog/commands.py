"""The commands that are printed about a run, as they can be entered.

A command looks into the project's own catalog. A run that is in the store of a target is named with that target, or
what is printed would not find it. A step that refuses something imports it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from drawloom.frozen import dataclass

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog
    from drawloom.catalog.records import RunStarted

__all__ = ["RunAddress", "address_of", "command"]

_PLAIN: Final = re.compile(r"[\w./:@%+,=-]+")
_HERE: Final = ("local", "reference")  # engines whose runs nobody else goes on with


@dataclass(frozen=True, slots=True)
class RunAddress:
    """Where commands find a run.

    Args:
        run: its id.
        target: the target of the project file whose store it is in, "" for the project's own catalog.
        deployed: whether that target's engine has it, and can be told to run what is left of it.
    """

    run: str
    target: str = ""
    deployed: bool = False


def address_of(started: RunStarted, catalog: Catalog | None = None) -> RunAddress:
    """Where commands find a run, from its record and the catalog that it was found in."""
    target = (catalog.target if catalog is not None else "") or started.deployed_to
    return RunAddress(started.run, target, deployed=bool(target) and started.engine not in _HERE)


def command(verb: str, address: RunAddress, *words: str) -> str:
    """A command about a run.

    Args:
        verb: which one; it takes a run, and `--target`.
        address: the run.
        words: what comes after the run.

    >>> command("logs", RunAddress("airflow-b965", "prod"), "load")
    'drawloom logs airflow-b965 load --target prod'
    >>> command("show", RunAddress("local-1f"), "it's")
    "drawloom show local-1f 'it'\\\\''s'"
    """
    given = [*words, "--target", address.target] if address.target else words
    return " ".join(["drawloom", verb, address.run, *map(_quoted, given)])


def _quoted(word: str) -> str:
    """A word as a shell takes it; letters of any alphabet are left as they are."""
    return word if _PLAIN.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'"
