"""Lowering to steps: every node becomes steps that decide in Python, and entries that an engine can follow blindly.

| node | steps | what the engine follows |
|---|---|---|
| call | the node itself | a start with retries |
| what an engine has of its own | `:give` writes its inputs, the node itself reads its outputs | own |
| nested pipeline | `:results` if its results compute something | a group |
| map | `:decide` writes a count; `:results` likewise; `:settle` for a batch | each |
| branch | `:decide` writes a boolean per arm; `:results` likewise | a when per arm |
| loop | `:decide` before each iteration, and once after the last | while |
| try | `:decide` finds the failure and picks the handler; `:settle` at the end | group, a when per handler, group |

The step of a call whose result says all that a map or a branch after it asks (a list to go through, a comparison) does
its `:decide`, too: an engine takes longer to start a step than most steps take.

Steps within a try are *contained*: they commit a final failure and exit as done, so that the engine goes on; what
depends on them looks for the failure itself (`StepSlice.guards`) and commits as skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from drawloom.compilers.features import is_batched, is_ordered
from drawloom.compilers.passes.made_nodes import can_fail
from drawloom.compilers.passes.operand_types import OperandTypes
from drawloom.compilers.passes.plan import Each, Entry, Group, Own, Run, StepPlan, When, While, entry_json
from drawloom.compilers.passes.sure_decisions import sure_of
from drawloom.ir.canonical import canonical_json
from drawloom.ir.container import result_fields
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Block, Branch, Call, Loop, Map, Node, Pipeline, PipelineCall, Try
from drawloom.ir.operands import Carried, Operand, Output, Reference
from drawloom.ir.policies import INFRA, PodPolicy, Policies, ResourcesPolicy, RetryPolicy
from drawloom.ir.protocol import BEGIN, END, arm_output
from drawloom.ir.slices import Place, StepSlice
from drawloom.ir.sources import INDEX, Source
from drawloom.ir.tasks import Port, TaskSpec
from drawloom.ir.times import times_asked
from drawloom.ir.walk import blocks, dependencies, dims_added, references, walk

__all__ = ["lower_steps"]

LAST = 1 << 40  # in a position: after everything an index vector or a block can hold


@dataclass(frozen=True, slots=True)
class _Around:
    """What surrounds a node.

    Args:
        contained: whether a try does.
        guards: those of groups and tries.
        loops: those it is tested in.
        arms: the branches and handlers it is in, up to the next loop (`StepSlice.arms`).
        followed: whether a loop does.
    """

    contained: bool = False
    guards: frozenset[str] = frozenset()
    loops: tuple[str, ...] = ()
    arms: tuple[tuple[str, int, int], ...] = ()
    followed: bool = False

    def inside(self, **changed: object) -> _Around:
        """What surrounds the nodes of a block that is begun only if its node is not behind a failure."""
        return replace(self, **{"guards": frozenset(), "loops": (), **changed})  # type: ignore[arg-type]  # of this class


def lower_steps(pipeline: Pipeline, *, allow_pickle: bool = False) -> StepPlan:
    """The steps of a pipeline and what an engine does with them.

    Args:
        pipeline: a checked pipeline.
        allow_pickle: whether the project allows the codec `pickle`.
    """
    return _Lowering(pipeline, allow_pickle).plan()


class _Lowering:
    """One run of the pass: the steps found so far, and the look-ups over the whole pipeline."""

    def __init__(self, pipeline: Pipeline, allow_pickle: bool) -> None:
        self.pipeline = pipeline
        self.allow_pickle = allow_pickle
        self.tasks = {task.name: task for task in pipeline.tasks}
        self.sources = layout(pipeline)
        self.order = {name: place for place, name in enumerate(self.sources)}
        self.needs = {node.id: dependencies(node) for node in walk(pipeline.body)}
        self.whole = {  # of every slice
            "pipeline": pipeline.name,
            "allow_pickle": allow_pickle,
            "run_timeout_seconds": pipeline.policies.run_timeout_seconds,
        }
        self.steps: list[StepSlice] = []
        self.calls: dict[str, int] = {}  # to the place of its step in `steps`
        self.policies: dict[str, Policies] = {}
        self.specs: dict[tuple[str, int], TaskSpec] = {}
        self.results: list[Place] = []  # a place for each `:results` step, which can fail like a node

    @cached_property
    def types(self) -> OperandTypes:
        """The types of all operands, once something asks for them."""
        return OperandTypes(self.pipeline)

    def plan(self) -> StepPlan:
        pipeline = self.pipeline
        times = tuple(times_asked(pipeline))
        self.add(id=BEGIN, does="begin", ports=pipeline.params, asks=times, schedule=pipeline.policies.schedule)
        body = self.block(pipeline.body, _Around())
        # it also writes the lists that no step has read
        maps = [node for node in walk(pipeline.body) if isinstance(node, Map)]
        lists = [Output(node.id, port.name) for node in maps for port in node.results]
        self.add(id=END, does="end", inputs=pipeline.body.results, ports=pipeline.results, also=lists)
        return StepPlan(tuple(self.steps), body, (*self.places(), *self.results), self.policies)

    def places(self) -> Iterator[Place]:
        for source in self.sources.values():
            yield Place(
                id=source.id,
                role=source.kind,
                depth=source.depth,
                position=source.position,
                parent=source.parent,
                arm=source.arm,
                arms=len(source.results),
                deps=tuple(sorted(self.needs[source.id])),
            )

    # blocks and nodes

    def block(self, block: Block, around: _Around) -> tuple[Entry, ...]:
        """The entries of a block; an entry of a node comes after the entries of those nodes of the block it needs."""
        ends: dict[str, tuple[str, ...]] = {}
        entries: list[Entry] = []
        for node in block.nodes:
            needs = self.needs[node.id]
            after = tuple(end for need in sorted(needs) if need in ends for end in ends[need]) if needs else ()
            made, ends[node.id] = self.node(node, after, around)
            entries += made
        return tuple(entries)

    def node(self, node: Node, after: tuple[str, ...], around: _Around) -> tuple[list[Entry], tuple[str, ...]]:
        """The entries of a node, and the ids of those that others wait for."""
        match node:
            case Call():
                made = self.call if self.tasks[node.task].engine is None else self.own
                return [made(node, after, around)], (node.id,)
            case PipelineCall():
                return [self.group(node, after, around)], (f"{node.id}:group",)
            case Map():
                return self.map(node, after, around)
            case Branch():
                return self.branch(node, after, around)
            case Loop():
                return self.loop(node, after, around)
            case Try():
                return self.try_(node, after, around)
        raise AssertionError(f"{node.id}: {type(node).__name__} has no steps")  # features refused it before

    def call(self, node: Call, after: tuple[str, ...], around: _Around) -> Entry:
        policies = self.policies[node.id] = node.policies or self.tasks[node.task].policies
        spec = self.spec(node.task, policies)
        self.calls[node.id] = len(self.steps)
        self.call_step(node, node.id, "call", spec, around)
        return _run(node.id, after, spec.policies.retry)

    def own(self, node: Call, after: tuple[str, ...], around: _Around) -> Entry:
        spec = self.tasks[node.task]
        assert spec.engine is not None, "it is an engine's own"
        give = f"{node.id}:give"
        self.call_step(node, give, "give", spec, around)
        self.call_step(node, node.id, "take", spec, around)
        inputs = tuple(port.name for port in spec.inputs)
        results = tuple(name or "result" for name, _ in result_fields(spec.result))
        return Own(node.id, give, node.id, spec.engine.spec, inputs, results, after)

    def call_step(self, node: Call, step: str, does: str, spec: TaskSpec, around: _Around) -> None:
        self.add(
            id=step,
            does=does,
            node=node.id,
            depth=self.sources[node.id].depth,
            task=spec,
            inputs=node.inputs,
            ports=(Port("result", spec.result),),
            **self.within(node, around),
        )

    def spec(self, task: str, policies: Policies) -> TaskSpec:
        """The task as a slice has it: where a step runs is the engine's business, and no reason for another slice."""
        same = (task, id(policies))  # most calls of a task share its policies
        if same not in self.specs:
            kept = replace(policies, resources=ResourcesPolicy(), pod=PodPolicy())
            self.specs[same] = replace(self.tasks[task], policies=kept)
        return self.specs[same]

    def group(self, node: PipelineCall, after: tuple[str, ...], around: _Around) -> Entry:
        inner = replace(around, guards=around.guards | self.needs[node.id])
        body = self.block(node.body, inner)
        return Group(f"{node.id}:group", body + self.results_step(node, 0, node.body, body, inner), after)

    def map(self, node: Map, after: tuple[str, ...], around: _Around) -> tuple[list[Entry], tuple[str, ...]]:
        batched = is_batched(node, self.tasks)
        size = {"limit": node.batch_size} if batched else {}
        limited = is_ordered(node)
        followed = limited and not around.followed  # by one task, which starts the deciding step as well
        lead = "" if followed else self.lead(node, after)
        decide = self.decide(node, "map", (("items", node.items),), around, lead, **size)
        settled = batched and len(node.body.nodes) > 1 and not around.contained
        inner = around.inside(contained=around.contained or settled, followed=around.followed or limited)
        body = self.block(node.body, inner)
        body += self.results_step(node, 0, node.body, body, inner)
        if settled:
            body += (self.settle_batch(node, body, around),)
        each = Each(
            id=f"{node.id}:each",
            step=decide,
            body=body,
            after=(decide,),
            batch_size=node.batch_size if batched else 1,
            parallelism=node.parallelism.limit if node.parallelism else 0,
        )
        if followed:
            self.follow_step(node, (_run(decide, ()), each), around)
        return [*([] if lead else [_run(decide, after)]), each], (each.id,)

    def settle_batch(self, node: Map, body: tuple[Entry, ...], around: _Around) -> Entry:
        """In a batch one item's failure must not stop the others, so its steps are contained up to here."""
        inside = tuple(inner.id for inner in node.body.nodes) + tuple(r.id for r in self.results if r.parent == node.id)
        step = f"{node.id}:settle"
        depth = self.sources[node.id].depth + 1
        self.add(id=step, does="settle", node=node.id, depth=depth, covers=inside, arms=around.arms)
        return Run(step, tuple(entry.id for entry in body), finished=True, lost_retries=_FREE)

    def branch(self, node: Branch, after: tuple[str, ...], around: _Around) -> tuple[list[Entry], tuple[str, ...]]:
        tests = tuple((arm_output(arm), case.test) for arm, case in enumerate(node.cases))
        lead = self.lead(node, after)
        decide = self.decide(node, "branch", tests, around, lead)
        entries: list[Entry] = [] if lead else [_run(decide, after)]
        for arm, inner in enumerate(blocks(node)):
            within = around.inside(arms=(*around.arms, (node.id, arm, self.sources[node.id].depth)))
            body = self.block(inner, within)
            body += self.results_step(node, arm, inner, body, within)
            if body:
                entries.append(When(f"{node.id}:{arm_output(arm)}", decide, arm_output(arm), body, (decide,)))
        return entries, tuple(entry.id for entry in entries) or (decide,)

    def loop(self, node: Loop, after: tuple[str, ...], around: _Around) -> tuple[list[Entry], tuple[str, ...]]:
        first = self.initial_step(node, after, around) if node.test.nodes else ()
        guards = around.guards | self.needs[node.id] | {entry.id for entry in first}
        within = around.inside(guards=guards, loops=(*around.loops, node.id), arms=(), followed=True)
        test = self.block(node.test, within)
        decide = self.decide(node, "loop", node.test.results, around, limit=node.max_iterations, on_limit=node.on_limit)
        test += (Run(decide, tuple(entry.id for entry in test), lost_retries=_FREE),)
        inside = around.inside(arms=(), followed=True)
        body = self.block(node.body, inside)
        if node.test.nodes:  # they read the carried values before the deciding step does
            body += self.results_step(node, 1, node.body, body, inside)
        each = While(f"{node.id}:while", test, decide, body, tuple(entry.id for entry in first) or after)
        if not around.followed:
            self.follow_step(node, (replace(each, after=()),), around)
        return [*first, each], (each.id,)

    def follow_step(self, node: Node, entries: tuple[Entry, ...], around: _Around) -> None:
        """A step that does all the entries of a node are, for an engine that can't follow them."""
        depth, text = self.sources[node.id].depth, canonical_json(entry_json(entries))
        self.add(id=entries[-1].id, does="follow", node=node.id, depth=depth, entries=text, **self.within(node, around))

    def initial_step(self, node: Loop, after: tuple[str, ...], around: _Around) -> tuple[Entry, ...]:
        """A step that computes what a loop begins with, where that can fail."""
        operands = tuple((carry.name, carry.initial) for carry in node.carried)
        if not any(can_fail(operand) for _, operand in operands):
            return ()
        source = self.sources[node.id]
        place = Place(f"{node.id}:initial", "results", source.depth, (*source.position, 0), node.id)
        self.results.append(place)
        guards = self.guards(node, around)
        return (self.compute(place, operands, after, (node.id,), source.depth, guards, around),)

    def try_(self, node: Try, after: tuple[str, ...], around: _Around) -> tuple[list[Entry], tuple[str, ...]]:
        within = replace(around, contained=True, guards=around.guards | self.needs[node.id])
        body = Group(f"{node.id}:body", self.block(node.body, within), after)
        decide = self.decide(
            node,
            "try",
            node.body.results,
            replace(around, contained=True),
            handlers=tuple(h.exceptions for h in node.handlers),
        )
        self.results_place(node, 0, node.body)  # it is the deciding step that computes these
        entries: list[Entry] = [body, Run(decide, (body.id,), finished=True, lost_retries=_FREE)]
        for arm, handler in enumerate(node.handlers, start=1):
            handled = replace(within, arms=(*within.arms, (node.id, arm, self.sources[node.id].depth)))
            inner = self.block(handler.block, handled)
            inner += self.results_step(node, arm, handler.block, inner, handled)
            if inner:
                entries.append(When(f"{node.id}:{arm_output(arm)}", decide, arm_output(arm), inner, (decide,)))
        if node.final is not None:
            waits = tuple(entry.id for entry in entries[1:])
            entries.append(Group(f"{node.id}:final", self.block(node.final, within), waits, finished=True))
        settle = f"{node.id}:settle"
        self.add(
            id=settle,
            does="settle",
            node=node.id,
            depth=self.sources[node.id].depth,
            covers=(node.id,),
            arms=around.arms,
            contained=around.contained,
        )
        waits = tuple(entry.id for entry in entries[1:])
        return [*entries, Run(settle, waits, finished=True, lost_retries=_FREE)], (settle,)

    # steps

    def lead(self, node: Map | Branch, after: tuple[str, ...]) -> str:
        """The id of a step before a node that can do its deciding step, too; "" if there is none.

        It is the step of the call that is all a sure decision asks; once the call has ended, so has all in its block
        that the node comes after.
        """
        call = sure_of(node, self.calls, self.types)
        if call not in after:
            return ""
        made = self.steps[self.calls[call]]
        if made.then is not None or (made.task is not None and made.task.container is not None):
            return ""
        place = self.sources[node.id]
        beside = {need for need in self.needs[node.id] - {call} if _are_beside(self.sources[need], place)}
        return call if not beside or beside <= self.before(call) else ""

    def before(self, node: str) -> set[str]:
        """A node with all that it comes after."""
        found: set[str] = set()
        waiting = [node]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.needs.get(name, ())
        return found

    def decide(
        self,
        node: Node,
        does: str,
        inputs: tuple[tuple[str, Operand], ...],
        around: _Around,
        lead: str = "",
        **more: object,
    ) -> str:
        """Makes a deciding step, by itself or as a part of the step `lead`; the id of the step that decides."""
        step = f"{node.id}:decide"
        source = self.sources[node.id]
        depth = source.depth + (1 if does == "loop" else 0)
        also = [Carried(node.id, name) for name, _ in source.results[0]] if does == "loop" else []
        fields: dict[str, Any] = {**self.within(node, around), **more}
        if does == "loop":  # it is started if the loop goes on
            fields["arms"] = ()
        made = self.made(id=step, does=does, node=node.id, depth=depth, inputs=inputs, also=also, **fields)
        if not lead:
            self.steps.append(made)
            return step
        place = self.calls[lead]
        self.steps[place] = replace(self.steps[place], then=made)
        return lead

    def results_step(
        self, node: Node, arm: int, block: Block, body: tuple[Entry, ...], around: _Around
    ) -> tuple[Entry, ...]:
        """A step that computes a block's results, where that can fail: the failure must come whoever reads them."""
        if not any(can_fail(operand) for _, operand in block.results):
            return ()
        place = self.results_place(node, arm, block)
        guards = tuple(sorted(around.guards | set(place.deps)))
        covers = () if isinstance(node, Try) else (node.id,)
        after = tuple(entry.id for entry in body)
        owner_depth = self.sources[node.id].depth
        return (self.compute(place, block.results, after, covers, owner_depth, guards, around),)

    def compute(
        self,
        place: Place,
        operands: tuple[tuple[str, Operand], ...],
        after: tuple[str, ...],
        covers: tuple[str, ...],
        owner_depth: int,
        guards: tuple[str, ...],
        around: _Around,
    ) -> Entry:
        """The step that computes operands for their failure alone, at `place`."""
        self.add(
            id=place.id,
            does="results",
            node=place.id,
            depth=place.depth,
            inputs=operands,
            guards=guards,
            loops=around.loops,
            arms=around.arms,
            contained=around.contained,
            covers=covers,
            limit=owner_depth,
        )
        return Run(place.id, after, lost_retries=_FREE)

    def results_place(self, node: Node, arm: int, block: Block) -> Place:
        """The place of a block's results, at its end: computing them can fail, as a node can."""
        source = self.sources[node.id]
        inner = dims_added(node)
        position = (*source.position, *((INDEX,) if inner else ()), arm, LAST)
        deps = tuple(inner.id for inner in block.nodes)
        place = Place(f"{node.id}:results-{arm}", "results", source.depth + inner, position, node.id, arm, 0, deps)
        self.results.append(place)
        return place

    def add(self, **fields: Any) -> None:
        self.steps.append(self.made(**fields))

    def made(self, *, also: Sequence[Operand] = (), **fields: object) -> StepSlice:
        inputs: tuple[tuple[str, Operand], ...] = fields.get("inputs", ())  # type: ignore[assignment]  # as in StepSlice
        sources = self.reachable([*(operand for _, operand in inputs), *also])
        return StepSlice(**self.whole, sources=sources, **fields)  # type: ignore[arg-type]  # the callers' keywords are StepSlice's

    def reachable(self, waiting: list[Operand]) -> tuple[Source, ...]:
        """The sources that operands can lead to, by way of the results of control nodes, in program order."""
        found: set[str] = set()
        while waiting:
            operand = waiting.pop()
            if isinstance(operand, Output) and not self.sources[operand.node].results:  # a call's, as most are
                found.add(operand.node)
                continue
            for reference in references(operand):
                name = reference.node if isinstance(reference, Output) else _holder(reference)
                if not name or name in found:
                    continue
                found.add(name)
                source = self.sources[name]
                waiting += [operand for arm in source.results for _, operand in arm]
                waiting += [source.items] if source.items is not None else []
        names = sorted(found, key=self.order.__getitem__) if len(found) > 1 else found
        return tuple(self.sources[name] for name in names)

    def within(self, node: Node, around: _Around) -> dict[str, Any]:
        """The fields of a slice that tell what is around its node."""
        return {
            "guards": self.guards(node, around),
            "loops": around.loops,
            "arms": around.arms,
            "contained": around.contained,
        }

    def guards(self, node: Node, around: _Around) -> tuple[str, ...]:
        """What must not have failed before a node; a group has no commit, so its needs count too."""
        found: set[str] = set()
        waiting = list(self.needs[node.id] | around.guards)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                if name in self.sources and self.sources[name].kind == "group":
                    waiting += self.needs[name]
        return tuple(sorted(found))


def _are_beside(one: Source, other: Source) -> bool:
    """Whether two nodes lie in one block."""
    return (one.parent, one.arm) == (other.parent, other.arm)


def _holder(reference: Reference) -> str:
    """The node whose item, carried value or failure is referred to, "" if none is."""
    name: str = getattr(reference, "map", "") or getattr(reference, "loop", "") or getattr(reference, "node", "")
    return name


# Steps that decide run no code of the user's and can be started again at will.
_FREE = 2


def _run(step: str, after: tuple[str, ...], retry: RetryPolicy | None = None) -> Run:
    if retry is None:
        return Run(step, after, lost_retries=_FREE)
    others = retry.max_attempts - 1
    if others == 0:
        return Run(step, after)
    return Run(
        id=step,
        after=after,
        retries=others if retry.on != (INFRA,) else 0,
        lost_retries=others if not retry.on or INFRA in retry.on else 0,
        delay_seconds=retry.delay_seconds,
        factor=retry.factor,
        max_delay_seconds=retry.max_delay_seconds,
    )
