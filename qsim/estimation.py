"""Expectation values from shots: groups of terms that are measured together, shots by weight, errors from the samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.errors import QsimError
from qsim.grouping import Diagonalised, diagonalise, groups_of, rotate
from qsim.observable import terms_of
from qsim.pauli import SparsePauliOp
from qsim.pool import part
from qsim.sampling import sample_state
from qsim.state import copy_of

if TYPE_CHECKING:
    from qsim.runs import Runs

Array = npt.NDArray[Any]
#: Outcomes whose terms are summed at a time.
_OUTCOMES = 1 << 16


@dataclass(frozen=True)
class Estimate:
    """An expectation value from shots.

    Attributes:
        value: the estimate, unbiased.
        variance: such that `standard_error` is sqrt(variance / shots).
        standard_error: of `value`, from the spread of each group's samples.
        shots: in all.
        groups: how many sets of terms were measured, each with a change of basis of its own.
    """

    value: float
    variance: float
    standard_error: float
    shots: int
    groups: int


@dataclass(frozen=True)
class Group:
    """Terms that are measured together, after a change of basis; `weight` is the root of the sum of their squares."""

    basis: Diagonalised
    coefficients: npt.NDArray[np.float64]
    weight: float


@dataclass(frozen=True)
class Measurements:
    """An operator as a constant and groups of terms; made once for any number of states."""

    constant: float
    groups: list[Group]


def measurements(operator: SparsePauliOp, num_qubits: int, grouping: str) -> Measurements:
    """Put a Hermitian operator's terms into groups.

    >>> from qsim import Pauli
    >>> made = measurements(2 + Pauli.X(0) * Pauli.X(1) + Pauli.Z(0) * Pauli.Z(1) + Pauli.Z(0), 2, "commuting")
    >>> made.constant, [len(group.coefficients) for group in made.groups]
    (2.0, [1, 2])
    """
    x, z, re, im = terms_of(operator)
    # (re + i im) is the coefficient of X**x Z**z; that of the product of Paulis is real.
    ys = np.bitwise_count(x & z) % 4
    coefficients = np.choose(ys, [re, im, -re, -im])
    identity = (x | z) == 0
    constant = float(coefficients[identity].sum())
    x, z, coefficients = x[~identity], z[~identity], coefficients[~identity]
    groups = []
    for members in groups_of(x, z, np.abs(coefficients), grouping):
        change = rotate if grouping == "qubit-wise" else diagonalise
        basis = change(x[members], z[members], num_qubits)
        own = coefficients[members]
        groups.append(Group(basis, own, float(np.sqrt((own * own).sum()))))
    return Measurements(constant, groups)


def split_shots(total: int, weights: Sequence[float]) -> list[int]:
    """Shots for each group, in proportion to its weight, and at least two, which a variance needs.

    The weight of a group is the standard deviation that it would have if its terms were independent fair coins; shots in
    proportion to standard deviations make the error least.

    >>> split_shots(102, [3.0, 1.0])
    [76, 26]
    """
    count = len(weights)
    if total < 2 * count:
        raise QsimError(
            f"An estimate from shots needs at least 2 for each of the {count} groups of terms that are measured "
            f"together, {2 * count} in all; got {total} shots."
        )
    if not count:
        return []
    spare, whole = total - 2 * count, math.fsum(weights)
    exact = [2 + spare * (weight / whole if whole else 1 / count) for weight in weights]
    shots = [math.floor(value) for value in exact]
    by_remainder = sorted(range(count), key=lambda k: shots[k] - exact[k])
    for k in by_remainder[: total - sum(shots)]:
        shots[k] += 1
    return shots


def estimate_state(simulator: Runs, state: Array, made: Measurements, shots: int, seed: int) -> Estimate:
    """Estimate from one state, shape (2**n,), which stays as it is."""
    split = split_shots(shots, [group.weight for group in made.groups])
    value, error = made.constant, 0.0
    for number, (group, count) in enumerate(zip(made.groups, split, strict=True)):
        with part(number, len(split)):
            turned = state
            if len(group.basis.circuit):
                turned = simulator._state(group.basis.circuit, np.zeros(0), copy_of(state, simulator.threads))
            outcomes, frequencies = sample_state(turned, count, group_seed(seed, number), simulator.threads)
        mean, spread = _moments(group, outcomes, frequencies, count)
        value += mean
        error += spread / count
    return Estimate(value, error * shots, math.sqrt(error), shots, len(made.groups))


def _moments(group: Group, outcomes: Array, frequencies: Array, shots: int) -> tuple[float, float]:
    """The mean of a group's sum of terms over its shots, and its sample variance; covariances come with the sum."""
    values = np.zeros(len(outcomes))
    for first in range(0, len(outcomes), _OUTCOMES):
        some = outcomes[first : first + _OUTCOMES]
        for mask, sign, coefficient in zip(group.basis.masks, group.basis.signs, group.coefficients, strict=True):
            odd = np.bitwise_count(some & mask) & 1
            values[first : first + _OUTCOMES] += sign * coefficient * (1.0 - 2.0 * odd)
    mean = float(values @ frequencies) / shots
    return mean, float((values - mean) ** 2 @ frequencies) / (shots - 1)


def group_seed(seed: int, number: int) -> int:
    """The seed of a group's samples: two groups or two seeds share no random numbers.

    Source: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), on the seed and then on the number.

    >>> group_seed(7, 0) != group_seed(7, 1) != group_seed(8, 0)
    True
    """
    value = seed
    for word in (0x9E3779B97F4A7C15, number + 1):
        value = (value + word * 0x9E3779B97F4A7C15) % (1 << 64)
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % (1 << 64)
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB % (1 << 64)
        value ^= value >> 31
    return value
