"""Texts and JSON trees as values of an annotated type.

Exact where pydantic would guess: a number is no date, `1.0` is no int, `y` is no bool. pydantic reads the users' own
models and what its constraints (`Annotated[int, Field(gt=0)]`) say.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NotRequired, Required, get_args, get_origin, get_type_hints

from drawloom.parameters.forms import container, describe, members, plain, record_maker
from drawloom.parameters.scalars import ReadingError, literal_has_member, read_literal, text_reader

__all__ = ["ReadingError", "describe", "read_json", "read_text", "read_texts", "takes_many"]

Reader = Callable[[Any, Any], Any]  # (text or tree, annotation) -> value


def takes_many(annotation: Any) -> bool:  # Any here and below: an annotation may be any object
    """Whether several texts make one value: lists, sets and tuples."""
    options = [m for m in members(annotation) if plain(m) not in (None, types.NoneType)] or [annotation]
    return len(options) == 1 and container(options[0]) in (list, set, frozenset, tuple)


def read_texts(texts: Sequence[str], annotation: Any) -> Any:
    """The value that one or more texts stand for: a list's items, or one text for the whole.

    Args:
        texts: what was given for one parameter, in order, at least one.
        annotation: the parameter's type.

    Raises:
        ReadingError: a text is no value of the type, or there are several for a type of one.
    """
    if takes_many(annotation) and (len(texts) > 1 or not _is_json_text(texts[0], annotation)):
        options = [m for m in members(annotation) if plain(m) not in (None, types.NoneType)]
        return _read_items(texts, options[0] if options else annotation)
    if len(texts) > 1:
        fix = "give it once"
        raise ReadingError(describe(annotation), f"{len(texts)} values: {', '.join(map(repr, texts))}", "", fix)
    return read_text(texts[0], annotation)


def _is_json_text(text: str, annotation: Any) -> bool:
    """Whether a single text for a list is the whole of it."""
    none_fits = text == "null" and bool(members(annotation))
    return text.startswith("[") or none_fits or _file_of(text) is not None


def _read_items(texts: Sequence[str], annotation: Any) -> Any:
    kind, args = container(annotation), get_args(plain(annotation))
    if kind is tuple and args and args[-1] is not ...:
        if len(args) != len(texts):
            raise ReadingError(
                describe(annotation), f"{len(texts)} values", "", f"give it {len(args)} times, or as JSON"
            )
        return tuple(_at(f"[{i}]", read_text, t, a) for i, (t, a) in enumerate(zip(texts, args, strict=True)))
    item = args[0] if args else Any
    return _constrained(kind(_at(f"[{i}]", read_text, text, item) for i, text in enumerate(texts)), annotation)


def _at(path: str, read: Reader, given: Any, annotation: Any) -> Any:
    try:
        return read(given, annotation)
    except ReadingError as error:
        raise ReadingError(error.expected, error.got, path + error.path, error.fix) from error


def _file_of(text: str) -> str | None:
    """The path in `@values.json`; any other text, and `@@values.json`, stands for itself."""
    return text[1:] if text.startswith("@") and not text.startswith("@@") and text.endswith(".json") else None


def read_text(text: str, annotation: Any) -> Any:
    """The value a text stands for: plain for scalars, JSON for anything with parts, `@file.json` for a file's JSON.

    Args:
        text: what was typed; `@@x.json` stands for the text `@x.json`.
        annotation: the type of the value.

    Returns:
        A value of that type.

    Raises:
        ReadingError: the text is none.

    >>> read_text("12", int | str)
    12
    """
    path = _file_of(text)
    if path is not None:
        return read_json(_load_file(path), annotation)
    if text.startswith("@@") and text.endswith(".json"):
        text = text[1:]
    bare = plain(annotation)
    if members(bare):
        return _constrained(
            _first_fitting(text, _text_members(bare), describe(bare), read_text, repr(text)), annotation
        )
    reader = text_reader(bare)
    if reader is not None:
        return _constrained(reader(text, bare), annotation)
    if not _has_parts(bare):
        _adapter(bare)
    return read_json(_parse(text, annotation), annotation)


def _load_file(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise ReadingError(
            f"a JSON file at {path!r}", f"{reason}", "", "name a readable UTF-8 file after the @"
        ) from None
    try:
        return json.loads(text)
    except ValueError as error:
        raise ReadingError(f"JSON in {path!r}", str(error), "", "mend the file; it must be one JSON value") from None


def _parse(text: str, annotation: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        fix = "write it as JSON in quotes for the shell, or put it into a file and give `@file.json`"
        raise ReadingError(f"{describe(annotation)} as JSON", repr(text), "", fix) from None


def read_json(tree: Any, annotation: Any) -> Any:
    """The value a JSON tree stands for.

    Args:
        tree: what `json.loads` gives.
        annotation: the type of the value: dates, decimals and enum members are texts in JSON, files are paths.

    Raises:
        ReadingError: the tree is no value of that type.

    >>> from decimal import Decimal
    >>> read_json({"a": ["1.10"]}, dict[str, tuple[Decimal, ...]])
    {'a': (Decimal('1.10'),)}
    """
    bare = plain(annotation)
    if members(bare):
        return _constrained(_first_fitting(tree, members(bare), describe(bare), read_json, _shown(tree)), annotation)
    return _constrained(_read_tree(tree, bare), annotation)


def _read_tree(tree: Any, bare: Any) -> Any:
    if bare in (Any, object):
        return tree
    if bare in (None, types.NoneType):
        return _exactly(tree, tree is None, bare)
    if bare in (bool, int, str):
        return _exactly(tree, type(tree) is bare, bare)
    if bare is float:
        return float(_exactly(tree, type(tree) in (int, float), bare))
    if get_origin(bare) is Literal:
        fits = any(type(tree) is type(value) and tree == value for value in get_args(bare))
        return _exactly(tree, fits, bare) if not literal_has_member(bare) else read_literal(str(tree), bare)
    reader = text_reader(bare)
    if reader is not None:
        from decimal import Decimal

        number = bare is Decimal and type(tree) in (int, float)
        return reader(str(_exactly(tree, isinstance(tree, str) or number, bare)), bare)
    return _read_parts(tree, bare)


def _has_parts(bare: Any) -> bool:
    known = (list, set, frozenset, tuple, dict)
    return bare in (Any, object) or container(bare) in known or record_maker(bare) is not None


def _exactly(tree: Any, fits: bool, bare: Any) -> Any:
    if not fits:
        raise ReadingError(describe(bare), _shown(tree))
    return tree


def _read_parts(tree: Any, bare: Any) -> Any:
    kind = container(bare)
    args = get_args(bare)
    if kind in (list, set, frozenset, tuple):
        return _read_sequence(_exactly(tree, isinstance(tree, list), bare), kind, args, bare)
    if kind is dict:
        _exactly(tree, isinstance(tree, dict), bare)
        key, value = args or (str, Any)
        return {_at(f" key {k!r}", _read_key, k, key): _at(f"[{k!r}]", read_json, v, value) for k, v in tree.items()}
    maker = record_maker(bare)
    if maker is not None:
        return _read_record(_exactly(tree, isinstance(tree, dict), bare), bare, maker)
    return _by_pydantic(tree, bare)


def _read_key(text: str, annotation: Any) -> Any:
    bare = plain(annotation)
    reader = text_reader(bare)
    if reader is None:
        raise ReadingError(f"a key that is {describe(bare)}", "a text", "", "give the value as another type of dict")
    return reader(text, bare)


def _read_sequence(tree: list[Any], kind: Any, args: tuple[Any, ...], bare: Any) -> Any:
    if kind is tuple and args and args[-1] is not ...:
        _exactly(tree, len(tree) == len(args), bare)
        return tuple(_at(f"[{i}]", read_json, t, a) for i, (t, a) in enumerate(zip(tree, args, strict=True)))
    item = args[0] if args else Any
    return kind(_at(f"[{i}]", read_json, part, item) for i, part in enumerate(tree))


def _read_record(tree: Mapping[str, Any], bare: Any, maker: Callable[..., Any]) -> Any:
    hints = get_type_hints(bare, include_extras=True)
    unknown = sorted(set(tree) - set(hints))
    if unknown:
        raise ReadingError(f"{describe(bare)} with the fields {', '.join(hints)}", f"the unknown field {unknown[0]!r}")
    fields = {name: _at(f".{name}", read_json, value, hints[name]) for name, value in tree.items()}
    absent = sorted(_required_keys(bare, hints) - set(tree))
    if absent:
        raise ReadingError(describe(bare), f"no field {absent[0]!r}")
    try:
        return maker(**fields)
    except (TypeError, ValueError) as error:
        raise ReadingError(describe(bare), str(error).replace(f"{bare.__name__}.__init__() ", "")) from error


def _text_members(union: Any) -> list[Any]:
    """The alternatives a text is tried as: not None where str is one, for then `null` is a text like any other."""
    options = list(members(union))
    return [m for m in options if plain(m) not in (None, types.NoneType)] if str in map(plain, options) else options


def _required_keys(bare: Any, hints: Mapping[str, Any]) -> set[str]:
    """The keys a typed dict needs; where annotations are texts, its `__required_keys__` knows no `NotRequired`."""
    keys: frozenset[str] = getattr(bare, "__required_keys__", frozenset())
    return {
        name
        for name, hint in hints.items()
        if get_origin(hint) is Required or (name in keys and get_origin(hint) is not NotRequired)
    }


def _first_fitting(given: Any, options: Sequence[Any], expected: str, read: Reader, shown: str) -> Any:
    """The first alternative that fits, narrow ones first: any text is a str, so str comes last."""
    for member in sorted(options, key=lambda m: _BREADTH.get(plain(m), 3)):
        try:
            return read(given, member)
        except ReadingError:
            continue
    raise ReadingError(expected, shown)


_BREADTH: Final[dict[Any, int]] = {types.NoneType: 0, bool: 0, int: 1, float: 2, str: 4}


def _constrained(value: Any, annotation: Any) -> Any:
    """`value`, once the constraints in `Annotated` (pydantic's, annotated_types') accept it."""
    if get_origin(annotation) is not Annotated:
        return value
    known = [m for m in get_args(annotation)[1:] if type(m).__module__.split(".")[0] in ("pydantic", "annotated_types")]
    if not known:
        return value
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Annotated[Any, *known]).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise ReadingError(f"{describe(annotation)}: {first['msg'].lower()}", _shown(value)) from None


def _by_pydantic(tree: Any, bare: Any) -> Any:
    from pydantic import ValidationError

    try:
        return _adapter(bare).validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"])
        raise ReadingError(f"{describe(bare)}: {first['msg'].lower()}", _shown(first["input"]), path) from None


def _adapter(bare: Any) -> Any:
    """pydantic's reader for a type that is neither a container, a record nor a scalar.

    Raises:
        ReadingError: pydantic knows no form of it either: a frame, an array, a model.
    """
    from pydantic import PydanticSchemaGenerationError, TypeAdapter

    try:
        return TypeAdapter(bare)
    except PydanticSchemaGenerationError:
        fix = "make the parameter a File, and read it in a task"
        raise ReadingError(describe(bare), "a text, and no text can stand for it", "", fix) from None


def _shown(tree: Any) -> str:
    try:
        return json.dumps(tree, ensure_ascii=False)
    except (TypeError, ValueError):
        return repr(tree)
