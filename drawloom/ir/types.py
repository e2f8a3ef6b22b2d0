"""Port types: what a value on an edge may be, as data.

A `Type` names a type without holding a live Python class, so that it can be printed, digested and read where the
user's modules are not installed. `drawloom.dsl.signature` makes them from annotations; `drawloom.ir.assign`
decides which may flow into which. Standard library alone: a step loads this module.
"""

from __future__ import annotations

from typing import Final

from drawloom.frozen import dataclass

__all__ = ["ANY", "BOOL", "FLOAT", "INT", "NEVER", "NONE", "STR", "TYPE_NAMES", "Type"]

# name -> how many type arguments it takes (None: any number)
TYPE_NAMES: Final[dict[str, int | None]] = {
    "any": 0,
    "none": 0,
    "bool": 0,
    "int": 0,
    "float": 0,
    "str": 0,
    "bytes": 0,
    "datetime": 0,
    "date": 0,
    "time": 0,
    "timedelta": 0,
    "decimal": 0,
    "uuid": 0,
    "literal": 0,  # `values` holds the canonical JSON of each allowed value
    "enum": 0,  # `ref`; `values` holds the member names
    "union": None,
    "list": 1,
    "set": 1,
    "frozenset": 1,
    "dict": 2,
    "tuple": None,  # tuple[A, B]
    "tuple_of": 1,  # tuple[A, ...]
    "dataclass": 0,  # `ref`, `fields`
    "namedtuple": 0,  # `ref`, `fields`
    "pydantic": 0,  # `ref`, `fields`
    "typeddict": 0,  # `ref`, `fields`
    "ndarray": 0,
    "dataframe": 0,  # pandas; `fields` is the column schema, empty if not declared
    "series": 0,
    "arrow_table": 0,
    "polars": 0,
    "file": 0,
    "directory": 0,
    "external": 0,
    "secret": 0,
    "model": 0,  # a scikit-learn estimator; `ref` is the class, "" for any
    "figure": 0,  # a matplotlib figure
    "failure": 0,  # what a `try_` handler is given
    "object": 0,  # a class with an explicitly named codec; `ref` is the class
}


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a port.

    Args:
        name: a key of `TYPE_NAMES`.
        args: type arguments (`list[int]` has one).
        ref: `module:qualname` of the class, for the names that stand for a class of the user's.
        fields: (field name, type) in order, for records; (column, type) for tables with a declared schema.
        values: canonical JSON texts of a literal's values, or an enum's member names.
        codec: the name of an explicitly chosen codec, "" for the type's own.
        bases: `module:qualname` of the bases of the class `ref`, nearest first, `builtins:object` left out: what a
            value of this type may also be passed as.
    """

    name: str
    args: tuple[Type, ...] = ()
    ref: str = ""
    fields: tuple[tuple[str, Type], ...] = ()
    values: tuple[str, ...] = ()
    codec: str = ""
    bases: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.name == "union":
            return " | ".join(str(a) for a in self.args) or "Never"
        if self.name == "literal":
            return f"Literal[{', '.join(self.values)}]"
        if self.name == "none":
            return "None"
        if self.name == "tuple_of":
            return f"tuple[{self.args[0]}, ...]"
        if self.ref:
            return self.ref.partition(":")[2]
        if self.args:
            return f"{self.name}[{', '.join(str(a) for a in self.args)}]"
        return _DISPLAY.get(self.name, self.name)


_DISPLAY: Final = {
    "any": "Any",
    "dataframe": "DataFrame",
    "series": "Series",
    "arrow_table": "pyarrow.Table",
    "polars": "polars.DataFrame",
    "file": "File",
    "directory": "Directory",
    "external": "External",
    "secret": "Secret",
    "decimal": "Decimal",
    "uuid": "UUID",
    "model": "Estimator",
    "figure": "Figure",
    "failure": "Failure",
    "tuple": "tuple[()]",
}

ANY: Final = Type("any")
NEVER: Final = Type("union")  # a union of nothing: of what can't be; it fits everything
NONE: Final = Type("none")
BOOL: Final = Type("bool")
INT: Final = Type("int")
FLOAT: Final = Type("float")
STR: Final = Type("str")
