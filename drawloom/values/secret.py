"""`Secret`: a reference to something that must never be stored, printed or versioned; and the redaction of texts.

Only the name travels. Where the secret is needed, `reveal()` reads it from the environment and remembers it, so that
`redact` can take it out of logs and failure messages of this process. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import os
import re
from typing import Final

from drawloom.values.problems import refused

__all__ = ["REDACTED", "Secret", "redact"]

REDACTED: Final = "[secret]"
_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")

# every form in which a revealed secret may turn up in a text; a secret is forgotten when the process ends
_revealed: set[str] = set()
_pattern: re.Pattern[str] | None = None


class Secret:
    """A secret by name.

    Args:
        name: letters, digits, `_`, `-` and `.`; `db-password` is read from the environment variable
            `DRAWLOOM_SECRET_DB_PASSWORD`, or else from `db-password` and `DB_PASSWORD`.

    Raises:
        ValueRefused: V310, the name has other characters.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name or len(name) > 128 or not set(name) <= _LETTERS:
            raise refused(
                "V310",
                f"{name!r:.80} is not a secret's name: expected letters, digits, `_`, `-` and `.`",
                "pass the secret's name, not the secret itself",
            )
        self._name = name

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    def reveal(self) -> str:
        """The secret itself, from the environment; from now on `redact` takes it out of texts.

        Raises:
            ValueRefused: V310, no environment variable holds it.
        """
        upper = self._name.upper().replace("-", "_").replace(".", "_")
        for variable in (f"DRAWLOOM_SECRET_{upper}", self._name, upper):
            found = os.environ.get(variable)
            if found is not None:
                _remember(found)
                return found
        raise refused(
            "V310",
            f"the secret {self._name!r} is not set here",
            f"set the environment variable DRAWLOOM_SECRET_{upper} where the task runs",
        )

    def __repr__(self) -> str:
        return f"Secret({self._name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._name == other._name

    def __hash__(self) -> int:
        return hash(("Secret", self._name))


def _remember(secret: str) -> None:
    global _pattern  # one registry per process, as there is one environment
    if not secret:
        return
    import json

    forms = {secret, secret.strip(), repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    forms |= {line.strip() for line in secret.splitlines() if len(line.strip()) >= 8}  # a key file, printed by lines
    _revealed.update(form for form in forms if form)
    # the longest first, or a secret that begins with another would leave its end
    longest_first = sorted(_revealed, key=lambda form: (-len(form), form))
    _pattern = re.compile("|".join(map(re.escape, longest_first)))


def redact(text: str) -> str:
    """`text` with every secret this process has revealed replaced by `[secret]`."""
    return text if _pattern is None else _pattern.sub(REDACTED, text)
