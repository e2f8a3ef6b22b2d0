"""The step before what an engine has of its own: tells the engine whether to run it, and what it is given, as texts.

--store URL --project P --run REF --step ID --index 0,3 --attempt N --out DIR [--after done|ended] [--texts verbatim]

`--texts verbatim`: the engine takes a text as it is; others read `{{` in it as a template, and cut off one line end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from drawloom.catalog.records import Index
from drawloom.errors import Diagnostic, DrawloomError, NodeFailed
from drawloom.ir.container import input_kind
from drawloom.ir.protocol import DONE, FAILED_FINAL, SKIPPED, WANTED, parse_indices
from drawloom.runtimes.attempt import AttemptResult, decoded_inputs, describe_failure
from drawloom.runtimes.call import Instance, prepared
from drawloom.runtimes.context import StepContext
from drawloom.runtimes.plain_text import plain_text
from drawloom.runtimes.step import LOST, STEP_OPTIONS, is_started_late, opened, out_of_time, read_options

__all__ = ["main"]

_LIMIT_BYTES = 64 * 1024  # of all inputs: they become part of the engine's own object, which takes 1 MiB in Argo


def main(arguments: Sequence[str]) -> int:
    """Evaluates the inputs and writes them for the engine.

    Returns:
        An exit code of `ir.protocol`; 1 if the step couldn't do its work.
    """
    try:
        options = read_options(arguments, STEP_OPTIONS, optional=("after", "texts"))
        (index,) = parse_indices(options["index"])
        return _give(opened(options), index, verbatim=options.get("texts") == "verbatim")
    except DrawloomError as error:
        print(error, file=sys.stderr)
        return LOST


def _give(step: StepContext, index: Index, *, verbatim: bool) -> int:
    assert step.slice.task is not None, "such a step's slice has its task"
    texts = {port.name: "" for port in step.slice.task.inputs}  # the engine reads them whatever comes
    code, wanted = DONE, False
    if is_started_late(step, (index,)):
        code = FAILED_FINAL
    elif not step.is_wanted(index):
        code = SKIPPED
    else:
        step.begin_anew(index)
        late = out_of_time(step)
        found = prepared(step, index) if late is None else late
        begun = _begun(found, texts, verbatim=verbatim) if isinstance(found, Instance) else found
        wanted = begun is None
        code = DONE if begun is None else begun
    step.write_flag(WANTED, wanted)
    for name, text in texts.items():
        step.write_output(name, text if verbatim else f"{text}\n")
    return code


def _begun(instance: Instance, texts: dict[str, str], *, verbatim: bool) -> int | None:
    """Begins an attempt and fills in the texts; gives an exit code of `ir.protocol` if there is nothing to run."""
    started = instance.begin()
    if isinstance(started, int):
        return started
    try:
        texts.update(_texts(instance, verbatim=verbatim))
    except Exception as exception:  # noqa: BLE001  # a value of the user's may fail in any way
        return instance.end(started, AttemptResult("failed", None, describe_failure(exception), exception))
    return None


def _texts(instance: Instance, *, verbatim: bool) -> dict[str, str]:
    spec = instance.spec
    given = decoded_inputs(spec, instance.inputs, instance.step.values)
    made = {}
    for port in spec.inputs:
        kind = input_kind(port.type)
        try:
            text = plain_text(given[port.name], kind)
            text.encode("utf-8")
        except ValueError as error:
            raise _not_handed(instance, port.name, f"no text can hold it: {error}") from None
        if verbatim:
            made[port.name] = text
            continue
        if kind == "json":
            text = text.replace("{{", "{\\u007b")  # it stands in a text, and JSON lets a letter be spelled so
        if "{{" in text:
            raise _not_handed(instance, port.name, "it has `{{`, which the engine would read as a template")
        made[port.name] = text
    size = sum(len(text.encode("utf-8")) for text in made.values())
    if size > _LIMIT_BYTES:
        largest = max(made, key=lambda name: len(made[name]))
        raise _not_handed(instance, largest, f"the inputs have {size:,} bytes; the engine takes {_LIMIT_BYTES:,}")
    return made


def _not_handed(instance: Instance, name: str, why: str) -> NodeFailed:
    return NodeFailed(
        Diagnostic(
            "R564",
            f"the input `{name}` of task `{instance.spec.name}` can't be handed to the engine: {why}",
            None,
            "hand over the place of the value instead: a path, a key, a number",
        )
    )
