"""A task as a body of Arnica's POST /submit: circuits of RZ, R and RXX in JSON, each with its repetitions.

Arnica's angles are in units of pi: ``R`` turns by theta in [0, 1] about the axis at phi in [0, 2] of the equator, ``RXX``
by theta in [0, 0.5], ``RZ`` by any phi. One MEASURE ends a circuit and is of all qubits. The limits are those of the
models of aqt-connector 0.5.0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from qsim.circuit import Circuit
from qsim.gates import Gate
from session.backends.experiments import Experiment
from session.backends.protocol import Prepared
from session.backends.readout import readout
from session.errors import BatchTooLarge, SessionError
from session.preparation import rebase

GATES = frozenset(("rz", "r", "rxx"))
MAX_CIRCUITS, MAX_OPERATIONS, MAX_REPETITIONS = 50, 2_000, 2_000


def operations(circuit: Circuit) -> list[dict[str, Any]]:
    """A circuit of `GATES` with small angles as Arnica's operations, the measurement included.

    >>> operations(Circuit(2).r(3.141592653589793, 0, 1).rxx(1.5707963267948966, 0, 1))[:2]
    [{'operation': 'R', 'qubit': 1, 'theta': 1.0, 'phi': 0.0}, {'operation': 'RXX', 'qubits': [0, 1], 'theta': 0.5}]
    """
    made: list[dict[str, Any]] = []
    for instruction in circuit:
        operation, qubits = instruction.operation, instruction.qubits
        if not isinstance(operation, Gate) or not qubits:
            continue  # measurements are of all qubits, barriers and phases have no effect
        angles = [float(angle) for angle in operation.params]
        if operation.name == "rz":
            turns = math.remainder(angles[0], 4 * math.pi) / math.pi
            made.append({"operation": "RZ", "qubit": qubits[0], "phi": turns})
        elif operation.name == "r":
            theta, phi = _within(angles[0], 1.0), _within(angles[1] % (2 * math.pi), 2.0)
            made.append({"operation": "R", "qubit": qubits[0], "theta": theta, "phi": phi})
        else:
            made.append({"operation": "RXX", "qubits": list(qubits), "theta": _within(angles[0], 0.5)})
    made.append({"operation": "MEASURE"})
    return made


def _within(angle: float, most: float) -> float:
    """Radians in units of pi, from 0 to `most` but for rounding."""
    turns = angle / math.pi
    if not -1e-9 <= turns <= most + 1e-9:
        raise SessionError(f"An angle for AQT is from 0 to {most:g} pi, got {turns:g} pi.")
    return min(max(turns, 0.0), most)


def repetitions(shots: int) -> list[int]:
    """Shots as repetitions of circuits of a job, none more than Arnica takes, and about equal.

    >>> repetitions(4500)
    [1500, 1500, 1500]
    """
    parts = -(-shots // MAX_REPETITIONS)
    return [shots // parts + (k < shots % parts) for k in range(parts)]


def payload(experiments: Sequence[Experiment], target: str) -> Prepared:
    """The body of a job, without our reference, and what `decode` needs.

    Raises:
        BatchTooLarge: it has more circuits than the service takes in a job.
        SessionError: it is beyond another limit.
    """
    parts = [repetitions(one.shots) for one in experiments]
    total = sum(map(len, parts))
    if total > MAX_CIRCUITS:
        raise BatchTooLarge(
            f"AQT takes at most {MAX_CIRCUITS} circuits of {MAX_REPETITIONS:,} repetitions in a job, and a parameter set of "
            f"this task has {total:,}: its groups of terms, times {MAX_REPETITIONS:,} shots begun of each. Give fewer shots, or "
            "an observable in parts."
        )
    circuits, sources = [], []
    for one, counts in zip(experiments, parts, strict=True):
        circuit = rebase(one.circuit, GATES, small_angles=True)
        made = operations(circuit)
        if len(made) > MAX_OPERATIONS:
            raise SessionError(
                f"AQT takes at most {MAX_OPERATIONS:,} operations in a circuit, the measurement included; this one has "
                f"{len(made):,} when it is written in RZ, R and RXX."
            )
        sources.append(readout(circuit).qubits)
        width = max(1, circuit.num_qubits)
        circuits += [{"repetitions": n, "number_of_qubits": width, "quantum_circuit": made} for n in counts]
    body = {"job_type": "quantum_circuit", "payload": {"circuits": circuits}}
    data = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    details = {"parts": parts, "num_qubits": [max(1, one.circuit.num_qubits) for one in experiments], "target": target}
    return Prepared(data, "application/json", total, tuple(sources), details)
