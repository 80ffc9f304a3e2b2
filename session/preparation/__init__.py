"""Making a program fit a target, offline: parameters bound, gates rebased, what it cannot do refused by name and line."""

from session.preparation.binding import bind_rows, check_task, prepare_circuit, settled
from session.preparation.flat import inlined
from session.preparation.gate_sets import GateSetError, canonical_name, native_gate
from session.preparation.measurements import combine, measurement_groups
from session.preparation.rebase import rebase
from session.preparation.target import TargetError, check_target

__all__ = [
    "GateSetError",
    "TargetError",
    "bind_rows",
    "canonical_name",
    "check_target",
    "check_task",
    "combine",
    "inlined",
    "measurement_groups",
    "native_gate",
    "prepare_circuit",
    "rebase",
    "settled",
]
