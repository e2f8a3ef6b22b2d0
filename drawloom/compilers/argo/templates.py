"""A step plan as Argo templates: DAGs for sequences of entries, and few pod templates that all steps share.

| entry | in a DAG |
|---|---|
| run | a task of a pod template, its step id and index vector as arguments |
| group | a task of a DAG of its own |
| when | a task with `when:` on a step's boolean |
| each | a task with `withSequence:` on a step's count (`withParam:` on its batches) |
| own | a task of a DAG of three: a step, a `templateRef` (`own.py`), a step |
| while | a task of a DAG that runs 1, 2, 4, ... iterations, each half only if the one before says so |

Argo is given order, booleans, counts and retries; no value of the user's goes through it but what `begin` is given.
Sources: Argo Workflows' docs "DAG", "Loops", "Retries", "Enhanced Depends Logic", and workflow/validate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from drawloom.compilers.argo.containers import container_template
from drawloom.compilers.argo.names import Names
from drawloom.compilers.argo.own import STATUS, TOLD, asking_template, told_text
from drawloom.compilers.argo.pods import StepPod
from drawloom.compilers.argo.tags import arguments_of, input_tag, output_tag
from drawloom.compilers.passes.empty_entries import is_empty, without_empty
from drawloom.compilers.passes.plan import Each, Entry, Group, Own, Run, StepPlan, When, While
from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.protocol import (
    BATCHES,
    BEGIN,
    COUNT,
    END,
    FAILED_FINAL,
    NEXT,
    RUN,
    SKIPPED,
    TRUE_TEXT,
    WANTED,
    arm_output,
    unwritten_text,
)
from drawloom.ir.slices import StepSlice

__all__ = ["ENTRYPOINT", "EXIT", "Pods", "Templates"]

# Any: Argo's objects as JSON trees

ENTRYPOINT: Final = "main"
EXIT: Final = "exit"
_IDS: Final = "workflow={{workflow.name}},uid={{workflow.uid}}"
_ENDED: Final = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned")
_OUT: Final = "/tmp/drawloom-out"  # noqa: S108  # the pod's own; a task may write what it likes to /tmp itself
_LOST_RETRIES: Final = 2  # of begin and end, which run no code of the user's
_GO: Final = "go"  # whether another iteration is wanted
_IS_TRUE: Final = f"== {TRUE_TEXT[True]}"
_GIVE, _TAKE = "engine_give", "engine_take"
_MODULES: Final = {"give": _GIVE, "take": _TAKE}  # what a step does -> what runs it, if `step` doesn't
_TITLES: Final = {"step": "step", _GIVE: "give", _TAKE: "take"}


@dataclass(frozen=True, slots=True)
class Pods:
    """How the pods of a program are made.

    Args:
        container: the keys of their containers (`pods.container_part`), where a step has no others.
        stub: the text of the bootstrap stub.
        bundle: the place and the SHA-256 of the code bundle.
        where: the options every step is given first.
        steps: step id -> its own, for those that are made otherwise.
        spec: keys of the Workflow's spec that hold for all pods.
    """

    container: Mapping[str, Json]
    stub: str
    bundle: tuple[str, str]
    where: tuple[str, ...]
    steps: Mapping[str, StepPod] = field(default_factory=dict)
    spec: Mapping[str, Json] = field(default_factory=dict)


class Templates:
    """The templates of a program, made of its step plan.

    Args:
        plan: the plan.
        pods: how pods are made.
        program: the digest of the program.
        scheduled: whether Argo knows which time of a schedule a run is for.

    Attributes:
        names: id of the plan -> `template/task` where it is run, for people.
    """

    def __init__(self, plan: StepPlan, pods: Pods, program: str, *, scheduled: bool = False) -> None:
        self._scheduled = scheduled
        self._dags: list[dict[str, Any]] = []
        self._pod_templates: list[dict[str, Any]] = []
        self.names: dict[str, str] = {}
        self._pods = pods
        self._steps = {step.id: step for step in plan.steps}
        self._taken = Names()
        self._shared: dict[object, str] = {}
        self._main(plan, program)

    @property
    def made(self) -> list[dict[str, Any]]:
        """The templates: the entrypoint, the other DAGs as they lie in each other, those of pods."""
        return [*self._dags, *self._pod_templates]

    # the whole

    def _main(self, plan: StepPlan, program: str) -> None:
        main, exit_ = self._reserve(ENTRYPOINT), self._reserve(EXIT)  # before a node can have their names
        begin = self._begin(program)
        tasks: list[dict[str, Any]] = [
            {"name": "begin", "template": begin, "arguments": arguments_of(run="{{workflow.parameters.run}}")}
        ]
        run = {"run": output_tag("begin", RUN)}
        waits = ["begin.Succeeded"]
        if not all(map(is_empty, plan.body)):
            body = self._dag("body", plan.body, 0)
            tasks.append({"name": "body", "template": body, "depends": "begin", "arguments": arguments_of(**run)})
            waits.append(f"({_ended('body')})")
        end = self._pod(Run(END, lost_retries=_LOST_RETRIES))
        tasks.append(
            {
                "name": "end",
                "template": end,
                "depends": " && ".join(waits),
                "arguments": arguments_of(**run, step=END, index="-"),
            }
        )
        self._dags.insert(0, {"name": main, "dag": {"failFast": False, "tasks": tasks}})
        self._exit(exit_)

    def _exit(self, name: str) -> None:
        """What Argo runs when all is over: a step that writes the run's end, where `end` was never run."""
        close = self._reserve("close")
        arguments = ["--engine", "argo", "--ids", _IDS, "--status", "{{workflow.status}}"]
        retries = _retries(Run(END, lost_retries=_LOST_RETRIES))
        made = {"name": close, "retryStrategy": retries, "container": self._container("close", arguments)}
        task = {"name": "close", "template": close, "when": "{{workflow.status}} != Succeeded"}
        self._pod_templates.append(made)
        self._dags.append({"name": name, "dag": {"failFast": False, "tasks": [task]}})

    def _begin(self, program: str) -> str:
        name = self._reserve("begin")
        arguments = ["--program", program, "--run", "{{inputs.parameters.run}}"]
        arguments += ["--ids", _IDS, "--out", _OUT]
        arguments += ["--scheduled", "{{workflow.scheduledTime}}"] if self._scheduled else []
        self._pod_templates.append(
            {
                "name": name,
                "inputs": {"parameters": [{"name": "run"}]},
                "outputs": {"parameters": _outputs(self._steps[BEGIN])},
                "retryStrategy": _retries(Run(BEGIN, lost_retries=_LOST_RETRIES)),
                "container": self._container("begin", arguments),
            }
        )
        return name

    # DAGs

    def _reserve(self, text: str) -> str:
        return self._taken.new(text)

    def _dag(self, text: str, entries: Sequence[Entry], depth: int) -> str:
        """The name of a new DAG template of these entries, for index vectors of so many numbers."""
        name = self._reserve(text)
        place = len(self._dags)
        tasks = self._tasks(name, entries, depth)
        self._dags.insert(place, _dag_template(name, tasks, _inputs(depth)))
        return name

    def _tasks(self, template: str, entries: Sequence[Entry], depth: int) -> list[dict[str, Any]]:
        taken = Names()
        known = {entry.id: taken.new(_local(entry.id)) for entry in entries if not is_empty(entry)}
        tasks = []
        for entry in without_empty(entries):
            task = {"name": known[entry.id], **self._task(entry, known, depth)}
            waits = self._waits(entry, known)
            if waits:
                task["depends"] = waits
            self.names[entry.id] = f"{template}/{known[entry.id]}"
            tasks.append(task)
        return tasks

    def _waits(self, entry: Entry, known: Mapping[str, str]) -> str:
        finished = isinstance(entry, (Run, Group)) and entry.finished
        names = [known[other] for other in entry.after]
        return " && ".join(f"({_ended(name)})" if finished else name for name in names)

    def _task(self, entry: Entry, known: Mapping[str, str], depth: int) -> dict[str, Any]:
        match entry:
            case Run():
                return self._start(entry, depth)
            case Group():
                return self._inside(entry.id, entry.body, depth)
            case When():
                told = output_tag(known[entry.step], entry.output)
                return {**self._inside(entry.id, entry.body, depth), "when": f"{told} {_IS_TRUE}"}
            case Each():
                return self._each(entry, known[entry.step], depth)
            case While():
                return self._while(entry, depth)
            case Own():
                return self._own(entry, depth)

    def _start(self, entry: Run, depth: int, index: str = "") -> dict[str, Any]:
        given = {"run": input_tag("run"), "step": entry.id, "index": index or _index(depth)}
        return {"template": self._pod(entry), "arguments": arguments_of(**given)}

    def _inside(self, text: str, body: Sequence[Entry], depth: int, index: str = "") -> dict[str, Any]:
        """A task that runs a body: by a pod template if it is one step, else by a DAG of its own."""
        first, *others = without_empty(body)
        if not others and isinstance(first, Run):
            return self._start(first, depth, index)
        return {"template": self._dag(text, body, depth), "arguments": arguments_of(**_handed_on(depth, index))}

    def _each(self, entry: Each, step: str, depth: int) -> dict[str, Any]:
        if entry.parallelism:
            return self._limited(entry, step, depth)
        return self._fan_out(entry, output_tag(step, _counted(entry)), depth)

    def _limited(self, entry: Each, step: str, depth: int) -> dict[str, Any]:
        """A fan-out in a DAG of its own: it is a template's pods that Argo can limit."""
        name = self._reserve(f"{entry.id}-limited")
        place = len(self._dags)
        counted = _counted(entry)
        task = {"name": "each", **self._fan_out(entry, input_tag(counted), depth)}
        made = _dag_template(name, [task], [*_inputs(depth), counted])
        self._dags.insert(place, {**made, "parallelism": entry.parallelism})
        given = {**_handed_on(depth), counted: output_tag(step, counted)}
        return {"template": name, "arguments": arguments_of(**given)}

    def _fan_out(self, entry: Each, counted: str, depth: int) -> dict[str, Any]:
        item = f"{input_tag('index')},{{{{item}}}}" if depth else "{{item}}"
        over = {"withParam": counted} if entry.batch_size > 1 else {"withSequence": {"count": counted}}
        return {**self._inside(entry.id, entry.body, depth + 1, item), **over}

    def _own(self, entry: Own, depth: int) -> dict[str, Any]:
        """What Argo has of its own, between two steps."""
        name, asking = self._reserve(_local(entry.id)), self._reserve(f"{_local(entry.id)}-own")
        place = len(self._dags)
        give = {"name": "give", **self._start(Run(entry.give, lost_retries=_LOST_RETRIES), depth)}
        given = {one: output_tag("give", one) for one in (WANTED, *entry.inputs)}
        own = {"name": "own", "template": asking, "depends": "give", "arguments": arguments_of(**given)}
        step = self._start(Run(entry.take, lost_retries=_LOST_RETRIES), depth)
        step["arguments"]["parameters"] += [
            {"name": STATUS, "value": output_tag("own", STATUS)},
            {"name": TOLD, "value": told_text(entry, "own")},
        ]
        take = {"name": "take", **step, "depends": "own"}
        self._dags.insert(place, _dag_template(name, [give, own, take], _inputs(depth)))
        self._dags.insert(place + 1, asking_template(asking, entry))
        return {"template": name, "arguments": arguments_of(**_handed_on(depth))}

    # loops

    def _while(self, entry: While, depth: int) -> dict[str, Any]:
        """Iterations in doubling numbers, so that the templates go no deeper than a list of all numbers does."""
        most = self._steps[entry.step].limit + 1  # the last one only tests
        turns = [self._turn(entry, depth)]
        while 2 ** len(turns) - 1 < most:
            turns.append(self._turns(entry, turns[-1], 2 ** len(turns), depth))
        rest = ""
        for doubled, turn in reversed(list(enumerate(turns))):
            rest = self._then(f"{entry.id}-from-{2**doubled - 1}", turn, rest, depth)
        return {"template": rest, "arguments": arguments_of(**_handed_on(depth), k="0")}

    def _turn(self, entry: While, depth: int) -> str:
        """One iteration: its test and, if that says so, its body; tells whether another is wanted, and its number."""
        name = self._reserve(f"{entry.id}-turn")
        place = len(self._dags)
        index = f"{input_tag('index')},{input_tag('k')}" if depth else input_tag("k")
        tested = self._inside_test(entry, depth, index)
        step = tested[-1]["name"]
        told = output_tag(step, arm_output(0))
        tasks = tested
        if not all(map(is_empty, entry.body)):
            body = self._inside(f"{entry.id}-body", entry.body, depth + 1, index)
            tasks = [*tested, {"name": "turn-body", **body, "depends": step, "when": f"{told} {_IS_TRUE}"}]
        made = _dag_template(name, tasks, [*_inputs(depth), "k"])
        made["outputs"] = _passed_on({_GO: told, NEXT: output_tag(step, NEXT)})
        self._dags.insert(place, made)
        return name

    def _inside_test(self, entry: While, depth: int, index: str) -> list[dict[str, Any]]:
        """The tasks of a test, the deciding step last; what comes before it is a task of its own."""
        *before, decide = without_empty(entry.test)
        assert isinstance(decide, Run), "the deciding step ends a loop's test"
        tasks = []
        if before:
            tasks.append({"name": "test", **self._inside(f"{entry.id}-test", before, depth + 1, index)})
        step = {"name": "decide", **self._start(decide, depth + 1, index)}
        return [*tasks, {**step, "depends": "test"} if before else step]

    def _turns(self, entry: While, half: str, count: int, depth: int) -> str:
        """Twice as many iterations as `half` runs."""
        name = self._reserve(f"{entry.id}-turns-{count}")
        given = _handed_on(depth)
        first = {"name": "first", "template": half, "arguments": arguments_of(**given, k=input_tag("k"))}
        second = {
            "name": "second",
            "template": half,
            "depends": "first",
            "when": f"{output_tag('first', _GO)} {_IS_TRUE}",
            "arguments": arguments_of(**given, k=output_tag("first", NEXT)),
        }
        made = _dag_template(name, [first, second], [*_inputs(depth), "k"])
        # if the second half isn't run, the first has said that no other is wanted
        told = {out: output_tag("second", out) for out in (_GO, NEXT)}
        made["outputs"] = _passed_on(told, {_GO: TRUE_TEXT[False], NEXT: "0"})
        self._dags.append(made)
        return name

    def _then(self, text: str, turn: str, rest: str, depth: int) -> str:
        """So many iterations, then the rest if another one is wanted."""
        name = self._reserve(text)
        given = _handed_on(depth)
        tasks = [{"name": "turns", "template": turn, "arguments": arguments_of(**given, k=input_tag("k"))}]
        if rest:
            more: dict[str, Any] = {"name": "more", "template": rest, "depends": "turns"}
            more["when"] = f"{output_tag('turns', _GO)} {_IS_TRUE}"
            more["arguments"] = arguments_of(**given, k=output_tag("turns", NEXT))
            tasks.append(more)
        self._dags.append(_dag_template(name, tasks, [*_inputs(depth), "k"]))
        return name

    # pods

    def _pod(self, entry: Run) -> str:
        """The pod template of a step; steps that are made alike share one."""
        task = self._steps[entry.id].task
        if task is not None and task.container is not None:
            return self._container_pod(entry, task.container.image)
        outputs = _outputs(self._steps[entry.id])
        retries = _retries(entry)
        own = self._pods.steps.get(entry.id)
        made_with = None if own is None else canonical_json([own.container, own.template])
        module = _MODULES.get(self._steps[entry.id].does, "step")
        key = (module, repr(outputs), repr(retries), made_with)
        if key not in self._shared:
            label = [own.label] if own is not None else []
            name = self._shared[key] = self._reserve("-".join([_TITLES[module], *label, *_shown(module, outputs)]))
            arguments = ["--run", input_tag("run"), "--step", input_tag("step"), "--index", input_tag("index")]
            arguments += ["--attempt", "1+{{retries}}", *_more_arguments(module)]
            inputs = ["run", "step", "index", *((STATUS, TOLD) if module == _TAKE else ())]
            made: dict[str, Any] = {
                "name": name,
                "inputs": {"parameters": [{"name": given} for given in inputs]},
                "retryStrategy": retries,
                **(own.template if own is not None else {}),
                "container": self._container(module, arguments, own),
            }
            if outputs:
                made["outputs"] = {"parameters": outputs}
            self._pod_templates.append(made)
        return self._shared[key]

    def _container_pod(self, entry: Run, image: str) -> str:
        """The pod template of a container; containers of one image that are made alike share one."""
        retries = _retries(entry)
        own = self._pods.steps.get(entry.id)
        key = (image, repr(retries), None if own is None else canonical_json([own.container, own.template]))
        if key not in self._shared:
            name = self._shared[key] = self._reserve("container")
            given = StepPod("", self._pods.container, {}) if own is None else own
            made = container_template(name, image, given, self._pods.container, self._container)
            self._pod_templates.append({**made, "retryStrategy": retries})
        return self._shared[key]

    def _container(self, module: str, arguments: Sequence[str], own: StepPod | None = None) -> dict[str, Any]:
        pods = self._pods
        made = dict(pods.container if own is None else own.container)
        first: dict[str, Any] = {name: made.pop(name) for name in ("image", "imagePullPolicy") if name in made}
        command = {"command": ["python3", "-I", "-c", pods.stub]}
        return {**first, **command, "args": [*pods.bundle, module, *pods.where, *arguments], **made}


def _shown(module: str, outputs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [out["name"] for out in outputs[:2]] if module == "step" else []


def _more_arguments(module: str) -> list[str]:
    return ["--status", input_tag(STATUS), "--told", input_tag(TOLD)] if module == _TAKE else ["--out", _OUT]


def _local(entry: str) -> str:
    """The part of an id that tells an entry from the others of its sequence."""
    node, _, part = entry.partition(":")
    name = node.rpartition("/")[2] or entry.strip(":")
    return f"{name}-{part}" if part else name


def _counted(entry: Each) -> str:
    return BATCHES if entry.batch_size > 1 else COUNT


def _texts_of(step: StepSlice) -> list[str]:
    """What a step writes for the engine."""
    match step.does:
        case "begin":
            return [RUN]
        case "map":
            return [BATCHES] if step.limit else [COUNT]
        case "branch":
            return [arm_output(arm) for arm in range(len(step.inputs) + 1)]
        case "loop":
            return [arm_output(0), NEXT]
        case "try":
            return [arm_output(arm) for arm in range(1, len(step.handlers) + 1)]
        case "give":
            return [WANTED, *(name for name, _ in step.inputs)]
        case "call" if step.then is not None:
            return _texts_of(step.then)
    return []


def _outputs(step: StepSlice) -> list[dict[str, Any]]:
    """The parameters that Argo makes of these texts."""
    made = []
    for name in _texts_of(step):
        source: dict[str, Any] = {"path": f"{_OUT}/{name}"}
        if step.does == "call":  # one that ends badly decides nothing, and Argo is to tell how it ended
            source["default"] = unwritten_text(name)
        made.append({"name": name, "valueFrom": source})
    return made


def _retries(entry: Run) -> dict[str, Any]:
    """Another attempt, unless the step has said that there is to be none: it counts its failures itself."""
    final = ", ".join(f"'{code}'" for code in (FAILED_FINAL, SKIPPED))
    made: dict[str, Any] = {
        "limit": str(entry.retries + entry.lost_retries),
        "retryPolicy": "Always",
        "expression": f"not (lastRetry.exitCode in [{final}])",
    }
    if entry.delay_seconds and entry.retries:
        made["backoff"] = {
            "duration": _duration(entry.delay_seconds),
            "factor": f"{entry.factor:g}",
            "cap": _duration(entry.max_delay_seconds),
        }
    return made


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms" if seconds % 1 else f"{seconds:.0f}s"


def _dag_template(name: str, tasks: list[dict[str, Any]], inputs: Sequence[str]) -> dict[str, Any]:
    return {
        "name": name,
        "inputs": {"parameters": [{"name": given} for given in inputs]},
        "dag": {"failFast": False, "tasks": tasks},
    }


def _inputs(depth: int) -> list[str]:
    return ["run", "index"] if depth else ["run"]


def _index(depth: int) -> str:
    return input_tag("index") if depth else "-"


def _handed_on(depth: int, index: str = "") -> dict[str, str]:
    """What a DAG hands on to one inside it: the run and, inside a map or a loop, the index vector."""
    return {"run": input_tag("run")} | ({"index": index or _index(depth)} if depth else {})


def _passed_on(told: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Outputs of a DAG that are those of its tasks."""
    made = []
    for name, where in told.items():
        source: dict[str, Any] = {"parameter": where}
        if defaults is not None:
            source["default"] = defaults[name]
        made.append({"name": name, "valueFrom": source})
    return {"parameters": made}


def _ended(name: str) -> str:
    return " || ".join(f"{name}.{how}" for how in _ENDED)
