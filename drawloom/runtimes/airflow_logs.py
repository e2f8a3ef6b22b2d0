"""The log of a task as Airflow's API gives it: what the step printed, without what Airflow says around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Final

from drawloom.runtimes.step_errors import telling_line

__all__ = ["printed_lines", "told_error"]

# Any: Airflow's answers as JSON trees

_OWN: Final = "Step"  # the operators' loggers are named after their classes
_ERROR: Final = re.compile(r"[\w.]+(Error|Exception): ")  # the last line of a traceback
_LINE: Final = re.compile(r"\[[^]]*\] \{([^}]*):\d+\} INFO - ")  # of Airflow 2


def printed_lines(answer: Any, file: str) -> list[str]:
    """The lines of a log that the operators of a DAG file wrote, each with its end.

    Args:
        answer: what the API answers: a list of events (Airflow 3), or a text (Airflow 2).
        file: the name of the DAG file.
    """
    text = _log_text(answer)
    if text:
        return list(_lines_of(text, file))
    return [f"{one.get('event', '')}\n" for one in answer.get("content", ()) if _is_own(one)]


def told_error(answer: Any, file: str) -> str:
    """What a log says of why its task failed, in one line.

    Args:
        answer, file: as for `printed_lines`.
    """
    return telling_line(printed_lines(answer, file)) or _task_error(answer)


def _task_error(found: Any) -> str:
    text = _log_text(found)
    if text:
        errors = [line for line in text.split("\n") if _ERROR.match(line)]
        return errors[-1] if errors else "its log tells of no error"
    content = found.get("content", []) if isinstance(found, dict) else []
    events = [one for one in content if isinstance(one, dict) and one.get("error_detail")]
    if not events:
        return "its log is empty"
    detail = events[-1]["error_detail"][-1]
    return f"{detail.get('exc_type', '')}: {detail.get('exc_value', '')}"


def _log_text(answer: Any) -> str:
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
