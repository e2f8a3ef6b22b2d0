"""Patches: changes to the objects that the compiler has made, for what drawloom has no option for.

They are typed (`Patch`), they must match something, and what comes of them is checked: a field that Argo doesn't have
is told with its path, and a broken reference as the compiler's own would be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, Final

from drawloom.errors import CompileError, Diagnostic, did_you_mean

__all__ = ["PATCH_FIX", "Patch", "patched", "read_patches"]

# Any: Argo's objects as JSON trees

_OBJECTS: Final = ("Workflow", "WorkflowTemplate", "CronWorkflow")
_TEMPLATE: Final = "template"
PATCH_FIX: Final = "correct the patch; the fields are those of Argo's field reference"
_FIX: Final = 'write `Patch(on="template", name="step*", merge={...})`'


@dataclass(frozen=True, slots=True)
class Patch:
    """A change to each object, or to each template, whose name fits.

    Args:
        on: `template`, or the kind of an object: `Workflow`, `WorkflowTemplate`, `CronWorkflow`.
        name: the name it must have; `*`, `?` and `[...]` as in a shell. An object that Kubernetes gives its name to is
            known by the beginning, `generateName`.
        merge: a JSON merge patch (RFC 7396): mappings are merged, None takes a field away, anything else replaces it.
        operations: a JSON patch (RFC 6902), after that: `{"op": "add", "path": "/container/env/-", "value": {...}}`.
    """

    on: str
    name: str = "*"
    merge: Mapping[str, Any] = field(default_factory=dict)
    operations: Sequence[Mapping[str, Any]] = ()

    def __str__(self) -> str:
        return f"Patch(on={self.on!r}, name={self.name!r})"


def read_patches(given: Sequence[Patch | Mapping[str, Any]]) -> tuple[Patch, ...]:
    """Patches from Python, or from the tables of a project file.

    Raises:
        CompileError: E733, one isn't a patch.
    """
    if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
        raise _bad(f"`patches` is {given!r:.60}, and must be a list of patches")
    return tuple(_read(one) for one in given)


def _read(given: Patch | Mapping[str, Any]) -> Patch:
    if isinstance(given, Mapping):
        names = [one.name for one in fields(Patch)]
        for name in given:
            if name not in names:
                raise _bad(f"a patch has no `{name}`{did_you_mean(str(name), names)}", f"it has {', '.join(names)}")
        if "on" not in given:
            raise _bad("a patch doesn't say what it is `on`")
        given = Patch(**given)
    if not isinstance(given, Patch):
        raise _bad(f"{given!r:.60} is no patch")
    if given.on not in (_TEMPLATE, *_OBJECTS):
        what = f"a patch is on {given.on!r:.60}{did_you_mean(str(given.on), (_TEMPLATE, *_OBJECTS))}"
        raise _bad(what, f"name one of {', '.join((_TEMPLATE, *_OBJECTS))}")
    is_list = isinstance(given.operations, Sequence) and not isinstance(given.operations, str)
    if not isinstance(given.name, str) or not isinstance(given.merge, Mapping) or not is_list:
        raise _bad(f"{given} needs a text as `name`, a mapping as `merge`, a list as `operations`")
    if not given.merge and not given.operations:
        raise _bad(f"{given} changes nothing", "give it `merge` or `operations`")
    return given


def patched(objects: Mapping[str, dict[str, Any]], patches: Sequence[Patch]) -> dict[str, dict[str, Any]]:
    """The objects with the patches on them, one after the other.

    Args:
        objects: file name -> object.
        patches: what `read_patches` gave.

    Raises:
        CompileError: E733, a patch fits nothing, or can't be made; E734, an object has a field then that Argo hasn't,
            or a value of another type.
    """
    if not patches:
        return dict(objects)
    made = deepcopy(dict(objects))
    for patch in patches:
        places = list(_places(made, patch))
        if not places:
            names = sorted({name for _, _, name in _all_places(made, patch.on)})
            what = f"{patch} fits nothing{did_you_mean(patch.name, names)}"
            raise _bad(what, f"there is {', '.join(names[:8]) or 'nothing of that kind'}{', ...' * (len(names) > 8)}")
        for holder, key, _ in places:
            holder[key] = _changed(holder[key], patch)
    from drawloom.compilers.argo.fields import field_problems

    problems = [problem for one in made.values() for problem in field_problems(one)]
    if problems:
        raise CompileError(Diagnostic("E734", f"after the patches {problem}", None, PATCH_FIX) for problem in problems)
    return made


_Place = tuple[Any, Any, str]  # a holder, its key, and the name of what is there


def _places(objects: dict[str, dict[str, Any]], patch: Patch) -> Iterator[_Place]:
    return (place for place in _all_places(objects, patch.on) if fnmatchcase(place[2], patch.name))


def _all_places(objects: dict[str, dict[str, Any]], on: str) -> Iterator[_Place]:
    for file, one in objects.items():
        if on == _TEMPLATE:
            spec = one.get("spec", {})
            templates = spec.get("workflowSpec", spec).get("templates", ())
            yield from ((templates, number, str(each.get("name"))) for number, each in enumerate(templates))
        elif one.get("kind") == on:
            metadata = one.get("metadata", {})
            yield objects, file, str(metadata.get("name", metadata.get("generateName", "")))


def _changed(tree: Any, patch: Patch) -> Any:
    made = _merged(tree, patch.merge)
    if patch.operations:
        try:
            from jsonpatch import JsonPatch, JsonPatchException
            from jsonpointer import JsonPointerException
        except ImportError:
            fix = "install it: pip install 'drawloom[argo]'"
            raise _bad(f"{patch} has operations, and jsonpatch isn't installed", fix) from None
        try:
            made = JsonPatch([dict(one) for one in patch.operations]).apply(made)
        except (JsonPatchException, JsonPointerException, TypeError, ValueError, KeyError) as error:
            raise _bad(f"{patch} can't be made: {error}", "see that its paths are there") from error
    if not isinstance(made, Mapping):
        raise _bad(f"{patch} leaves no mapping")
    return made


def _merged(tree: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, Mapping):
        return deepcopy(patch)
    made = dict(tree) if isinstance(tree, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = _merged(made.get(name), value)
    return made


def _bad(what: str, fix: str = _FIX) -> CompileError:
    return CompileError(Diagnostic("E733", what, None, fix))
