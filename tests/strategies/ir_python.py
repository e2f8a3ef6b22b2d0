"""A pipeline as plain Python source: what CPython makes of it, to hold the reference interpreter to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from drawloom.errors import BoundReached
from drawloom.ir.envelope import class_by_ref, class_ref, decode
from drawloom.ir.evaluate import map_items
from drawloom.ir.nodes import Block, Branch, Call, Loop, Map, Node, Pipeline, PipelineCall, Try
from drawloom.ir.operands import Apply, Carried, Caught, Const, Field, Item, Operand, Output, Param

__all__ = ["run_as_python", "to_python"]

_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "and": "and",
    "or": "or",
}


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.type, self.message = class_ref(type(error)), str(error)


def run_as_python(
    pipeline: Pipeline, functions: Mapping[str, Any], params: Mapping[str, Any], info: Mapping[str, Any]
) -> Any:
    """What the pipeline's Python source returns; raises what it raises."""
    space: dict[str, Any] = {
        "functions": functions,
        "params": {p.name: decode(json.loads(p.default)) for p in pipeline.params if p.default} | dict(params),
        "info": info,
        "const": lambda text: decode(json.loads(text)),
        "items": map_items,
        "classes": lambda names: tuple(class_by_ref(name) for name in names),
        "Failure": _Failure,
        "BoundReached": BoundReached,
    }
    exec(to_python(pipeline), space)
    return space["pipeline"]()


def to_python(pipeline: Pipeline) -> str:
    """The source of a function `pipeline()`."""
    lines = _block(pipeline.body, [])
    lines.append(f"return {_operand(dict(pipeline.body.results)['result'])}")
    return "\n".join(["def pipeline():", *(f" {line}" for line in lines)])


def _name(node: str, port: str = "result") -> str:
    return f"{node}__{port}"


def _block(block: Block, results: list[tuple[str, str]]) -> list[str]:
    """The statements of a block; `results`: (variable, result name) assigned at its end, all at once."""
    lines = [line for node in block.nodes for line in _node(node)]
    given = dict(block.results)
    if results:
        variables = ", ".join(variable for variable, _ in results)
        lines.append(f"{variables}, = {', '.join(_operand(given[name]) for _, name in results)},")
    return lines or ["pass"]


def _indented(lines: list[str]) -> list[str]:
    return [f" {line}" for line in lines]


def _node(node: Node) -> list[str]:
    match node:
        case Call():
            inputs = ", ".join(f"{name}={_operand(operand)}" for name, operand in node.inputs)
            return [f"{_name(node.id)} = functions[{node.task!r}]({inputs})"]
        case PipelineCall():
            return _block(node.body, [(_name(node.id, p.name), p.name) for p in node.results])
        case Map():
            item = [("given", "result")]
            body = [f"{_name(node.id, 'item')} = it_{node.id}", *_block(node.body, item)]
            body.append(f"{_name(node.id)}.append(given)")
            return [f"{_name(node.id)} = []", f"for it_{node.id} in items({_operand(node.items)}):", *_indented(body)]
        case Branch():
            lines = []
            for word, case in zip(["if", *["elif"] * len(node.cases)], node.cases, strict=False):
                lines += [f"{word} {_operand(case.test)}:", *_indented(_block(case.block, _ports(node)))]
            return [*lines, "else:", *_indented(_block(node.otherwise, _ports(node)))]
        case Loop():
            return _loop(node)
        case Try():
            return _try(node)
    raise NotImplementedError(type(node).__name__)


def _ports(node: Branch | Try) -> list[tuple[str, str]]:
    return [(_name(node.id, p.name), p.name) for p in node.results]


def _loop(node: Loop) -> list[str]:
    lines = [f"{_name(node.id, c.name)} = {_operand(c.initial)}" for c in node.carried]
    counter = f"count_{node.id}"
    limit = f"raise BoundReached({node.max_iterations})" if node.on_limit == "fail" else "break"
    body = [
        *_block(node.test, [("go_on", "test")]),
        "if not go_on: break",
        f"if {counter} == {node.max_iterations}: {limit}",
        f"{counter} += 1",
        *_block(node.body, [(_name(node.id, c.name), c.name) for c in node.carried]),
    ]
    return [*lines, f"{counter} = 0", "while True:", *_indented(body)]


def _try(node: Try) -> list[str]:
    lines = ["try:", *_indented(_block(node.body, _ports(node)))]
    for handler in node.handlers:
        lines.append(f"except classes({handler.exceptions!r}) as error:")
        lines.append(f" caught_{node.id} = Failure(error)")
        lines += _indented(_block(handler.block, _ports(node)))
    if node.final is not None:
        lines += ["finally:", *_indented(_block(node.final, []))]
    elif not node.handlers:
        lines += ["finally:", " pass"]
    return lines


def _operand(operand: Operand) -> str:
    match operand:
        case Const():
            return f"const({operand.json!r})"
        case Apply():
            return _apply(operand.op, [_operand(a) for a in operand.args])
        case Param():
            text = f"params[{operand.name!r}]"
        case Output():
            text = _name(operand.node, operand.port)
        case Item():
            text = _name(operand.map, "item")
        case Carried():
            text = _name(operand.loop, operand.name)
        case Caught():
            text = f"caught_{operand.node}"
        case _:
            return f"info[{operand.field!r}]"
    return text + "".join(f".{s.name}" if isinstance(s, Field) else f"[{s.key!r}]" for s in operand.path)


def _apply(op: str, args: list[str]) -> str:
    if op in _INFIX:
        return f"({args[0]} {_INFIX[op]} {args[1]})"
    if op == "select":
        return f"({args[1]} if {args[0]} else {args[2]})"
    templates = {
        "neg": "(-{0})",
        "not": "(not {0})",
        "is_none": "({0} is None)",
        "contains": "({1} in {0})",
        "get": "{0}[{1}]",
        "format": "({0} + format({1}, {3}) + {4})",  # one value without a conversion
        "list": f"[{', '.join(args)}]",
        "tuple": f"({', '.join(args)},)",
    }
    return templates.get(op, f"{op}({{0}})").format(*args) if op not in ("list", "tuple") else templates[op]
