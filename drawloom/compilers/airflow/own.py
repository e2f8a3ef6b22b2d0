"""What Airflow has of its own: an operator, between a step that gives its inputs and one that reads its result.

    run_on_engine("airflow", operator="airflow.providers.http.operators.http.HttpOperator",
                  http_conn_id="warehouse", endpoint="refresh", data={"day": "{{ inputs.day }}"})

Its arguments are the user's own, templates of Airflow's included; `{{ inputs.NAME }}` stands for an input, and works
where Airflow renders: in the operator's template fields. The operator runs if the step before says so, and the step
after it runs in any case. Source: Airflow's docs "Operators: Templating", `BaseOperator.pre_execute`, `post_execute`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from drawloom.compilers.emit.python import Source
from drawloom.compilers.features import is_ordered
from drawloom.errors import CompileError, Diagnostic
from drawloom.ir.nodes import Call, Loop, Map, Node
from drawloom.ir.program import Program
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.walk import blocks, walk

__all__ = ["operator_arguments", "operator_class", "refuse_own"]

# Any: JSON as the user writes it

_CLASS: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\Z", re.ASCII)
_INPUT: Final = re.compile(r"\{\{\s*inputs\.([^\W\d]\w*)\s*\}\}")
_OURS: Final = ("task_id", "trigger_rule", "pre_execute", "post_execute", "do_xcom_push", "dag", "task_group")
_FIX: Final = 'write `run_on_engine("airflow", operator="airflow.providers....", ...)`, with the arguments Airflow has'


def operator_class(spec: str) -> tuple[str, str]:
    """The module and the name of the operator that a spec names."""
    module, _, name = str(json.loads(spec)["operator"]).rpartition(".")
    return module, name


def operator_arguments(spec: str, give: str) -> dict[str, Any]:
    """The arguments of the operator.

    Args:
        spec: of the node.
        give: the id of the task that gives the inputs.
    """
    arguments = json.loads(spec)
    del arguments["operator"]
    made = {name: _with_inputs(value, give) for name, value in arguments.items()}
    return made | {
        "trigger_rule": "all_done",
        "pre_execute": Source(f'wanted("{give}")'),
        "post_execute": Source("ended"),
    }


def _with_inputs(value: Any, give: str) -> Any:
    if isinstance(value, str):
        return _INPUT.sub(lambda found: f"{{{{ given(ti, '{give}', '{found.group(1)}') }}}}", value)
    if isinstance(value, list):
        return [_with_inputs(one, give) for one in value]
    if isinstance(value, dict):
        return {name: _with_inputs(one, give) for name, one in value.items()}
    return value


def refuse_own(program: Program) -> None:
    """Refuses what Airflow couldn't run, or not where it is.

    Raises:
        CompileError: E737, for each call of such a task.
    """
    tasks = {task.name: task for task in program.pipeline.tasks if task.engine is not None}
    if not tasks:
        return
    followed = set(_followed(program.pipeline.body.nodes, depth=0, inside=False))
    found = []
    for node in walk(program.pipeline.body):
        if isinstance(node, Call) and node.task in tasks:
            found += [(node, problem) for problem in _problems(tasks[node.task])]
            if node.id in followed:
                what = "it lies in a loop that one task follows"
                found.append((node, (what, "call it before or after the loop, or in a loop over a list alone")))
    if found:
        raise CompileError(
            Diagnostic("E737", f"node `{node.id}` can't be run by Airflow: {problem}", program.spans.get(node.id), fix)
            for node, (problem, fix) in found
        )


def _followed(nodes: tuple[Node, ...], *, depth: int, inside: bool) -> Iterator[str]:
    """The nodes that Airflow doesn't start by itself: in a `while`, in a map with a limit, in a map within a map."""
    for node in nodes:
        if inside:
            yield node.id
        deeper = isinstance(node, Loop) or (isinstance(node, Map) and (depth > 0 or is_ordered(node)))
        for block in blocks(node):
            yield from _followed(block.nodes, depth=depth + isinstance(node, Map), inside=inside or deeper)


def _problems(task: TaskSpec) -> Iterator[tuple[str, str]]:
    assert task.engine is not None, "it is an engine's own"
    spec = json.loads(task.engine.spec)
    operator = spec.get("operator")
    if not isinstance(operator, str) or not _CLASS.match(operator):
        yield f"it names the operator {operator!r:.80}", _FIX
    for name in spec:
        if name in _OURS:
            yield f"it has the argument `{name}`, which is drawloom's to give", "leave it out"
        elif name != "operator" and not name.isidentifier():
            yield f"no operator has an argument {name!r:.80}", _FIX
    used = set(_INPUT.findall(json.dumps(spec)))
    inputs = {port.name for port in task.inputs}
    for name in sorted(inputs - used):
        fix = f"say where it goes: `{{{{ inputs.{name} }}}}` in a field that Airflow renders"
        yield f"nothing takes its input `{name}`", fix
    for name in sorted(used - inputs):
        yield f"it asks for an input `{name}`, which it hasn't", "make it a parameter of the function"
