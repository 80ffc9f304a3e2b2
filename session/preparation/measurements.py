"""An observable as circuits to be measured, and its value out of their counts: for those who send circuits themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qsim.circuit import Circuit
from qsim.pauli import SparsePauliOp
from session.backends.limits import check_hamiltonian
from session.backends.measuring import MeasurementPlan, plan
from session.backends.mitigation import ReadoutCalibration
from session.errors import SessionError
from session.estimates import EstimationResult
from session.preferences import GROUPINGS
from session.programs import read_program


def measurement_groups(
    circuit: Circuit, observable: SparsePauliOp, shots: int, grouping: str = "qubit-wise"
) -> MeasurementPlan:
    """Circuits that measure an observable in the state that a circuit makes, qubit k into bit k.

    Args:
        circuit: of gates; measurements at its end are left out.
        observable: Hermitian.
        shots: in all; they are split by the weight of the groups, largest remainders first, at least two each.
        grouping: "qubit-wise" or "commuting".

    Returns:
        A plan: ``plan.groups`` have a ``circuit`` and ``shots`` each.

    Raises:
        SessionError: the observable has no value here, or there are too few shots.

    >>> from qsim import Pauli
    >>> made = measurement_groups(Circuit(2).h(0).cx(0, 1), Pauli.Z(0) * Pauli.Z(1) + 3 * Pauli.X(0) * Pauli.X(1), 100)
    >>> [(group.circuit.count_ops()["h"], group.shots) for group in made.groups]
    [(3, 74), (1, 26)]
    """
    if grouping not in GROUPINGS:
        raise SessionError(f"grouping is {' or '.join(map(repr, GROUPINGS))}; got {grouping!r}.")
    program = read_program(circuit)
    check_hamiltonian(program, observable)
    return plan(program, observable, shots, grouping)


def combine(
    made: MeasurementPlan, counts: Sequence[Mapping[int, int]], calibration: ReadoutCalibration | None = None
) -> EstimationResult:
    """The value of an observable, with its standard error.

    Args:
        made: by `measurement_groups`.
        counts: of each group's circuit, shots by outcome as an integer whose bit k is classical bit k.
        calibration: takes readout errors out; see `session.backends.mitigation`.

    >>> from qsim import Pauli
    >>> made = measurement_groups(Circuit(1).h(0), 2 * Pauli.X(0) + 1, 100)
    >>> combine(made, [{0: 100}])
    EstimationResult(value=3.0, variance=0.0, standard_error=0.0)
    """
    if len(counts) != len(made.groups):
        raise SessionError(f"Counts are given for each of the {len(made.groups)} circuits, got {len(counts)}.")
    value, error = made.estimate(counts, calibration)
    shots = sum(sum(found.values()) for found in counts)
    metadata = {"method": "shots", "num_shots": shots, "groups": len(made.groups)}
    return EstimationResult(value, error * error * shots, error, metadata)
