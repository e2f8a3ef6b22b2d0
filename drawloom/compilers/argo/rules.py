"""Argo's own rules for a Workflow, checked before anybody submits one: names, references, loops, outputs.

Only what this compiler can get wrong. Source: workflow/validate of Argo Workflows 4.1, and its docs "Enhanced Depends
Logic" and "Workflow Variables".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Final

from drawloom.compilers.argo.pod_rules import pod_rules

__all__ = ["OBJECT_LIMIT_BYTES", "problems_of"]

# Any: Argo's objects as JSON trees

OBJECT_LIMIT_BYTES: Final = 1 << 20  # beyond it Kubernetes refuses the object, or etcd does
_NAME: Final = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]{0,127}\Z")
_PARAMETER: Final = re.compile(r"[-a-zA-Z0-9_]+\Z")
_TAG: Final = re.compile(r"\{\{(.*?)\}\}")
_DEPENDS: Final = re.compile(r"([a-zA-Z][-a-zA-Z0-9]*)(?:\.([A-Za-z]+))?")
_OUTPUT: Final = re.compile(r"(?:tasks|steps)\.([^.]+)\.outputs\.parameters\.(.+)\Z")
_STATUS: Final = re.compile(r"(?:tasks|steps)\.([^.]+)\.status\Z")
_STATES: Final = frozenset({"Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned"})
_LOOPS: Final = ("withItems", "withParam", "withSequence")
_OF_WORKFLOW: Final = frozenset({"workflow.name", "workflow.uid", "workflow.namespace"})
_OF_CRON: Final = frozenset({"workflow.scheduledTime"})
# what only a patch brings: Argo finds it, or says so when the Workflow runs
_LEFT_TO_ARGO: Final = re.compile(r"=|pod\.name\Z|node\.name\Z|workflow\.(?!parameters\.|scheduledTime)")
_LONGEST_NAMES: Final = {"CronWorkflow": 52}  # Argo puts a number behind it


def problems_of(made: Mapping[str, Any]) -> list[str]:
    """What Argo would refuse, each in one line.

    Args:
        made: a Workflow, a WorkflowTemplate or a CronWorkflow as JSON.
    """
    return list(_problems(made))


def _problems(made: Mapping[str, Any]) -> Iterator[str]:
    spec = made["spec"]
    name = made["metadata"].get("name", made["metadata"].get("generateName", ""))
    longest = _LONGEST_NAMES.get(made["kind"], 63)
    if len(name) > longest:
        yield f"the name {name!r} has more than {longest} characters"
    if "workflowTemplateRef" in spec:
        if "templates" in spec:
            yield "it has templates, and refers to a WorkflowTemplate"
        return
    spec = spec.get("workflowSpec", spec)
    templates = {template["name"]: _Ports(template) for template in spec["templates"]}
    if len(templates) < len(spec["templates"]):
        yield "two templates have one name"
    if spec["entrypoint"] not in templates:
        yield f"the entrypoint {spec['entrypoint']!r} is no template"
    if spec.get("onExit", spec["entrypoint"]) not in templates:
        yield f"the exit handler {spec['onExit']!r} is no template"
    given = {f"workflow.parameters.{one['name']}" for one in spec.get("arguments", {}).get("parameters", ())}
    given |= _OF_CRON if made["kind"] == "CronWorkflow" else set()
    yield from (f"the spec: {text}" for text in pod_rules(spec, spec))
    for template in spec["templates"]:
        yield from (f"template `{template['name']}`: {text}" for text in pod_rules(template, spec))
        yield from (f"template `{template['name']}`: {text}" for text in _template(template, templates, given))


class _Ports:
    """The names that a template takes and gives; thousands of tasks may ask for them."""

    __slots__ = ("inputs", "outputs")

    def __init__(self, template: Mapping[str, Any]) -> None:
        self.inputs = frozenset(_names(template, "inputs"))
        self.outputs = frozenset(_names(template, "outputs"))


def _template(template: Mapping[str, Any], templates: Mapping[str, _Ports], given: set[str]) -> Iterator[str]:
    if not _NAME.match(template["name"]):
        yield "its name can't be one"
    inputs = _names(template, "inputs")
    outputs = _names(template, "outputs")
    for names in (inputs, outputs):
        if len(set(names)) < len(names):
            yield "two parameters have one name"
        yield from (f"`{name}` can't be a parameter's name" for name in names if not _PARAMETER.match(name))
    known = given | _OF_WORKFLOW | {f"inputs.parameters.{name}" for name in inputs}
    if "dag" in template:
        yield from _dag(template, templates, known)
    elif "steps" in template:  # around one step, of another object
        steps = {step["name"]: step for group in template["steps"] for step in group}
        yield from _tags(template, known, "", lambda tag: _gives(tag, steps, templates))
    else:
        known |= {"retries"} if "retryStrategy" in template else set()
        yield from _tags(template, known, "", _nothing)


def _dag(template: Mapping[str, Any], templates: Mapping[str, _Ports], known: set[str]) -> Iterator[str]:
    tasks = {task["name"]: task for task in template["dag"]["tasks"]}
    if not tasks:
        yield "its DAG has no task"
    if len(tasks) < len(template["dag"]["tasks"]):
        yield "two tasks have one name"
    waits: dict[str, list[str]] = {}
    for name, task in tasks.items():
        if not _NAME.match(name) or name[0].isdigit():
            yield f"`{name}` can't be a task's name"
        found = _DEPENDS.findall(task.get("depends", ""))
        yield from _depends(name, found, waits)
        waits[name] = [other for other, _ in found if other in waits]
        yield from _task(task, tasks, templates, known, waits)
    yield from _tags(template.get("outputs", {}), known, "its outputs", lambda tag: _gives(tag, tasks, templates))


def _depends(name: str, found: list[tuple[str, str]], before: Container[str]) -> Iterator[str]:
    for other, state in found:
        if other not in before:
            yield f"task `{name}` depends on `{other}`, which doesn't come before it"
        elif state and state not in _STATES:
            yield f"task `{name}` depends on the state {state!r}"


def _task(
    task: Mapping[str, Any],
    tasks: Mapping[str, Any],
    templates: Mapping[str, _Ports],
    known: set[str],
    waits: Mapping[str, list[str]],
) -> Iterator[str]:
    name = task["name"]
    if "templateRef" not in task:  # what lies in another object is Argo's to look at
        called = templates.get(task["template"])
        if called is None:
            yield f"task `{name}` runs `{task['template']}`, which is no template"
            return
        for wanted in sorted(called.inputs.symmetric_difference(_names(task, "arguments"))):
            yield f"task `{name}` and template `{task['template']}` disagree on the input `{wanted}`"
    loops = [loop for loop in _LOOPS if loop in task]
    if len(loops) > 1:
        yield f"task `{name}` has {' and '.join(loops)}"

    def gives(tag: str) -> bool:
        return _gives(tag, tasks, templates) and _comes_before(tag.split(".")[1], name, waits)

    yield from _tags(task, known | ({"item"} if loops else set()), f"task `{name}`", gives)


def _comes_before(task: str, other: str, waits: Mapping[str, list[str]]) -> bool:
    """Whether a task has ended before another one starts."""
    seen, waiting = set[str](), list(waits[other])
    while waiting:
        one = waiting.pop()
        if one == task:
            return True
        if one not in seen:
            seen.add(one)
            waiting += waits[one]
    return False


def _gives(tag: str, tasks: Mapping[str, Any], templates: Mapping[str, _Ports]) -> bool:
    """Whether a tag is an output of a task, or how it ended, whenever that is."""
    status = _STATUS.match(tag)
    if status:
        return status[1] in tasks
    found = _OUTPUT.match(tag)
    task = tasks.get(found[1]) if found else None
    if found is None or task is None:
        return False
    if "templateRef" in task:
        return True
    called = templates.get(task["template"])
    return called is not None and found[2] in called.outputs


def _names(holder: Mapping[str, Any], part: str) -> list[str]:
    return [one["name"] for one in holder.get(part, {}).get("parameters", ())]


def _nothing(_: str) -> bool:
    return False


def _tags(tree: Any, known: Container[str], what: str, gives: Callable[[str], bool]) -> Iterator[str]:
    for text in _templated(tree):
        for tag in _TAG.findall(text):
            if tag not in known and not gives(tag) and not _LEFT_TO_ARGO.match(tag):
                yield f"{what}{' reads' if what else 'it reads'} `{tag}`, which nothing gives"


def _templated(tree: Any) -> list[str]:
    """The texts in a tree that have a `{{`."""
    found: list[str] = []
    waiting = [[tree]]
    for inside in waiting:  # it grows: there are thousands of trees, and recursion would cost more than all else
        for one in inside:
            if type(one) is str:
                if "{{" in one:
                    found.append(one)
            elif isinstance(one, dict):
                waiting.append(list(one.values()))
            elif isinstance(one, (list, tuple)):
                waiting.append(list(one))
    return found
