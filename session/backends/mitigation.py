"""Readout-error mitigation: how often each qubit is misread is measured, and taken out of expectation values.

Readout errors are taken to be independent from qubit to qubit (the tensored model of S. Bravyi, S. Sheldon, A. Kandala,
D. C. McKay and J. M. Gambetta, Phys. Rev. A 103, 042605 (2021), section II), so that two circuits measure them: all qubits
in |0>, and all in |1>. Of a qubit that reads 1 for 0 with probability p01 and 0 for 1 with p10, the eigenvalue +1 or -1 of Z
is replaced by a number g(0) or g(1) with the same mean as Z without errors: the confusion matrix, inverted. A product of Z
takes the product of these numbers, shot by shot; so terms that are measured together keep their covariances, and the
estimate stays unbiased but for the error of the calibration, which the standard error includes to first order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsim.bits import from_integers, unpack
from qsim.circuit import Circuit
from qsim.estimation import Group
from session.errors import SessionError

Floats = npt.NDArray[np.float64]
#: Below this 1 - p01 - p10 the outcome says next to nothing about the qubit, and its inverse is noise.
LEAST_SIGNAL = 0.02
_AT_A_TIME = 1 << 14  # outcomes whose derivatives are in memory


def calibration_circuits(num_qubits: int) -> tuple[Circuit, Circuit]:
    """All qubits in |0>, and all in |1>, measured: qubit k into classical bit k.

    >>> [circuit.count_ops() for circuit in calibration_circuits(2)]
    [{'measure': 2}, {'x': 2, 'measure': 2}]
    """
    every = range(num_qubits)
    zeros, ones = Circuit(num_qubits, num_qubits), Circuit(num_qubits, num_qubits)
    return zeros.measure(every, every), ones.x(every).measure(every, every)


@dataclass(frozen=True)
class ReadoutCalibration:
    """How often each qubit is misread.

    Args:
        p01: the probability of reading 1 for 0, by qubit.
        p10: of reading 0 for 1.
        shots: of each of the two circuits that this comes from; 0 for numbers that are known exactly.

    Raises:
        SessionError: a qubit's outcome says nothing about it.

    >>> calibration = ReadoutCalibration(np.array([0.1]), np.array([0.3]), 0)
    >>> calibration.confusion(0)
    array([[0.9, 0.3],
           [0.1, 0.7]])
    """

    p01: Floats
    p10: Floats
    shots: int

    def __post_init__(self) -> None:
        signal = 1 - self.p01 - self.p10
        if len(signal) and signal.min() < LEAST_SIGNAL:
            qubit = int(signal.argmin())
            raise SessionError(
                f"Readout errors of qubit {qubit} cannot be taken out: it reads 1 for 0 in {self.p01[qubit]:.1%} of shots and 0 "
                f"for 1 in {self.p10[qubit]:.1%}, so that its outcome says next to nothing. Use other qubits, or no mitigation."
            )

    @classmethod
    def from_counts(cls, zeros: Mapping[int, int], ones: Mapping[int, int], num_qubits: int) -> ReadoutCalibration:
        """Out of the counts of `calibration_circuits`, by outcome as an integer whose bit k is qubit k.

        >>> found = ReadoutCalibration.from_counts({0: 90, 1: 10}, {1: 80, 0: 20}, 1)
        >>> found.p01.round(9).tolist(), found.p10.round(9).tolist()
        ([0.1], [0.2])
        """
        shots = min(sum(zeros.values()), sum(ones.values()))
        read_one = [_fraction_of_ones(counts, num_qubits) for counts in (zeros, ones)]
        return cls(read_one[0], 1 - read_one[1], shots)

    def confusion(self, qubit: int) -> Floats:
        """Column: the state; row: what is read. Columns add up to 1."""
        a, b = float(self.p01[qubit]), float(self.p10[qubit])
        return np.array([[1 - a, b], [a, 1 - b]])

    def metadata(self) -> dict[str, object]:
        """What results say about it."""
        return {"calibration_shots": self.shots, "p01": self.p01.tolist(), "p10": self.p10.tolist()}

    # estimates ----------------------------------------------------------------------------------------------
    def estimate(self, groups: Sequence[Group], outcomes: Sequence[Mapping[int, int]]) -> tuple[float, float]:
        """The sum of the terms of all groups, and its standard error.

        Args:
            groups: of terms.
            outcomes: of each group, shots by outcome as an integer whose bit k is qubit k.
        """
        value, variance = 0.0, 0.0
        slopes = np.zeros((2, len(self.p01)))  # of the value by each p01 and p10: they are the same for all groups
        for group, counts in zip(groups, outcomes, strict=True):
            bits, shots = _bits(counts, len(self.p01))
            total = int(shots.sum())
            values = np.zeros(len(shots))
            for first in range(0, len(shots), _AT_A_TIME):
                part = slice(first, first + _AT_A_TIME)
                values[part], by_error = self._values(group, bits[:, part])
                slopes += by_error @ shots[part] / total
            mean = float(values @ shots) / total
            value += mean
            variance += float((values - mean) ** 2 @ shots) / max(total - 1, 1) / total
        return value, math.sqrt(variance + self._calibration_variance(slopes))

    def _values(self, group: Group, bits: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """The group's sum of terms for each outcome, and its derivatives by p01 and p10, shape (2, qubits, outcomes)."""
        numbers, slopes = self._numbers()
        qubits, outcomes = bits.shape
        of_bit = numbers[bits, np.arange(qubits)[:, None]]
        ratio = slopes[:, bits, np.arange(qubits)[:, None]] / of_bit
        values, by_error = np.zeros(outcomes), np.zeros((2, qubits, outcomes))
        for mask, sign, coefficient in zip(
            group.basis.masks.tolist(), group.basis.signs, group.coefficients, strict=True
        ):
            on = [k for k in range(qubits) if mask >> k & 1]
            term = sign * coefficient * of_bit[on].prod(axis=0)
            values += term
            by_error[:, on] += term * ratio[:, on]
        return values, by_error

    def _numbers(self) -> tuple[Floats, Floats]:
        """g of shape (2, qubits), the bit first; and its derivatives by p01 and p10, shape (2, 2, qubits).

        g solves (1 - p01) g0 + p01 g1 = 1 and p10 g0 + (1 - p10) g1 = -1.
        """
        a, b = self.p01, self.p10
        signal = 1 - a - b
        numbers = np.stack([(1 - b + a) / signal, -(1 - a + b) / signal])
        by_p01 = np.stack([2 * (1 - b), -2 * b]) / signal**2
        by_p10 = np.stack([2 * a, -2 * (1 - a)]) / signal**2
        return numbers, np.stack([by_p01, by_p10])

    def _calibration_variance(self, slopes: Floats) -> float:
        if not self.shots:
            return 0.0
        # A rate of which none was seen is not known to be 0: half an event is added (Jeffreys' prior).
        rates = (np.stack([self.p01, self.p10]) * self.shots + 0.5) / (self.shots + 1)
        return float((slopes**2 * rates * (1 - rates)).sum()) / self.shots

    # counts -------------------------------------------------------------------------------------------------
    def probabilities(self, counts: Mapping[str, int], qubits: Sequence[int]) -> dict[str, float]:
        """The distribution nearest to the counts with readout errors taken out, over the outcomes that were seen.

        The inverse is restricted to the outcomes that occur (P. D. Nation, H. Kang, N. Sundaresan and J. M. Gambetta,
        PRX Quantum 2, 040326 (2021)), and its result put onto the probabilities that are nearest in the least-squares
        sense (J. A. Smolin, J. M. Gambetta and G. Smith, Phys. Rev. Lett. 108, 070502 (2012)).

        Args:
            counts: bitstring -> shots.
            qubits: the qubit that each bit is of, rightmost character first; -1 for a bit that is not measured.

        Raises:
            SessionError: there are more than 4,096 outcomes.

        >>> calibration = ReadoutCalibration(np.array([0.1]), np.array([0.1]), 0)
        >>> {key: round(p, 9) for key, p in calibration.probabilities({"0": 50, "1": 50}, [0]).items()}
        {'0': 0.5, '1': 0.5}
        """
        if len(counts) > 4096:
            raise SessionError(f"Readout errors are taken out of at most 4,096 outcomes; there are {len(counts):,}.")
        keys = list(counts)
        reading = np.ones((len(keys), len(keys)))
        columns = np.array([[int(letter) for letter in reversed(key)] for key in keys]).T.reshape(
            len(qubits), len(keys)
        )
        for bit, qubit in enumerate(qubits):
            if qubit >= 0:
                reading *= self.confusion(qubit)[columns[bit][:, None], columns[bit][None, :]]
        reading /= reading.sum(axis=0)
        shots = np.array([counts[key] for key in keys], dtype=np.float64)
        quasi = np.linalg.lstsq(reading, shots / shots.sum(), rcond=None)[0]
        return dict(zip(keys, nearest_probabilities(quasi).tolist(), strict=True))


def nearest_probabilities(quasi: Floats) -> Floats:
    """The probabilities nearest to numbers that may be negative, in the least-squares sense: Smolin et al., figure 1.

    >>> nearest_probabilities(np.array([0.7, 0.4, -0.1])).round(9).tolist()
    [0.65, 0.35, 0.0]
    """
    order = np.argsort(quasi)
    result = np.zeros(len(quasi))
    missing, left = float(quasi.sum()) - 1.0, len(quasi)
    for k in order:
        if quasi[k] - missing / left < 0:
            missing -= float(quasi[k])
            left -= 1
            continue
        result[k] = quasi[k] - missing / left
    return result


def _fraction_of_ones(counts: Mapping[int, int], num_qubits: int) -> Floats:
    bits, shots = _bits(counts, num_qubits)
    result: Floats = bits @ shots / max(int(shots.sum()), 1)
    return result


def _bits(counts: Mapping[int, int], num_qubits: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Bits of shape (qubits, outcomes) and the shots of each outcome.

    Raises:
        SessionError: there are no shots.
    """
    shots = np.array(list(counts.values()), dtype=np.int64)
    if not shots.sum():
        raise SessionError("A circuit came back without any shots, so that there is nothing to estimate from.")
    rows = from_integers([outcome & ((1 << num_qubits) - 1) for outcome in counts], max(num_qubits, 1))
    return np.ascontiguousarray(unpack(rows, num_qubits).T), shots
