"""What a type can't take, as an exception on its way to a diagnostic."""

from __future__ import annotations

__all__ = ["TypeProblem"]


class TypeProblem(Exception):  # a finding about the user's pipeline, on its way to a Diagnostic
    """A path, an operator or a constant that would certainly raise in Python.

    Args:
        code: the diagnostic's code.
        what: what is wrong, in one sentence.
        fix: what to do about it.
    """

    def __init__(self, code: str, what: str, fix: str) -> None:
        super().__init__(code, what, fix)
        self.code, self.what, self.fix = code, what, fix
