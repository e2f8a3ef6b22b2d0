"""What Argo has of its own: a template of a WorkflowTemplate, between a step that writes its inputs and one that reads
its outputs.

It lies in a template that ends well however it ended: so the step after it always runs, told what it gave, or "".
Source: Argo Workflows' doc "Workflow Templates"; workflow/controller/steps.go, workflow/validate for what outputs know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from drawloom.compilers.argo.tags import arguments_of, input_tag, output_tag
from drawloom.compilers.passes.plan import Own
from drawloom.errors import CompileError, Diagnostic
from drawloom.ir.container import result_fields
from drawloom.ir.nodes import Call
from drawloom.ir.program import Program
from drawloom.ir.protocol import TRUE_TEXT, WANTED
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.walk import walk

__all__ = ["STATUS", "TOLD", "asking_template", "refuse_own", "told_text"]

# Any: Argo's objects as JSON trees

STATUS: Final = "drawloom-status"
TOLD: Final = "drawloom-told"
_PARAMETER: Final = re.compile(r"[-A-Za-z0-9_]+\Z")
_KEYS: Final = {"name": str, "template": str, "clusterScope": bool}
_FIX: Final = (
    'write `run_on_engine("argo", templateRef={"name": "<WorkflowTemplate>", "template": "<template in it>"})`'
)


def asking_template(name: str, entry: Own) -> dict[str, Any]:
    """The template around what Argo has of its own: steps, since a DAG's outputs don't know how its tasks ended.

    Args:
        name: the template's name.
        entry: of the step plan.
    """
    step: dict[str, Any] = {"name": "call", "templateRef": json.loads(entry.spec)["templateRef"]}
    if entry.inputs:
        step["arguments"] = arguments_of(**{one: input_tag(one) for one in entry.inputs})
    step["when"] = f"{input_tag(WANTED)} == {TRUE_TEXT[True]}"
    step["continueOn"] = {"failed": True, "error": True}
    outputs = [{"name": STATUS, "valueFrom": {"parameter": "{{steps.call.status}}", "default": ""}}]
    outputs += [
        {"name": one, "valueFrom": {"parameter": output_tag("call", one, "steps"), "default": ""}}
        for one in entry.results
    ]
    return {
        "name": name,
        "inputs": {"parameters": [{"name": one} for one in (WANTED, *entry.inputs)]},
        "outputs": {"parameters": outputs},
        "steps": [[step]],
    }


def told_text(entry: Own, task: str) -> str:
    """What the step after it is told: its outputs in base64, in which nothing means anything to Argo.

    Args:
        entry: of the step plan.
        task: the task that runs `asking_template`.
    """
    return ",".join(f"{one}={{{{=toBase64(tasks.{task}.outputs.parameters['{one}'])}}}}" for one in entry.results)


def refuse_own(program: Program) -> None:
    """Refuses what Argo couldn't run under the name it is given.

    Raises:
        CompileError: E737, for each call of such a task.
    """
    tasks = {task.name: task for task in program.pipeline.tasks if task.engine is not None}
    calls = [node for node in walk(program.pipeline.body) if isinstance(node, Call) and node.task in tasks]
    found = [(node, problem) for node in calls for problem in _problems(tasks[node.task])]
    if found:
        raise CompileError(
            Diagnostic(
                "E737", f"node `{node.id}` names no template of Argo's: {problem}", program.spans.get(node.id), fix
            )
            for node, (problem, fix) in found
        )


def _problems(task: TaskSpec) -> Iterator[tuple[str, str]]:
    assert task.engine is not None, "it is an engine's own"
    spec = json.loads(task.engine.spec)
    others = sorted(spec.keys() - {"templateRef"})
    if others:
        yield f"it has `{others[0]}`, and a node takes `templateRef` alone", _FIX
    reference = spec.get("templateRef")
    if not isinstance(reference, Mapping):
        yield "it has no `templateRef` with `name` and `template`", _FIX
        return
    for key, value in reference.items():
        if type(value) is not _KEYS.get(key):
            yield f"`templateRef` has `{key}`: {value!r:.80}, and takes `name`, `template` and `clusterScope`", _FIX
        elif isinstance(value, str) and (not value or "{{" in value):
            yield f"`{key}` of its `templateRef` is {value!r:.80}", _FIX
    for key in ("name", "template"):
        if key not in reference:
            yield f"its `templateRef` has no `{key}`", _FIX
    for name in [port.name for port in task.inputs] + [name for name, _ in result_fields(task.result) if name]:
        if not _PARAMETER.match(name):
            fix = "use letters of ASCII, digits and _ in the names of its parameters and results"
            yield f"no parameter of a template can be named {name!r}", fix
