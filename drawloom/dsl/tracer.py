"""The tracer: the few operations that record a pipeline.

Record a call, open a block, close it, record a control node. The explicit control forms are made of them, and so will
be the staging of plain `if` and `for`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import groupby
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from drawloom.dsl.blocks import OpenBlock, sized_expression
from drawloom.dsl.constants import constant, holds_handle, value_type
from drawloom.dsl.handles import Effect, Handle
from drawloom.dsl.options import Options, policies
from drawloom.dsl.place import OWN_MODULES, function_span, refusal, user_frame
from drawloom.dsl.plans import MISSING, Plan, bind_values
from drawloom.dsl.recorded import Recorded
from drawloom.dsl.scope import scoped
from drawloom.dsl.sites import Site, Targets
from drawloom.dsl.splice import Splice, Unsure
from drawloom.dsl.staging.convert import converted
from drawloom.dsl.staging.scopes import Leave
from drawloom.ir.narrow import Facts
from drawloom.ir.nodes import Call, Node, PipelineCall, Port
from drawloom.ir.operands import Apply, Const, Operand, Output, Param, RunInfo
from drawloom.ir.operators import operator_type
from drawloom.ir.problems import TypeProblem
from drawloom.ir.types import ANY, NONE, Type
from drawloom.ir.walk import references

if TYPE_CHECKING:
    from drawloom.dsl.pipeline import Pipeline
    from drawloom.dsl.task import Task

__all__ = ["Tracer"]

# Any: arguments and results are the user's values, or handles over them


class Tracer:
    """Records one pipeline. Longer than other classes, because each operation works on the one open block.

    Attributes:
        block: the innermost open block.
        depth: how many pipelines are being traced inside each other.
    """

    def __init__(self) -> None:
        self.sites: dict[str, Site] = {}
        self.block = OpenBlock(self, "", {})
        self.root = self.block
        self.depth = 0
        self._outer: list[OpenBlock] = []
        self.plans: dict[Task[..., Any], Plan] = {}
        self.tasks: dict[str, Task[..., Any]] = {}
        self._targets: dict[int, Targets] = {}
        self._recorded: dict[str, int] = {}
        self.options: list[Options] = []  # of the `with call_options(...)` around, from the outside in
        self.told: dict[Operand, tuple[Facts, Facts]] = {}  # what the flags tell that control nodes give
        self.joining: OpenBlock | None = None  # the block of a side whose results are being made
        self.stage: Any = None  # a `staging.scopes.Stage`, once a converted function runs

    # names

    def node_id(self, frame: FrameType, fallback: str) -> str:
        """A new id in the open block: the variable a call is assigned to, else `fallback`, and its ordinal."""
        name, place = self.name_at(frame, fallback)
        return self.named_id(name, *place)

    def name_at(self, frame: FrameType, fallback: str) -> tuple[str, Site]:
        """What a call is named after, the variable it is assigned to, else `fallback`; and where it stands."""
        name = ""
        if frame.f_globals.get("__name__", "").startswith(OWN_MODULES):  # `for_each(tables, train)`: we call `train`
            frame = user_frame(frame) or frame
            code, offset = frame.f_code, frame.f_lasti
        else:
            code, offset = frame.f_code, frame.f_lasti
            targets = self._targets.get(id(code))
            if targets is None:
                targets = self._targets[id(code)] = Targets(code)
            name = targets.name(offset)
        return name or fallback, (code, offset)

    def named_id(self, name: str, code: CodeType, offset: int) -> str:
        """A new id in the open block, made of a name and its ordinal there, for what stands at a place of the code."""
        block = self.block
        ordinal = block.counts[name] = block.counts.get(name, 0) + 1
        found = f"{block.prefix}{name}" if ordinal == 1 else f"{block.prefix}{name}-{ordinal}"
        self.sites[found] = (code, offset)
        return found

    def release_id(self, node: str, name: str) -> None:
        """Give back the newest id of the open block, whose node isn't recorded after all."""
        self.block.counts[name] -= 1
        del self.sites[node]

    # operands

    def operand(self, value: Any, what: str) -> Operand:
        """The operand for a handle, a known value, or lists, tuples and dicts of both.

        Args:
            value: what the user's code gave.
            what: what it was given to, for messages: "input `n` of `train`".

        Raises:
            DefinitionError: it can't be one (D111, D113-D115, D127, D128).
        """
        if isinstance(value, Handle):
            return self.checked(value, what)
        if type(value) is list and self._outer:
            for block in self.open_blocks:
                block.read[id(value)] = value
        if not holds_handle(value):
            return constant(value, what)
        if type(value) is dict:
            parts: list[Operand] = []
            for key, item in value.items():
                parts += (constant(key, f"a key of {what}"), self.operand(item, what))
            return Apply("dict", tuple(parts))
        if any(isinstance(item, Splice) for item in value):
            return self._spliced(value, what)
        return Apply(type(value).__name__, tuple(self.operand(item, what) for item in value))

    def _spliced(self, value: Sequence[Any], what: str) -> Operand:
        """The operand of a list with run-time parts: the parts, one after the other."""
        parts: list[Operand] = []
        for item in value:
            if isinstance(item, Unsure):
                item.refuse()
        for run_time, items in groupby(value, lambda item: isinstance(item, Splice)):
            if run_time:
                parts += [self.checked(item.handle, what) for item in items]
            else:
                parts.append(self.operand(list(items), what))
        made = reduce(lambda first, second: Apply("add", (first, second)), parts)
        return made if type(value) is list else Apply("as_tuple", (made,))

    def checked(self, handle: Handle, what: str) -> Operand:
        """The operand of a handle that may be used here."""
        if not handle._dl_block.is_open_in(self):
            raise refusal(
                "D111",
                f"{what} is {handle!r}, which was made in another trace or in a block that is closed",
                "return it from the block's function (or pass it as a parameter) and use what comes back",
            )
        if isinstance(handle, Effect):
            raise refusal(
                "D115",
                f"{what} is {handle!r}, but that call returns nothing",
                "give the task a result, or order the calls with `.after(...)`",
            )
        return handle._dl_operand

    def expression(self, operand: Operand, op: str, values: Sequence[Any]) -> Handle:
        """A handle over an operator, typed as far as it is known."""
        return sized_expression(self.block, operand, applied_type(op, tuple(map(value_type, values))), tuple(values))

    # calls

    def call(self, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], frame: FrameType) -> Handle:
        """Record a call of a task.

        Raises:
            DefinitionError: the arguments don't fit (D112), or can't be kept (D111, D113-D115, D127, D128).
        """
        plan = self.plans.get(task.declared) or self._new_plan(task.declared)
        given = bind_values(plan.base, plan.names, plan.positional, plan.defaults, args, kwargs)
        inputs = []
        refers = False
        for name, value in zip(plan.names, given):
            if isinstance(value, Const):
                operand: Operand = value
            else:
                operand = self.operand(value, f"input `{name}` of `{plan.base}`")
                refers = refers or _refers(operand)
            inputs.append((name, operand))
        node = self.node_id(frame, plan.base)
        options = scoped(task.options, plan.task.options, self.options) if self.options else task.options
        independent = bool(options.get("independent"))
        after = self._after(task.upstream, waits=(plan.effect or not refers) and not independent)
        own = None if options is plan.task.options else policies(options)
        self._record(Call(node, plan.name, tuple(inputs), after, own))
        if not independent:
            self._keep_order(node, effect=plan.effect, source=not refers)
        return (Effect if plan.effect else Handle)(self.block, Output(node), plan.result)

    def _new_plan(self, task: Task[..., Any]) -> Plan:
        plan = self.plans[task] = Plan(task)
        known = self.tasks.setdefault(plan.name, task)
        if known is not task:
            raise refusal(
                "D120",
                f"two tasks are named `{plan.name}`, both called in this pipeline",
                "give one of them another name",
                function_span(task.function),
            )
        return plan

    def _record(self, node: Node) -> None:
        self._recorded[node.id] = len(self._recorded)
        self.block.nodes.append(node)

    # order

    def _after(self, upstream: Sequence[object], *, waits: bool) -> tuple[str, ...]:
        """The ids a new node comes after: the effects before it, if it waits for them, and what the user named."""
        last = self.block.last_effect
        if not upstream:
            return (last,) if waits and last else ()
        found = dict.fromkeys([last] if waits and last else [])
        for handle in _flat(upstream):
            found.update(dict.fromkeys(self._nodes_of(handle)))
        return tuple(found)

    def _nodes_of(self, handle: object) -> list[str]:
        if not isinstance(handle, Handle):
            raise refusal(
                "D122",
                f"`.after(...)` is given a {type(handle).__name__}, not what a call in this pipeline returned",
                "pass the results of calls",
            )
        if not handle._dl_block.is_open_in(self):
            self.checked(handle, "what `.after(...)` is given")
        return [reference.node for reference in references(handle._dl_operand) if isinstance(reference, Output)]

    def _keep_order(self, node: str, *, effect: bool, source: bool) -> None:
        block = self.block
        if effect:
            block.last_effect = node
            block.has_effect = True
        if source:
            block.has_source = True

    def order_after(self, handle: Handle, upstream: Sequence[object]) -> None:
        """Make a recorded node wait for others, recorded before it.

        Raises:
            DefinitionError: `upstream` holds no handle, or a later node (D122), or one out of reach (D111).
        """
        operand = handle._dl_operand
        if not isinstance(operand, Output):
            raise refusal(
                "D122", f"`.after(...)` is called on {handle!r}, which no call returned", "call it on a result"
            )
        if not handle._dl_block.is_open_in(self):
            self.checked(handle, "what `.after(...)` is called on")
        needed = [node for other in _flat(upstream) for node in self._nodes_of(other)]
        late = [node for node in needed if self._recorded[node] >= self._recorded[operand.node]]
        if late:
            raise refusal(
                "D122",
                f"`{operand.node}` can't come after `{late[0]}`, which is called later",
                f"call `{late[0]}` first",
            )
        from dataclasses import replace  # lazy: few pipelines need it

        nodes = handle._dl_block.nodes
        place = next(i for i, node in enumerate(nodes) if node.id == operand.node)
        nodes[place] = replace(nodes[place], after=tuple(dict.fromkeys((*nodes[place].after, *needed))))

    # blocks

    def open_block(self, prefix: str, counts: dict[str, int]) -> OpenBlock:
        """Begin a block inside the open one; what is recorded goes into it until it is closed.

        Args:
            prefix: what the ids of its nodes begin with, the control node's id and a slash.
            counts: the ordinals of its names, shared by the blocks of one control node.
        """
        self._outer.append(self.block)
        self.block = OpenBlock(self, prefix, counts)
        return self.block

    def close_block(self) -> None:
        """End the innermost block; its handles are no good from here on."""
        self.block.close()
        self.block = self._outer.pop()

    def reopen_block(self, block: OpenBlock) -> None:
        """Go on with a block that was closed and not recorded yet."""
        self._outer.append(self.block)
        block.reopen(self)
        self.block = block

    def give_up_block(self) -> None:
        """End the innermost block, in which nothing was recorded: what was made in it belongs to the block around."""
        given_up = self.block
        self.close_block()
        self.merge_block(given_up)

    def merge_block(self, given_up: OpenBlock) -> None:
        """What was made in a closed block belongs to the open one: nothing was recorded in it."""
        given_up.merged = self.block
        self.block.born |= given_up.born
        for standing in given_up.standing:
            standing.position = len(self.block.nodes)
            self.block.standing.append(standing)

    @property
    def open_blocks(self) -> list[OpenBlock]:
        """The blocks inside the pipeline's own that are open, from the outside in."""
        return [*self._outer, self.block][1:]

    def record_block(
        self,
        node: str,
        counts: dict[str, int],
        body: Callable[[], Any],
        what: str,
        declared: Type | None = None,
    ) -> Recorded:
        """Run `body` once, with what it records going into a block of its own.

        Args:
            node: the id of the control node that will hold the block.
            counts: the ordinals of names, shared by the blocks of that node.
            body: the user's function, its arguments bound.
            what: what it returns, for messages: "the result of `body`".
            declared: the type of what it returns where that is annotated.
        """
        block = self.open_block(f"{node}/", counts)
        try:
            returned = body()
            operand, type_ = self.result_operand(returned, what, declared)
        finally:
            self.close_block()
        return Recorded(block, returned, operand, type_)

    def forget(self, size: int) -> None:
        """Forget what was recorded of nodes since there were `size`: a block that is to be traced again."""
        while len(self.sites) > size:
            node, _ = self.sites.popitem()
            self._recorded.pop(node, None)

    def result_operand(self, returned: Any, what: str, declared: Type | None = None) -> tuple[Operand | None, Type]:
        """The operand and type of what a block's function returned; no operand for None and for an effect."""
        if returned is None and declared in (None, NONE):
            return None, NONE
        if isinstance(returned, Effect) and returned._dl_block.is_open_in(self):
            return None, NONE
        return self.operand(returned, what), value_type(returned) if declared is None else declared

    def control_after(self, recorded: Sequence[Recorded], upstream: Sequence[object] = ()) -> tuple[str, ...]:
        """What a control node comes after, given its recorded blocks."""
        return self._after(upstream, waits=any(r.open.has_effect or r.open.has_source for r in recorded))

    def record_control(self, node: Node, recorded: Sequence[Recorded]) -> None:
        """Record a control node whose blocks are closed; effects in them keep their order with those around it."""
        self._record(node)
        effect, source = any(r.open.has_effect for r in recorded), any(r.open.has_source for r in recorded)
        self._keep_order(node.id, effect=effect, source=source)

    def result(self, node: str, ports: Sequence[Port]) -> Handle:
        """The handle of a control node's one result, good for `.after(...)` only if it has none."""
        if not ports:
            return Effect(self.block, Output(node), NONE)
        return Handle(self.block, Output(node, ports[0].name), ports[0].type)

    # nested pipelines

    def call_pipeline(
        self, pipeline: Pipeline[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], frame: FrameType
    ) -> Handle:
        """Record a pipeline inside this one: its body is traced in place, on what it is given.

        Raises:
            DefinitionError: the arguments don't fit (D112), a static one isn't known (D123), or pipelines call each
                other without end (D121).
        """
        name, signature = pipeline.function.__name__, pipeline.signature()
        defaults = [signature.defaults.get(n, MISSING) for n in signature.names]
        given = dict(
            zip(signature.names, bind_values(name, signature.names, signature.positional, defaults, args, kwargs))
        )
        if self.depth >= _MAX_NESTED:
            raise refusal(
                "D121",
                f"`{name}` is called inside itself without end; a graph must be finite",
                "use `while_loop`, or stop the recursion by a `Static` parameter",
            )
        node = self.node_id(frame, name)
        operands = {p.name: self.operand(given[p.name], f"input `{p.name}` of `{name}`") for p in signature.ports}
        for static in signature.static:
            _check_static(name, static, given[static])

        def body() -> Any:
            for port in signature.ports:
                type_ = value_type(given[port.name]) if port.type == ANY else port.type
                given[port.name] = Handle(self.block, operands[port.name], type_)
            try:
                return converted(pipeline.function)(**given)
            except Leave:  # every way through it raises
                leaves.append(True)
                never = Handle(self.block, Apply("unset", ()), signature.result or NONE)
                return None if signature.result in (None, NONE) else never

        leaves: list[bool] = []
        self.depth += 1
        recorded = self.record_block(node, {}, body, f"the result of `{name}`", signature.result)
        self.depth -= 1
        ports, block = recorded.with_result()
        after = self.control_after([recorded], pipeline.upstream)
        inputs = tuple(operands.items())
        self.record_control(PipelineCall(node, pipeline.name, block, inputs, ports, after), [recorded])
        if leaves and self.stage is not None:
            from drawloom.dsl.staging.functions import ends_here  # it imports this module

            return ends_here(self.stage, {})  # type: ignore[no-any-return]  # a handle
        return self.result(node, ports)


_MAX_NESTED = 100  # pipelines inside each other; each takes a few Python frames to trace, walk and write


def _refers(operand: Operand) -> bool:
    """Whether an operand has upstream data: more than the run's parameters and facts."""
    if type(operand) is Output:
        return True
    return any(not isinstance(reference, (Param, RunInfo)) for reference in references(operand))


def _flat(upstream: Iterable[object]) -> Iterable[object]:
    for one in upstream:
        if isinstance(one, (list, tuple)):
            yield from _flat(one)
        else:
            yield one


def _check_static(owner: str, name: str, value: object) -> None:
    if isinstance(value, Handle):
        raise refusal(
            "D123",
            f"the static parameter `{name}` of `{owner}` is given {value!r}",
            "give it a value that is known while the pipeline is traced, or take `Static[...]` away",
        )


@lru_cache(maxsize=1024)
def applied_type(op: str, types: tuple[Type, ...]) -> Type:
    """The type an operator gives; `any` where `ir.check` will find a problem, which tells it with all the others."""
    try:
        return operator_type(op, list(types))
    except TypeProblem:
        return ANY
