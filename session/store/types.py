"""The classes that jobs are made of, made storable: a new kind of task, result or program adds its line here."""

from __future__ import annotations

import re

from session.preferences import BackendNames, ExecutionPreferences
from session.programs import Program, read_program
from session.results import EstimationResult, ExecutionDetails
from session.store import circuits  # noqa: F401  (registers what a circuit holds)
from session.store.values import Fields, register, register_dataclass, register_enum
from session.tasks import Task, TaskKind

_INCLUDE = re.compile(r"^\s*include\b", re.MULTILINE)
_STANDARD = re.compile(r"""^\s*include\s*["'](?:qelib1|stdgates)\.inc["']\s*;""", re.MULTILINE)


def _take_program(program: Program) -> Fields:
    """Its text when that says everything; a text that includes other files is stored as the circuit it gave."""
    source = program.source
    if isinstance(source, str) and len(_INCLUDE.findall(source)) == len(_STANDARD.findall(source)):
        return {"source": source}
    return {"source": program.circuit}


def _make_program(fields: Fields) -> Program:
    return read_program(fields["source"])


register_enum("kind", TaskKind)
register_enum("backend", BackendNames)
register("program", Program, _take_program, _make_program)
register_dataclass("task", Task)
register_dataclass("preferences", ExecutionPreferences)
register_dataclass("details", ExecutionDetails)
register_dataclass("estimate", EstimationResult)
