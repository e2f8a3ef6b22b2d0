"""`Failure`: what a `try_` handler is given. Standard library alone: a step loads this module."""

from __future__ import annotations

from drawloom.frozen import dataclass

__all__ = ["Failure"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a node failed.

    Args:
        type: `module:qualname` of the exception's class, or `infra`, `timeout`, `cancelled`.
        message: the text of the exception, secrets taken out.
        node: the id of the node that failed, "" if it isn't known.
    """

    type: str
    message: str
    node: str = ""
