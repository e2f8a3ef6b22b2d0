"""Which node an import error of a DAG file is about: Airflow tells the line of the file."""

from __future__ import annotations

import ast
import re

__all__ = ["node_of_error"]


def node_of_error(trace: str, name: str, text: str) -> str:
    """The task that the line of an error belongs to, as Airflow names it; "" if it belongs to none.

    Args:
        trace: the traceback that Airflow has.
        name: the name of the DAG file.
        text: the file.
    """
    lines = re.findall(rf'File "[^"]*{re.escape(name)}", line (\d+)', trace)
    try:
        module = ast.parse(text)
    except SyntaxError:
        return ""
    if not lines:
        return ""
    number = int(lines[-1])
    made = [one for one in ast.walk(module) if isinstance(one, ast.Call) and _task_id(one)]
    found = [one for one in made if one.lineno <= number <= (one.end_lineno or one.lineno)]
    if not found:  # an import: whoever uses what it imports
        imported = _imported_at(module, number)
        found = [one for one in made if isinstance(one.func, ast.Name) and one.func.id in imported]
    return _task_id(min(found, key=lambda one: (one.end_lineno or 0) - one.lineno)) if found else ""


def _imported_at(module: ast.Module, number: int) -> set[str]:
    statements = [one for one in module.body if isinstance(one, ast.ImportFrom)]
    there = [one for one in statements if one.lineno <= number <= (one.end_lineno or one.lineno)]
    return {alias.name for one in there for alias in one.names}


def _task_id(call: ast.Call) -> str:
    for given in call.keywords:
        if given.arg == "task_id" and isinstance(given.value, ast.Constant):
            return str(given.value.value)
    return ""
