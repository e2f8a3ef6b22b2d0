"""Values from outside (command line, JSON) as typed values for a pipeline's parameters."""

from __future__ import annotations

from drawloom.parameters.forms import describe
from drawloom.parameters.reading import read_json, read_text, read_texts
from drawloom.parameters.scalars import ReadingError
from drawloom.parameters.signature import Given, Parameter, parameters_of, read_parameters

__all__ = [
    "Given",
    "Parameter",
    "ReadingError",
    "describe",
    "parameters_of",
    "read_json",
    "read_parameters",
    "read_text",
    "read_texts",
]
