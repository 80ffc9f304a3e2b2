"""Expectation values on what can only measure: circuits that turn groups of terms into Z, and estimates out of counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qsim.circuit import Circuit
from qsim.errors import QsimError
from qsim.estimation import Group, measurements, split_shots
from qsim.pauli import SparsePauliOp
from session.backends.mitigation import ReadoutCalibration
from session.errors import SessionError
from session.programs import Program, without_measurements

_WORD = (1 << 62) - 1


@dataclass(frozen=True)
class MeasuredGroup:
    """A circuit that measures a group of terms: qubit k into classical bit k, the only bits there are."""

    circuit: Circuit
    shots: int
    group: Group


@dataclass(frozen=True)
class MeasurementPlan:
    """All circuits of an observable, and its constant part.

    >>> from qsim.pauli import Pauli
    >>> from session.programs import read_program
    >>> made = plan(read_program(Circuit(2).h(0)), Pauli.X(0) + Pauli.Z(0) * Pauli.Z(1) + 3, 100)
    >>> made.constant, [(group.shots, group.circuit.count_ops()['h']) for group in made.groups]
    (3.0, [(50, 2), (50, 1)])
    """

    constant: float
    groups: tuple[MeasuredGroup, ...]

    def estimate(
        self, counts: Sequence[Mapping[int, int]], calibration: ReadoutCalibration | None = None
    ) -> tuple[float, float]:
        """The value and its standard error out of each circuit's counts, by outcome as an integer (bit k: qubit k).

        With a calibration, readout errors are taken out.
        """
        if calibration is not None:
            value, error = calibration.estimate([measured.group for measured in self.groups], counts)
            return self.constant + value, error
        value, error = self.constant, 0.0
        for measured, found in zip(self.groups, counts, strict=True):
            mean, spread, shots = _moments(measured.group, found)
            value += mean
            error += spread / shots
        return value, math.sqrt(error)


def plan(program: Program, operator: SparsePauliOp, shots: int, grouping: str = "qubit-wise") -> MeasurementPlan:
    """Circuits that measure an observable with so many shots in all.

    Terms that agree qubit by qubit go together, which takes a rotation of each qubit; with "commuting", all that commute
    do where that makes fewer groups, after a Clifford circuit with entangling gates.

    Raises:
        SessionError: there are fewer than two shots for each group.
    """
    base = without_measurements(program.circuit)
    made = measurements(operator, base.num_qubits, grouping)
    try:
        split = split_shots(shots, [group.weight for group in made.groups])
    except QsimError as error:
        raise SessionError(f"{error} Raise num_shots.") from None
    return MeasurementPlan(
        made.constant,
        tuple(MeasuredGroup(_turned(base, group), own, group) for group, own in zip(made.groups, split, strict=True)),
    )


def _turned(base: Circuit, group: Group) -> Circuit:
    circuit = Circuit(base.num_qubits, base.num_qubits)
    for parameter in base.parameters:
        circuit.declare_parameter(parameter)
    circuit.global_phase = base.global_phase
    for instruction in [*base, *group.basis.circuit]:
        circuit._append(instruction.operation, instruction.qubits, ())
    return circuit.measure(range(base.num_qubits), range(base.num_qubits))


def _moments(group: Group, counts: Mapping[int, int]) -> tuple[float, float, int]:
    """Mean and sample variance of a group's sum of terms, and the shots."""
    outcomes = np.array([outcome & _WORD for outcome in counts], dtype=np.int64)  # masks have no more bits
    frequencies = np.array(list(counts.values()), dtype=np.float64)
    total = int(frequencies.sum())
    if not total:
        raise SessionError("A circuit of this estimate came back without any shots, so that there is no value.")
    values = np.zeros(len(outcomes))
    for mask, weight in zip(group.basis.masks, group.basis.signs * group.coefficients, strict=True):
        values += weight * (1.0 - 2.0 * (np.bitwise_count(outcomes & mask) & 1))
    if values.min() == values.max():
        return float(values[0]), 0.0, total
    mean = float(values @ frequencies) / total
    return mean, float((values - mean) ** 2 @ frequencies) / max(total - 1, 1), total
