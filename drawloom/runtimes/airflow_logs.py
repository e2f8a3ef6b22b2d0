"""The log of a task as Airflow's API gives it: what the step printed, without what Airflow says around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["log_text", "printed_lines"]

# Any: Airflow's answers as JSON trees

_OWN: Final = "Step"  # the operators' loggers are named after their classes
_LINE: Final = re.compile(r"\[[^]]*\] \{([^}]*):\d+\} INFO - ")  # of Airflow 2


def printed_lines(answer: Any, file: str) -> list[str]:
    """The lines of a log that the operators of a DAG file wrote, each with its end.

    Args:
        answer: what the API answers: a list of events (Airflow 3), or a text (Airflow 2).
        file: the name of the DAG file.
    """
    text = log_text(answer)
    if text:
        return list(_lines_of(text, file))
    return [f"{one.get('event', '')}\n" for one in answer.get("content", ()) if _is_own(one)]


def log_text(answer: Any) -> str:
    """The whole log as Airflow 2 answers it: Python's form of a list of hosts, each with its text; "" of Airflow 3."""
    content = answer.get("content", "") if isinstance(answer, dict) else answer
    if not isinstance(content, str):
        return ""
    try:
        return "\n".join(text for _, text in ast.literal_eval(content))
    except (SyntaxError, ValueError):
        return content


def _lines_of(text: str, file: str) -> Iterator[str]:
    for line in text.split("\n"):
        begin = _LINE.match(line)
        if begin and begin[1] == file:
            yield f"{line[begin.end() :]}\n"


def _is_own(event: Any) -> bool:
    return isinstance(event, dict) and str(event.get("logger", "")).rpartition(".")[2] in (_OWN, "Begin", "End")
