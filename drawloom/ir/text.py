"""The text form of a pipeline: stable, readable, with everything in it that a digest covers.

    pipeline churn(csv: File, depths: list[int] = [2,4]) -> result: ml:Model | None
      task ml:load(csv: File) -> DataFrame
      task ml:score(model: ml:Model, table: DataFrame) -> float
      task ml:train(table: DataFrame, depth: int) -> ml:Model with retry=(max_attempts=3)
      type ml:Model = dataclass(size: int)

      table = ml:load(csv=$csv) -> DataFrame
      models = map $depths of int -> result: list[ml:Model]
        do
          train = ml:train(table=table, depth=@models) -> ml:Model
          give result=train
      score = ml:score(model=models[0], table=table) -> float after models
      winner = branch -> result: ml:Model | None
        case (score > 0.8)
          give result=models[0]
        else
          give result=null
      give result=winner

Grammar, by lines; indentation shows what holds what:

    pipeline NAME(PORT, ...) [-> PORT, ...] [with OPTIONS]
    task NAME(PORT, ...) -> TYPE [effect] [at FUNCTION] [#DIGEST] [in SCOPE] [runs CONTAINER]
         [on ENGINE SPEC] [with OPTIONS]
    type REF = KIND(FIELD: TYPE, ...) [under BASE, ...]
    ID = TASK(INPUT, ...) -> TYPE | pipeline NAME(INPUT, ...) | map OPERAND of TYPE | branch | try
       | loop(NAME: TYPE = OPERAND, ...) max N
       each followed by [-> PORT, ...] [after ID, ...] [with OPTIONS], and by its blocks:
    do | test | case OPERAND | else | except CLASS, ... | finally
    give NAME=OPERAND, ...

    OPERAND   $param   node   node:port   @map (its item)   @loop:name (carried)   !try (caught)   %field (run info)
              each with a path (.field  [0]  ["key"]);  constants are the JSON of their envelope;
              (a + b)   not(a)   select(test, a, b)   ...

A name that isn't an identifier, or could be read as something else, stands in backticks, escaped as in JSON. Excerpts
for diagnostics are the same lines, types by their short names and long constants cut; the full form cuts nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from drawloom.frozen import field_defaults, is_frozen
from drawloom.ir.nodes import (
    Block,
    Branch,
    Call,
    Loop,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Port,
    TaskSpec,
    Try,
)
from drawloom.ir.notation import (
    cut,
    format_name,
    format_operand,
    format_ref,
    format_type,
    printable,
    type_fields,
)
from drawloom.ir.operands import Carried, Caught, Const, Item, Operand, Output
from drawloom.ir.tasks import Container, InputPath, InputText, OutputPath
from drawloom.ir.types import Type
from drawloom.ir.walk import blocks, operands, references, walk

__all__ = [
    "Printer",
    "excerpt",
    "excerpt_of",
    "format_name",
    "format_operand",
    "format_pipeline",
    "format_type",
    "numbered",
]

_HEX: Final = re.compile(r"[0-9a-f]+")
_LONGEST_LINE: Final = 140
_MOST_PRODUCERS: Final = 3
_HERE: Final = "<- here"


def format_pipeline(pipeline: Pipeline) -> str:
    """The full text form of a pipeline, without a newline at the end."""
    printer = Printer(pipeline)
    lines = [printer.head(pipeline)]
    lines += [f"  {printer.task(spec)}" for spec in pipeline.tasks]
    lines += [f"  {line}" for line in _type_lines(pipeline)]
    if len(lines) > 1 and (pipeline.body.nodes or pipeline.body.results):
        lines.append("")
    printer.block(pipeline.body, "  ", lines)
    return "\n".join(lines)


class Printer:
    """Prints the parts of one pipeline, as `format_pipeline` does or shortened for excerpts."""

    def __init__(self, pipeline: Pipeline, *, short: bool = False) -> None:
        self._short = short
        self._results = {spec.name: spec.result for spec in pipeline.tasks}

    def operand(self, operand: Operand) -> str:
        return format_operand(operand, short=self._short)

    def type(self, type_: Type) -> str:
        return printable(str(type_)) if self._short else format_type(type_)

    def head(self, pipeline: Pipeline) -> str:
        """The line of the pipeline itself."""
        facts = {f: getattr(pipeline, f) for f in ("kind", "requires", "ir_version")}
        standard = {"kind": "batch", "requires": (), "ir_version": 0}
        options = _options(pipeline.policies) + [f"{k}={_value(v)}" for k, v in facts.items() if v != standard[k]]
        params = ", ".join(self._port(p) for p in pipeline.params)
        return f"pipeline {format_name(pipeline.name)}({params}){self._ports(pipeline.results)}{_with(options)}"

    def task(self, spec: TaskSpec) -> str:
        """The line of a task's interface."""
        function = spec.function
        place = f"{function.module}:{function.qualname}"
        facts = [" effect"] if spec.effect else []
        if place != spec.name:
            facts.append(f" at {format_ref(place)}")
        if function.digest:
            facts.append(f" #{function.digest if _HEX.fullmatch(function.digest) else format_name(function.digest)}")
        if function.scope != "function":
            facts.append(f" in {format_name(function.scope)}")
        if spec.container is not None:
            facts.append(f" runs {_container(spec.container)}")
        if spec.engine is not None:
            facts.append(f" on {format_name(spec.engine.engine)} {json.dumps(spec.engine.spec)}")
        inputs = ", ".join(self._port(p) for p in spec.inputs)
        options = _with(_options(spec.policies))
        return f"task {format_ref(spec.name)}({inputs}) -> {self.type(spec.result)}{''.join(facts)}{options}"

    def block(self, block: Block, indent: str, lines: list[str]) -> None:
        """The lines of a block and of all it holds."""
        for node in block.nodes:
            lines.append(f"{indent}{format_name(node.id)} = {self.node(node)}")
            for title, inner in zip(self._titles(node), blocks(node), strict=True):
                lines.append(f"{indent}  {title}")
                self.block(inner, f"{indent}    ", lines)
        if block.results:
            lines.append(f"{indent}give {self.inputs(block.results)}")

    def node(self, node: Node) -> str:
        """The line of a node, what stands after `ID =`; without the blocks it holds."""
        text = self._what(node)
        if isinstance(node, Call) and node.task in self._results:
            text += f" -> {self.type(self._results[node.task])}"
        elif not isinstance(node, (Call, Loop)):
            text += self._ports(node.results)
        if node.after:
            text += f" after {', '.join(format_name(n) for n in node.after)}"
        return text if self._short else text + self._node_options(node)

    def _what(self, node: Node) -> str:
        match node:
            case Call():
                return f"{format_ref(node.task)}({self.inputs(node.inputs)})"
            case PipelineCall():
                return f"pipeline {format_name(node.pipeline)}({self.inputs(node.inputs)})"
            case Map():
                return f"map {self.operand(node.items)} of {self.type(node.item)}"
            case Branch():
                return "branch"
            case Try():
                return "try"
            case Loop():
                carried = [
                    f"{format_name(c.name)}: {self.type(c.type)} = {self.operand(c.initial)}" for c in node.carried
                ]
                return f"loop({', '.join(carried)}) max {node.max_iterations}"

    def _node_options(self, node: Node) -> str:
        options: list[str] = []
        if isinstance(node, Call) and node.policies is not None:
            options = _options(node.policies) or ["no policies"]  # they replace the task's
        if isinstance(node, Map):
            options = [f"batch_size={node.batch_size}"] if node.batch_size != 1 else []
            options += [f"parallelism={_value(node.parallelism)}"] if node.parallelism is not None else []
        if isinstance(node, Loop) and node.on_limit != "fail":
            options = [f"on_limit={_value(node.on_limit)}"]
        return _with(options)

    def _titles(self, node: Node) -> list[str]:
        """What stands over each block of a node, in the order of `walk.blocks`."""
        match node:
            case Branch():
                return [*(f"case {self.operand(case.test)}" for case in node.cases), "else"]
            case Loop():
                return ["test", "do"]
            case Try():
                handlers = [f"except {', '.join(format_ref(e) for e in h.exceptions)}" for h in node.handlers]
                return ["do", *handlers, *(["finally"] if node.final is not None else [])]
        return ["do"] * len(blocks(node))

    def inputs(self, pairs: Iterable[tuple[str, Operand]]) -> str:
        """`name=operand, ...`."""
        return ", ".join(f"{format_name(name)}={self.operand(operand)}" for name, operand in pairs)

    def _port(self, port: Port) -> str:
        default = f" = {self.operand(Const(port.default))}" if port.default is not None else ""
        return f"{format_name(port.name)}: {self.type(port.type)}{default}"

    def _ports(self, ports: Sequence[Port]) -> str:
        return f" -> {', '.join(self._port(p) for p in ports)}" if ports else ""


def _container(container: Container) -> str:
    """`"image" ["program", path x, text y + "...", output "name" ".suffix"] env ["A=b"]`."""
    arguments = ", ".join(" + ".join(map(_part, argument)) or '""' for argument in container.command)
    env = f" env {json.dumps([list(pair) for pair in container.env])}" if container.env else ""
    return f"{json.dumps(container.image)} [{arguments}]{env}"


def _part(part: str | InputPath | InputText | OutputPath) -> str:
    match part:
        case str():
            return json.dumps(part)
        case InputPath(name):
            return f"path {format_name(name)}"
        case InputText(name):
            return f"text {format_name(name)}"
        case OutputPath(name, suffix):
            return f"output {json.dumps(name)} {json.dumps(suffix)}"


def numbered(pipeline: Pipeline) -> dict[str, tuple[int, Node]]:
    """Every node of a pipeline by id, with its place in program order; of two with one id the first."""
    found: dict[str, tuple[int, Node]] = {}
    for place, node in enumerate(walk(pipeline.body)):
        found.setdefault(node.id, (place, node))
    return found


def excerpt(pipeline: Pipeline, node_id: str = "") -> str:
    """A few lines of the graph around a node, which is marked: it and the nodes it takes values from.

    Args:
        pipeline: the pipeline.
        node_id: the node; "" (or an id that isn't there) marks the pipeline itself.
    """
    printer = Printer(pipeline, short=True)
    nodes = numbered(pipeline) if node_id else {}
    if node_id not in nodes:
        return f"{cut(printer.head(pipeline), _LONGEST_LINE)}    {_HERE}"
    return excerpt_of(printer, nodes[node_id][1], nodes)


def excerpt_of(printer: Printer, marked: Node | Block, nodes: dict[str, tuple[int, Node]]) -> str:
    """`excerpt` for a caller that has made the printer and numbered the nodes; of a block the results are marked."""
    found = [operand for _, operand in marked.results] if isinstance(marked, Block) else list(operands(marked))
    names = [name for operand in found for name in map(_producer, references(operand))]
    if isinstance(marked, Block):
        last = f"give {printer.inputs(marked.results)}"
    else:
        names += marked.after
        last = f"{format_name(marked.id)} = {printer.node(marked)}"
    producers = {name: nodes[name] for name in names if name in nodes and nodes[name][1] is not marked}
    nearest = sorted(producers.values(), key=lambda place: place[0])[-_MOST_PRODUCERS:]
    return _aligned([*(f"{format_name(n.id)} = {printer.node(n)}" for _, n in nearest), last])


def _aligned(lines: list[str]) -> str:
    """The lines with their `=` one under another and the last one marked."""
    parts = [line.partition(" = ") if not line.startswith("give ") else (line, "", "") for line in lines]
    width = max(len(name) for name, equals, _ in parts if equals or len(parts) == 1)
    made = [cut(f"{name:<{width}}{equals}{rest}" if equals else name, _LONGEST_LINE) for name, equals, rest in parts]
    right = max(len(line) for line in made)
    made[-1] = f"{made[-1]:<{right}}    {_HERE}"
    return "\n".join(made)


def _producer(reference: object) -> str:
    match reference:
        case Output(node) | Caught(node):
            return node
        case Item(map_id):
            return map_id
        case Carried(loop):
            return loop
    return ""


def _type_lines(pipeline: Pipeline) -> list[str]:
    """One line for each class that a type names, in order of first appearance."""
    lines: dict[str, None] = {}
    for type_ in _types(pipeline):
        if type_.ref:
            inside = ", ".join(format_name(v) for v in type_.values) if type_.values else type_fields(type_)
            bases = f" under {', '.join(format_ref(b) for b in type_.bases)}" if type_.bases else ""
            lines[f"type {format_ref(type_.ref)} = {type_.name}({inside}){bases}"] = None
    return list(lines)


def _types(pipeline: Pipeline) -> Iterator[Type]:
    ports = [*pipeline.params, *pipeline.results]
    roots = [port.type for port in ports]
    for spec in pipeline.tasks:
        roots += [*(port.type for port in spec.inputs), spec.result]
    for node in walk(pipeline.body):
        if isinstance(node, Map):
            roots.append(node.item)
        if isinstance(node, Loop):
            roots += [carry.type for carry in node.carried]
        elif not isinstance(node, Call):
            roots += [port.type for port in node.results]
    seen: set[Type] = set()
    stack = roots[::-1]
    while stack:
        type_ = stack.pop()
        if type_ not in seen:
            seen.add(type_)
            yield type_
            stack += [t for _, t in reversed(type_.fields)] + list(reversed(type_.args))


def _options(policies: object) -> list[str]:
    """The fields of a policy that differ from their defaults, `name=value`."""
    found = []
    for name, default in field_defaults(type(policies)):
        value = getattr(policies, name)
        if value != default:
            found.append(f"{name}={_value(value)}")
    return found


def _value(value: object) -> str:
    if is_frozen(value):
        return f"({', '.join(_options(value))})"
    if isinstance(value, tuple):
        return f"[{', '.join(_value(v) for v in value)}]"
    return json.dumps(value)


def _with(options: list[str]) -> str:
    return f" with {', '.join(options)}" if options else ""
