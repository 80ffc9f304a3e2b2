"""Expectation values from shots: terms that commute qubit by qubit are measured together.

Verteletskyi, Yen and Izmaylov, J. Chem. Phys. 152, 124114 (2020): two Pauli products that agree wherever both act can
be read from the same shots, after one rotation of each qubit. Groups are filled greedily, largest coefficients first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from qsim.circuit import Barrier, Circuit
from qsim.counts import Counts
from qsim.gates import Gate
from qsim.pauli import SparsePauliOp
from session.errors import SessionError

Basis = tuple[tuple[int, str], ...]  # (qubit, letter), by rising qubit


@dataclass
class MeasurementGroup:
    """Terms that one measurement serves: the letter that each qubit is measured in, and (qubits, coefficient)s."""

    letters: dict[int, str] = field(default_factory=dict)
    terms: list[tuple[tuple[int, ...], float]] = field(default_factory=list)

    @property
    def basis(self) -> Basis:
        """The measured qubits and their letters."""
        return tuple(sorted(self.letters.items()))

    @property
    def weight(self) -> float:
        """The standard deviation of the group when its terms are independent and each is a fair coin: a bound that
        needs no shots to know."""
        return math.sqrt(sum(coefficient * coefficient for _, coefficient in self.terms))


def measurement_groups(operator: SparsePauliOp) -> tuple[float, list[MeasurementGroup]]:
    """The constant term, and groups of all others.

    >>> from qsim import Pauli
    >>> constant, groups = measurement_groups(2 + Pauli.Z(0) * Pauli.Z(1) + Pauli.Z(0) + 0.5 * Pauli.X(0))
    >>> constant, [group.basis for group in groups]
    (2.0, [((0, 'Z'), (1, 'Z')), ((0, 'X'),)])
    """
    constant = 0.0
    groups: list[MeasurementGroup] = []
    for paulis, coefficient in sorted(operator.simplify().terms, key=lambda term: -abs(term.coefficient)):
        if not paulis:
            constant += coefficient.real
            continue
        group = next((g for g in groups if all(g.letters.get(q, p) == p for q, p in paulis)), None)
        if group is None:
            group = MeasurementGroup()
            groups.append(group)
        group.letters.update(paulis)
        group.terms.append((tuple(qubit for qubit, _ in paulis), coefficient.real))
    return constant, groups


def split_shots(total: int, weights: Sequence[float]) -> list[int]:
    """Shots for each group, in proportion to its weight, and at least two, which a variance needs.

    >>> split_shots(102, [3.0, 1.0])
    [76, 26]
    """
    count = len(weights)
    if total < 2 * count:
        raise SessionError(
            f"An estimate from shots needs at least 2 for each of the {count} groups of terms that are measured "
            f"together, {2 * count} in all; got num_shots={total}."
        )
    spare = total - 2 * count
    whole = sum(weights)
    exact = [2 + spare * weight / whole for weight in weights]
    shots = [math.floor(value) for value in exact]
    by_remainder = sorted(range(count), key=lambda k: shots[k] - exact[k])
    for k in by_remainder[: total - sum(shots)]:
        shots[k] += 1
    return shots


def measuring_circuit(circuit: Circuit, basis: Basis) -> Circuit:
    """A circuit's gates, then measurements of the qubits of `basis` in its letters, in order, into as many bits."""
    result = Circuit(circuit.num_qubits)
    for parameter in circuit.parameters:
        result.declare_parameter(parameter)
    for instruction in circuit:
        if isinstance(instruction.operation, Gate):
            result.append(instruction.operation, instruction.qubits)
        elif isinstance(instruction.operation, Barrier):
            result.barrier(instruction.qubits)
    for qubit, letter in basis:
        if letter == "Y":
            result.sdg(qubit)
        if letter in "XY":
            result.h(qubit)
    register = result.add_clbits(len(basis))
    return result.measure([qubit for qubit, _ in basis], register.indices)


def group_estimate(group: MeasurementGroup, counts: Counts) -> tuple[float, float]:
    """The mean of a group's terms over its shots, and the squared standard error of that mean."""
    column = {qubit: k for k, (qubit, _) in enumerate(group.basis)}
    bits = counts.array.astype(np.int64)
    values: npt.NDArray[np.float64] = np.zeros(len(bits))
    for qubits, coefficient in group.terms:
        parity = bits[:, [column[qubit] for qubit in qubits]].sum(axis=1) & 1
        values += coefficient * (1 - 2 * parity)
    shots = counts.shots
    mean = float(values @ counts.frequencies) / shots
    spread = float(((values - mean) ** 2) @ counts.frequencies) / (shots - 1)
    return mean, spread / shots
