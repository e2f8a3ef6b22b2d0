"""The line of every key of a TOML document, so that a wrong key can be pointed at.

`tomllib` keeps no positions. The documents scanned here have been through it, so the scanner may take them to be right.
"""

from __future__ import annotations

__all__ = ["KeyPath", "key_lines"]

KeyPath = tuple[str, ...]
_BARE_END = " \t\r\n.=]#,}"


def key_lines(text: str) -> dict[KeyPath, int]:
    """The 1-based line of each table and key of a valid TOML document.

    Args:
        text: the document; `tomllib` must have accepted it.

    Returns:
        Path of names -> line; a table's line is that of its header, or of the first key that implies it.

    >>> key_lines('a = 1\\n[b.c]\\nd = {e = 2}\\n')[("b", "c", "d", "e")]
    3
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.position = 0
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        prefix: KeyPath = ()
        while self._skip_blank():
            if self._peek() == "[":
                self.position += 2 if self._starts("[[") else 1
                prefix = self._key(())
                self.position = self._end_of_line()
            else:
                self._pair(prefix)

    def _pair(self, prefix: KeyPath) -> None:
        path = self._key(prefix)
        self.position += 1  # the `=`
        self._value(path)

    def _key(self, prefix: KeyPath) -> KeyPath:
        """Reads a dotted key up to its `=` or `]`; notes its line and those of the tables it implies."""
        path = prefix
        line = self.text.count("\n", 0, self.position) + 1
        while True:
            self._skip_spaces()
            path = (*path, self._name())
            self.lines.setdefault(path, line)
            self._skip_spaces()
            if self._peek() != ".":
                return path
            self.position += 1

    def _name(self) -> str:
        if self._peek() in ('"', "'"):
            start = self.position
            self._string()
            return _unquoted(self.text[start : self.position])
        start = self.position
        while self._peek() and self._peek() not in _BARE_END:
            self.position += 1
        return self.text[start : self.position]

    def _value(self, path: KeyPath) -> None:
        self._skip_spaces()
        first = self._peek()
        if first in ('"', "'"):
            self._string()
        elif first == "[":
            self._sequence("]", lambda: self._value(path))
        elif first == "{":
            self._sequence("}", lambda: self._pair(path))
        else:
            while self._peek() and self._peek() not in ",]}\n#":
                self.position += 1

    def _sequence(self, closing: str, item: object) -> None:
        assert callable(item)
        self.position += 1
        while self._skip_blank() and self._peek() != closing:
            if self._peek() == ",":
                self.position += 1
            else:
                item()
        self.position += 1

    def _string(self) -> None:
        quote = self._peek()
        closing = quote * 3 if self._starts(quote * 3) else quote
        self.position += len(closing)
        while not self._starts(closing):
            self.position += 2 if quote == '"' and self._peek() == "\\" else 1
        self.position += len(closing)
        while len(closing) == 3 and self._peek() == quote:  # up to two quotes may stand before the closing ones
            self.position += 1

    def _skip_blank(self) -> bool:
        """Skips white space, line ends and comments; whether anything is left."""
        while self.position < len(self.text):
            if self._peek() == "#":
                self.position = self._end_of_line()
            elif self._peek() in " \t\r\n":
                self.position += 1
            else:
                return True
        return False

    def _skip_spaces(self) -> None:
        while self._peek() and self._peek() in " \t":
            self.position += 1

    def _end_of_line(self) -> int:
        end = self.text.find("\n", self.position)
        return len(self.text) if end < 0 else end

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _starts(self, prefix: str) -> bool:
        return self.text.startswith(prefix, self.position)


def _unquoted(token: str) -> str:
    import tomllib  # a quoted key may hold escapes, which tomllib knows best

    return str(next(iter(tomllib.loads(f"{token} = 0"))))
