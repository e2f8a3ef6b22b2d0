"""The version of a function: a digest of its code and of what of the user's it reaches.

The user's own functions, classes and constants are followed through globals, closures and module attributes; a library
is named, not followed (its version is part of the environment). What can't be resolved widens the digest to the module
it stands in, then to all of the user's files around it, and `Fingerprint.scope` says so. Standard library alone.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from drawloom.dsl.code_form import CodeForm, code_form, module_digest
from drawloom.dsl.place import function_span, refusal
from drawloom.dsl.source import class_definition, function_definition, is_users, is_users_module, module_text
from drawloom.frozen import dataclass
from drawloom.ir.canonical import Json, digest_bytes, digest_json
from drawloom.ir.envelope import NotEncodable, class_ref, encode, value_digest

__all__ = ["Fingerprint", "Reach", "fingerprint"]

# Any: the user's names may stand for anything

_OURS = {
    ("drawloom.dsl.task", "task"),
    ("drawloom.dsl.pipeline", "pipeline"),
    ("drawloom.dsl.container", "container"),
    ("drawloom.dsl.engine_node", "engine_node"),
}
_OUR_KINDS = ("drawloom.dsl.task:Task", "drawloom.dsl.pipeline:Pipeline")
_WIDTH = {"function": 0, "module": 1, "bundle": 2}
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The version of a function's code.

    Args:
        digest: SHA-256 hex.
        scope: how far it reaches: `function` (all names resolved), `module` or `bundle` (widened).
    """

    digest: str
    scope: str = "function"


def fingerprint(function: Any) -> Fingerprint:
    """The fingerprint of a task's function.

    Args:
        function: a plain Python function, decorators of the user's included.

    Raises:
        DefinitionError: it closes over run-time state (D105).
    """
    if not hasattr(function, "__wrapped__"):  # what a decorator's wrapper holds is the decorator's
        _refuse_state(function)
    reach = Reach()
    reach.function(function)
    return Fingerprint(digest_json(reach.parts), reach.scope)


def _refuse_state(function: Any) -> None:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            value = cell.cell_contents
        except ValueError:
            value = _UNBOUND
        if not _is_constant(value):
            shown = "has no value yet" if value is _UNBOUND else f"is a {type(value).__qualname__}"
            raise refusal(
                "D105",
                f"task `{function.__name__}` closes over `{name}`, which {shown} of the function around it",
                f"pass `{name}` to the task as a parameter",
                function_span(function),
            )


_UNBOUND = object()


def _is_constant(value: Any) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return all(_is_constant(v) for v in value)
    return isinstance(value, (*_IMMUTABLE, FunctionType, BuiltinFunctionType, ModuleType, type)) or (
        class_ref(type(value)) in _OUR_KINDS or isinstance(getattr(value, "__wrapped__", None), FunctionType)
    )


class Reach:
    """What a function reaches, in the order in which it is found; modules' names don't count: moving code is free.

    Attributes:
        parts: the form of each function, class and container of the user's; their digest is the function's.
        things: what each part is of. They are kept: parts are found by ids, and those are of living objects.
        named: (module, dotted name in it, value, form) of each name that was followed; for `dsl.manifest`.
        scope: how far it reaches.
    """

    def __init__(self) -> None:
        self.parts: list[Json] = []
        self.things: list[Any] = []
        self.named: list[tuple[str, str, Any, Json]] = []
        self.scope = "function"
        self._found: dict[int, int] = {}

    def widen(self, scope: str, module: Any) -> Json:
        """Take in the whole module, or all of the user's files around it."""
        if _WIDTH[scope] > _WIDTH[self.scope]:
            self.scope = scope
        text = module_text(module)
        if scope == "module" and text is not None:
            return ["module", module_digest(text)]
        self.scope = "bundle"
        return ["bundle", *_files_around(module)]

    # things that have parts of their own

    def function(self, function: Any) -> Json:
        """A function of the user's."""
        return self._part(function, lambda: self._function_form(function))

    def _function_form(self, function: Any) -> Json:
        module = sys.modules.get(function.__module__)
        form = _function_code(function.__code__, _own_decorators(function.__globals__))
        if form is None:
            wide = self.widen("bundle", module)
            self.named.append((function.__module__ or "", "*", module, wide))
            return ["function", _bytecode(function.__code__), wide]
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
        found = function.__globals__
        names = {name: _cell(cells[name]) if name in cells else found.get(name, _UNBOUND) for name in form.names}
        reached = self._names(form, names, module)
        if form.defaults:  # they were made when the function was: what their names stand for may be gone, or another
            for name, value in _default_values(function):
                reached[f"{name}="] = self.value(value, module)
                spelled = f"{function.__qualname__}.{name}"
                self.named.append((function.__module__ or "", spelled, value, reached[f"{name}="]))
        return ["function", form.digest, reached]

    def cls(self, cls: Any) -> Json:
        """A class of the user's."""
        return self._part(cls, lambda: self._class_form(cls))

    def _class_form(self, cls: Any) -> Json:
        module = sys.modules.get(cls.__module__)
        form = _class_code(cls)
        inner = "<locals>" in cls.__qualname__  # what the function around it bound for it may come from anywhere
        if form is None:
            wide = self.widen("bundle" if inner else "module", module)
            self.named.append((cls.__module__, "*", module, wide))
            return ["class", class_ref(cls), wide]
        found = vars(module) if module is not None else {}
        names = {name: found.get(name, _UNBOUND) for name in form.names}
        reached = self._names(form, names, module)
        if inner and any(value is _UNBOUND and not hasattr(builtins, name) for name, value in names.items()):
            reached["*"] = self.widen("bundle", module)
            self.named.append((cls.__module__, "*", module, reached["*"]))
        return ["class", class_ref(cls), form.digest, reached]

    def _part(self, thing: Any, make: Any) -> Json:
        """The number of a part; made when it is met first, so that parts may reach each other."""
        number = self._found.get(id(thing))
        if number is None:
            number = self._found[id(thing)] = len(self.parts)
            self.things.append(thing)
            self.parts.append(None)
            self.parts[number] = make()
        return ["part", number]

    def _names(self, form: CodeForm, values: dict[str, Any], module: Any) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for chain in form.chains or ():
            value, rest = values[chain[0]], list(chain[1:])
            if value is _UNBOUND and hasattr(builtins, chain[0]):
                found[chain[0]] = ["builtin", chain[0]]
                continue
            holder, own = module, chain[0]
            while rest and isinstance(value, ModuleType) and is_users_module(value):
                holder, own = value, rest.pop(0)
                value = getattr(value, own, _UNBOUND)
            spelled = ".".join(chain[: len(chain) - len(rest)])
            if spelled not in found and not (value is _UNBOUND and chain[0] in form.optional):
                found[spelled] = self.value(value, module)
                self.named.append((getattr(holder, "__name__", ""), own, value, found[spelled]))
        if form.dynamic or any(_imports_users(name) for name in form.imports):
            found["*"] = self.widen("bundle", module)
            self.named.append((getattr(module, "__name__", ""), "*", module, found["*"]))
        return found

    def value(self, value: Any, module: Any) -> Json:
        """What a name stands for; `module` is where it is read, and what an unknown thing widens to."""
        if isinstance(value, ModuleType):
            return self.widen("module", value) if is_users_module(value) else ["library", value.__name__]
        if class_ref(type(value)) in _OUR_KINDS:
            return self.function(value.function)
        if isinstance(value, FunctionType):
            return self.function(value) if is_users(value.__code__.co_filename) else ["library", _named(value)]
        if isinstance(value, type):
            return self.cls(value) if is_users_module(sys.modules.get(value.__module__)) else ["library", _named(value)]
        if isinstance(value, BuiltinFunctionType) and isinstance(value.__self__, (ModuleType, type(None))):
            return ["library", _named(value)]
        return self._instance(value, module)

    def _instance(self, value: Any, module: Any) -> Json:
        kind = class_ref(type(value))
        if isinstance(getattr(value, "__wrapped__", None), FunctionType):  # functools.cache and the like
            return ["wrapped", kind, self.value(value.__wrapped__, module)]
        if isinstance(value, MethodType):
            return ["method", self.value(value.__func__, module), self.value(value.__self__, module)]
        if kind == "functools:partial":
            parts = (value.func, list(value.args), value.keywords)
            return ["partial", *(self.value(part, module) for part in parts)]
        if kind == "re:Pattern":
            return ["pattern", repr(value.pattern), value.flags]
        if kind == "logging:Logger" or kind.partition(":")[0] in ("_thread", "threading"):  # they hold no meaning
            return ["library", kind]
        if kind.partition(":")[0] in ("typing", "types") and value is not _UNBOUND:
            return ["type", repr(value)]
        try:
            digest = value_digest(encode(value)) if value is not _UNBOUND else ""
        except NotEncodable:
            digest = ""
        if not digest:
            return self._opaque(value, module)
        own = is_users_module(sys.modules.get(type(value).__module__)) and not isinstance(value, _IMMUTABLE)
        return ["constant", digest, self.cls(type(value)) if own else None]

    def _opaque(self, value: Any, module: Any) -> Json:
        """What no envelope can hold: by its parts where they can be seen, else by all of the user's code.

        Not by the module it is read in: what made it may lie in any other one.
        """
        if value is _UNBOUND:  # the module may yet define it
            return self.widen("module", module)
        kind = class_ref(type(value))
        if type(value) in (list, tuple):
            return self._part(value, lambda: ["items", kind, [self.value(v, module) for v in value]])
        if type(value) is dict:
            items = list(value.items())
            return self._part(value, lambda: ["items", kind, [[self.value(p, module) for p in pair] for pair in items]])
        if is_users_module(sys.modules.get(type(value).__module__)):
            state = {name: getattr(value, name) for name in _attribute_names(value) if hasattr(value, name)}
            return self._part(
                value,
                lambda: [
                    "instance",
                    self.cls(type(value)),
                    {n: self.value(v, module) for n, v in sorted(state.items())},
                ],
            )
        return self.widen("bundle", module)


def _attribute_names(value: Any) -> set[str]:
    """The names of an instance's own attributes, in its `__dict__` or in slots."""
    slots = (getattr(cls, "__slots__", ()) for cls in type(value).__mro__)
    slotted = {name for names in slots for name in ((names,) if isinstance(names, str) else names)}
    return {*getattr(value, "__dict__", ()), *slotted} - {"__dict__", "__weakref__"}


def _named(value: Any) -> str:
    """A library's function or class: by its package, for which module of it is nobody's business (`pathlib._local`)."""
    package = (getattr(value, "__module__", None) or "builtins").partition(".")[0].lstrip("_")
    return f"{package}:{getattr(value, '__qualname__', value.__name__)}"


def _default_values(function: Any) -> Iterator[tuple[str, Any]]:
    """The parameters of a function that have defaults, with these."""
    code, values = function.__code__, function.__defaults__ or ()
    yield from zip(code.co_varnames[code.co_argcount - len(values) : code.co_argcount], values)
    yield from sorted((function.__kwdefaults__ or {}).items())


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return _UNBOUND


def _own_decorators(names: dict[str, Any]) -> frozenset[str]:
    """How the decorators of drawloom are spelled in a module."""
    found = set()
    for name, value in list(names.items()):
        if isinstance(value, FunctionType) and (value.__module__, value.__qualname__) in _OURS:
            found.add(name)
        elif isinstance(value, ModuleType) and value.__name__ == "drawloom":
            found |= {f"{name}.task", f"{name}.pipeline", f"{name}.container", f"{name}.engine_node"}
    return frozenset(found)


# forms are kept by the identity of the code object: equal text on equal lines of two files gives *equal* code objects
_FUNCTIONS: dict[int, tuple[CodeType, CodeForm | None]] = {}
_CLASSES: WeakKeyDictionary[type, CodeForm | None] = WeakKeyDictionary()


def _function_code(code: CodeType, ours: frozenset[str]) -> CodeForm | None:
    known = _FUNCTIONS.get(id(code))
    if known is None:
        definition = function_definition(code)
        form = None if definition is None else code_form(definition.text, definition.node, ours)
        known = _FUNCTIONS[id(code)] = (code, form)
    return known[1]


def _class_code(cls: type) -> CodeForm | None:
    if cls not in _CLASSES:
        definition = class_definition(cls)
        _CLASSES[cls] = None if definition is None else code_form(definition.text, definition.node)
    return _CLASSES[cls]


def _bytecode(code: CodeType) -> Json:
    """A digest for code without source (a REPL): differs between Python versions, and says so by its scope."""
    consts = [_bytecode(c) if isinstance(c, CodeType) else _shown(c) for c in code.co_consts]
    return [digest_bytes(code.co_code), list(code.co_names), list(code.co_varnames), consts]


def _shown(value: Any) -> str:
    return f"frozenset({sorted(map(repr, value))})" if isinstance(value, frozenset) else repr(value)


def _imports_users(name: str) -> bool:
    """Whether an import inside a function is of a module of the user's, loaded or not."""
    top = name.partition(".")[0]
    if not top:
        return True  # relative
    if top in sys.stdlib_module_names or top == "drawloom":
        return False
    from importlib.machinery import PathFinder  # lazy: imports inside functions of non-standard modules are rare

    spec = PathFinder.find_spec(top)
    if spec is None:
        return False
    return any(is_users(place) for place in ([spec.origin] if spec.origin else spec.submodule_search_locations or []))


def _files_around(module: Any) -> Iterator[Json]:
    """(relative path, digest) of every Python file below the folder that the module's top package lies in."""
    filename = getattr(module, "__file__", None)
    if filename is None:
        return
    root = os.path.dirname(os.path.abspath(filename))
    for _ in range((module.__package__ or "").count(".") + bool(module.__package__)):
        root = os.path.dirname(root)
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in ("__pycache__", "node_modules"))
        if "pyvenv.cfg" in files:
            folders[:] = []
            continue
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".py") and is_users(path):
                yield [os.path.relpath(path, root).replace(os.sep, "/"), _file_digest(path)]


_FORMS: dict[str, str] = {}  # digest of a file's bytes -> that of its form: a process may trace again and again


def _file_digest(path: str) -> str:
    with open(path, "rb") as file:
        data = file.read()
    whole = digest_bytes(data)
    if whole not in _FORMS:
        try:
            _FORMS[whole] = module_digest(data.decode("utf-8"))
        except (SyntaxError, ValueError):
            _FORMS[whole] = whole
    return _FORMS[whole]
