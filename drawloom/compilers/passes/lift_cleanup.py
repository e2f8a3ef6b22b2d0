"""Lifts clean-up out of tries that have handlers: afterwards a try has handlers or `final`, never both.

An engine that can start steps after a failure, or always at the end, need not tell which handlers stand in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drawloom.compilers.passes.made_nodes import Names
from drawloom.compilers.passes.rewriting import expand, rename_outputs
from drawloom.ir.nodes import Block, Node, Pipeline, Try
from drawloom.ir.operands import Output
from drawloom.ir.walk import walk

__all__ = ["lift_cleanup"]


def lift_cleanup(pipeline: Pipeline) -> Pipeline:
    """Each try with handlers and `final` goes into a try of its own that has the `final`.

    The inner one keeps its id, because a handler may read where a failure was; what used its results uses the outer's.

    >>> from drawloom.ir.nodes import Call, Handler, TaskSpec, FunctionRef
    >>> from drawloom.ir.text import format_pipeline
    >>> body, handler, final = (Block((Call(name, "m:f"),)) for name in ("try_it", "mend", "clean"))
    >>> guard = Try("guard", body, (Handler(("builtins:OSError",), handler),), final)
    >>> tasks = (TaskSpec("m:f", FunctionRef("m", "f")),)
    >>> before = Pipeline("p", tasks=tasks, body=Block((guard, Call("last", "m:f", after=("guard",)))))
    >>> print(format_pipeline(before))
    pipeline p()
      task m:f() -> Any
    <BLANKLINE>
      guard = try
        do
          try_it = m:f() -> Any
        except builtins:OSError
          mend = m:f() -> Any
        finally
          clean = m:f() -> Any
      last = m:f() -> Any after guard
    >>> print(format_pipeline(lift_cleanup(before)))
    pipeline p()
      task m:f() -> Any
    <BLANKLINE>
      guard~final = try
        do
          guard = try
            do
              try_it = m:f() -> Any
            except builtins:OSError
              mend = m:f() -> Any
        finally
          clean = m:f() -> Any
      last = m:f() -> Any after guard~final
    """
    names = Names(pipeline)
    lifted = {node.id: names.fresh(f"{node.id}~final") for node in walk(pipeline.body) if _has_both(node)}

    def change(node: Node) -> Iterable[Node]:
        if not isinstance(node, Try) or node.id not in lifted:
            return (node,)
        inner = replace(node, final=None, after=())
        results = tuple((port.name, Output(node.id, port.name)) for port in node.results)
        return (replace(node, id=lifted[node.id], body=Block((inner,), results), handlers=()),)

    return expand(rename_outputs(pipeline, lifted), change)


def _has_both(node: Node) -> bool:
    return isinstance(node, Try) and bool(node.handlers) and node.final is not None
