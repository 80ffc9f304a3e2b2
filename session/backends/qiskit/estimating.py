"""Expectation values by an `EstimatorV2`: for those whose provider mitigates errors in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from qsim.circuit import Circuit
from session.backends.qiskit.kinds import is_ibm
from session.errors import SessionError
from session.estimates import EstimationResult
from session.operator_json import operator_from_json, operator_to_json
from session.programs import Program, without_measurements
from session.results import Result
from session.tasks import Task


def is_estimator(given: Any) -> bool:
    """Whether it is an `EstimatorV2`."""
    from qiskit.primitives import BaseEstimatorV2

    return isinstance(given, BaseEstimatorV2)


def provider_estimator(backend: Any) -> Any:
    """IBM's for IBM's backends, Qiskit's own for all others."""
    if is_ibm(backend):
        from qiskit_ibm_runtime import EstimatorV2

        return EstimatorV2(mode=backend)
    from qiskit.primitives import BackendEstimatorV2

    return BackendEstimatorV2(backend=backend)


def bound_circuits(program: Program, task: Task) -> list[Circuit]:
    """The state of each parameter set, unmeasured."""
    base = without_measurements(program.circuit)
    return [base.bind(program.named(row)) if base.parameters else base for row in task.rows]


def described(task: Task) -> dict[str, Any]:
    """What the pubs need besides circuits: a standard error of 1/sqrt(shots) is what so many shots of a Pauli have."""
    observables = [operator_to_json(operator) for operator in task.observables]
    return {"observables": observables, "precision": 1 / math.sqrt(task.num_shots)}


def pubs(circuits: Sequence[Any], wanted: Mapping[str, Any], num_qubits: int) -> list[Any]:
    """A pub for each circuit, all observables in it, on the qubits that the transpiler chose."""
    from qiskit.quantum_info import SparsePauliOp

    made = []
    for circuit in circuits:
        operators = []
        for data in wanted["observables"]:
            labels = operator_from_json(data).to_list(num_qubits) or [("I" * num_qubits, 0j)]
            operator = SparsePauliOp.from_list([(label, complex(value).real) for label, value in labels])
            operators.append(operator.apply_layout(circuit.layout) if circuit.layout is not None else operator)
        made.append((circuit, operators, None, wanted["precision"]))
    return made


def to_bytes(result: Any) -> bytes:
    """The values and standard errors of a `PrimitiveResult`, as JSON."""
    parts = []
    for pub in result:
        values, errors = pub.data["evs"], pub.data["stds"]
        parts.append({"values": [float(v) for v in values], "errors": [float(e) for e in errors]})
    return json.dumps({"estimated": parts}).encode()


def read(bodies: Sequence[bytes], batches: Sequence[Sequence[int]], task: Task, name: str) -> list[Result]:
    """Results out of what `to_bytes` stored, of each job.

    Raises:
        SessionError: it is damaged, or of another number of circuits or observables.
    """
    found: dict[int, Any] = {}
    try:
        for batch, body in zip(batches, bodies, strict=True):
            for k, part in zip(batch, json.loads(body)["estimated"], strict=True):
                pairs = list(zip(part["values"], part["errors"], strict=True))
                found[k] = [_result(float(value), float(error), task.num_shots, name) for value, error in pairs]
                if len(pairs) != len(task.observables):
                    raise ValueError(f"{len(pairs)} values for {len(task.observables)} observables")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SessionError(f"The stored estimates of a Qiskit job are damaged: {error}") from None
    return [found[k] if task.several else found[k][0] for k in sorted(found)]


def _result(value: float, error: float, shots: int, name: str) -> EstimationResult:
    if not math.isfinite(value) or not error >= 0:
        raise ValueError(f"{value} with an error of {error}")
    metadata = {"backend": name, "method": "estimator", "num_shots": shots}
    return EstimationResult(value, error * error * shots, error, metadata)
