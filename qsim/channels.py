"""Noise channels: what happens to a few qubits, as Kraus operators, and errors of reading a qubit.

A channel takes rho to sum_i K_i rho K_i^dagger. Of a channel's qubits the first is the least significant bit of its
matrices' index, and the rightmost letter of a Pauli label, as everywhere in this package.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.errors import QsimError

ComplexMatrix = npt.NDArray[np.complex128]
#: A superoperator of k qubits is a matrix on 2 k qubits.
MAX_CHANNEL_QUBITS = 4
#: How far sum K^dagger K may be from the identity, entry by entry.
TOLERANCE = 1e-8
_PAULIS = {
    "I": np.eye(2, dtype=np.complex128), "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1]).astype(np.complex128),
}  # fmt: skip


class Channel:
    """A completely positive, trace-preserving map of one to four qubits. Make one by the functions of `qsim.noise`.

    Attributes:
        name: what it was made by.
        num_qubits: how many qubits it acts on.
        kraus: its Kraus operators, each complex128 of shape (2**k, 2**k).
        pauli_probabilities: label -> probability when it is a mixture of Paulis (the identity included), else None.
        spec: how it was made, as plain numbers and text: what the JSON form holds.

    >>> channel = depolarizing(0.04)
    >>> channel.pauli_probabilities["X"], len(channel.kraus)
    (0.01, 4)
    """

    __slots__ = ("_superoperator", "kraus", "name", "num_qubits", "pauli_probabilities", "spec")

    def __init__(self, name: str, kraus: Sequence[ComplexMatrix], spec: Mapping[str, Any]) -> None:
        self.name = name
        self.kraus = tuple(kraus)
        self.num_qubits = len(self.kraus[0]).bit_length() - 1
        self.spec = dict(spec)
        self._superoperator: ComplexMatrix | None = None
        self.pauli_probabilities = _as_paulis(self.kraus, self.num_qubits)
        for matrix in self.kraus:
            matrix.setflags(write=False)

    def superoperator(self) -> ComplexMatrix:
        """sum_i conj(K_i) (x) K_i, shape (4**k, 4**k): it takes vec(rho), columns one under the other, to vec(E(rho)).

        >>> bit_flip(0.25).superoperator().real
        array([[0.75, 0.  , 0.  , 0.25],
               [0.  , 0.75, 0.25, 0.  ],
               [0.  , 0.25, 0.75, 0.  ],
               [0.25, 0.  , 0.  , 0.75]])
        """
        if self._superoperator is None:
            made: ComplexMatrix = np.sum([np.kron(matrix.conj(), matrix) for matrix in self.kraus], axis=0)
            made.setflags(write=False)
            self._superoperator = made
        return self._superoperator

    def compose(self, after: Channel) -> Channel:
        """This channel and then `after` on the same qubits.

        >>> round(bit_flip(0.5).compose(bit_flip(0.3)).pauli_probabilities["X"], 12)
        0.5
        """
        if self.num_qubits != after.num_qubits:
            raise QsimError(
                f"Channels one after the other act on as many qubits; these have {self.num_qubits} and {after.num_qubits}."
            )
        mine, others = self.pauli_probabilities, after.pauli_probabilities
        if mine is not None and others is not None:
            products: dict[str, float] = {}
            for (a, p), (b, q) in itertools.product(mine.items(), others.items()):
                label = "".join(_product(x, y) for x, y in zip(a, b, strict=True))
                products[label] = products.get(label, 0.0) + p * q
            return pauli_channel(products)
        return _reduced([b @ a for b in after.kraus for a in self.kraus])

    def tensor(self, other: Channel) -> Channel:
        """This channel on the first qubits and `other`, independently, on the ones that follow.

        >>> bit_flip(0.1).tensor(phase_flip(0.1)).num_qubits
        2
        """
        _check_width(self.num_qubits + other.num_qubits)
        mine, others = self.pauli_probabilities, other.pauli_probabilities
        if mine is not None and others is not None:
            return pauli_channel({b + a: p * q for a, p in mine.items() for b, q in others.items()})
        products: list[Any] = [np.kron(b, a) for b in other.kraus for a in self.kraus]
        return _reduced(products)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Channel) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash((self.name, self.num_qubits, len(self.kraus)))

    def __repr__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.spec.items() if key not in ("type", "matrices"))
        return f"<Channel {self.name}({given}) on {self.num_qubits} qubit{'s' * (self.num_qubits > 1)}>"


def kraus(operators: Sequence[npt.ArrayLike]) -> Channel:
    """The channel of these Kraus operators.

    Args:
        operators: square arrays of one shape (2**k, 2**k), 1 <= k <= 4, with sum K^dagger K = 1 to 1e-8.

    Raises:
        QsimError: other shapes, numbers that are not finite, or operators that do not preserve the trace, with how far off.

    >>> round(kraus([np.sqrt(0.9) * np.eye(2), np.sqrt(0.1) * np.diag([1, -1])]).pauli_probabilities["Z"], 12)
    0.1
    """
    if isinstance(operators, (str, bytes)) or not isinstance(operators, (Sequence, np.ndarray)) or not len(operators):
        raise QsimError(f"Kraus operators are given as a list of at least one square matrix, got {operators!r}.")
    matrices: list[ComplexMatrix] = []
    for number, operator in enumerate(operators):
        try:
            matrix = np.array(operator, dtype=np.complex128)
        except (TypeError, ValueError) as error:
            raise QsimError(f"Kraus operator {number} is no array of complex numbers: {error}.") from None
        size = len(matrix) if matrix.ndim == 2 else 0
        if matrix.ndim != 2 or matrix.shape[1] != size or size < 2 or size & (size - 1):
            raise QsimError(f"A Kraus operator has the shape (2**k, 2**k); number {number} has {matrix.shape}.")
        _check_width(size.bit_length() - 1)
        if matrices and matrix.shape != matrices[0].shape:
            raise QsimError(f"Kraus operators have one shape; got {matrices[0].shape} and {matrix.shape}.")
        if not np.isfinite(matrix).all():
            raise QsimError(f"Kraus operator {number} has an entry that is not finite (NaN or infinity).")
        if (largest := float(np.abs(matrix).max())) > 2:  # squares of larger numbers may be beyond a double
            raise QsimError(f"No entry of a Kraus operator is larger than 1; number {number} has one of {largest:g}.")
        matrices.append(matrix)
    total = np.sum([matrix.conj().T @ matrix for matrix in matrices], axis=0)
    deviation = float(np.abs(total - np.eye(len(total))).max())
    if not deviation <= TOLERANCE:
        raise QsimError(
            f"A channel preserves the trace: the sum of K\N{DAGGER} K over its Kraus operators is the identity to "
            f"{TOLERANCE:g}; this one is off by {deviation:.3g}. Check the operators' weights."
        )
    spec = [[[[float(z.real), float(z.imag)] for z in row] for row in matrix] for matrix in matrices]
    return Channel("kraus", matrices, {"type": "kraus", "matrices": spec})


def pauli_channel(probabilities: Mapping[str, float]) -> Channel:
    """Paulis applied at random.

    Args:
        probabilities: label -> probability, as ``{"X": 0.01, "Z": 0.02}`` or ``{"XI": 0.01}``; the rightmost letter is
            the first qubit. The identity gets what is left, or is given, and then all add up to 1.

    >>> pauli_channel({"X": 0.1, "Z": 0.2}).pauli_probabilities
    {'I': 0.7, 'X': 0.1, 'Z': 0.2}
    """
    if not isinstance(probabilities, Mapping) or not probabilities:
        raise QsimError(f"A Pauli channel is given as label -> probability, got {probabilities!r}.")
    first = next(iter(probabilities))
    given: dict[str, float] = {}
    for label, value in probabilities.items():
        if not isinstance(label, str) or not label or set(label) - set("IXYZ"):
            raise QsimError(f"A Pauli label is made of the letters I, X, Y and Z, got {label!r}.")
        if len(label) != len(first):
            raise QsimError(f"The labels of a Pauli channel have one length; got {first!r} and {label!r}.")
        given[label] = probability(value, f"The probability of {label}")
    _check_width(len(first))
    identity, total = "I" * len(first), sum(given.values())
    if total > 1 + TOLERANCE or (identity in given and abs(total - 1) > TOLERANCE):
        raise QsimError(
            f"The probabilities of a Pauli channel add up to 1, or to less without {identity!r}; these are {total:.10g}."
        )
    if identity not in given:
        given[identity] = max(0.0, 1 - total)
    # Few digits beyond a double's precision, so that 1 - 0.1 - 0.2 is 0.7.
    ordered = {label: round(p / max(total, 1.0), 15) for label, p in sorted(given.items()) if p > 0}
    ordered.setdefault(identity, 0.0)
    ordered = {identity: ordered.pop(identity), **ordered}
    matrices = [math.sqrt(p) * pauli_matrix(label) for label, p in ordered.items() if p > 0]
    channel = Channel("pauli", matrices, {"type": "pauli", "probabilities": ordered})
    channel.pauli_probabilities = ordered
    return channel


def depolarizing(p: float, num_qubits: int = 1) -> Channel:
    """rho -> (1 - p) rho + p 1/2**n: with probability p the qubits' state is lost.

    As Qiskit Aer's depolarizing_error: each of the 4**n Paulis but the identity comes with p / 4**n. At p = 1 nothing is
    left of the state; up to 4**n / (4**n - 1), where the identity never comes, it is still a channel.

    >>> depolarizing(0.15, 2).pauli_probabilities["II"]
    0.859375
    """
    count = _width(num_qubits)
    most = 4**count / (4**count - 1)
    if not _is_number(p) or not 0 <= p <= most + 1e-12:
        raise QsimError(f"The parameter of depolarizing noise of {count} qubits is from 0 to {most:.6g}, got {p!r}.")
    each = float(p) / 4**count
    labels = ["".join(letters) for letters in itertools.product("IXYZ", repeat=count)]
    found = pauli_channel({"I" * count: max(0.0, 1 - (4**count - 1) * each), **dict.fromkeys(labels[1:], each)})
    return _renamed(found, "depolarizing", {"type": "depolarizing", "p": float(p), "num_qubits": count})


def bit_flip(p: float) -> Channel:
    """X with probability p.

    >>> bit_flip(0.25).pauli_probabilities
    {'I': 0.75, 'X': 0.25}
    """
    p = probability(p, "The probability of a bit flip")
    return _renamed(pauli_channel({"X": p}), "bit_flip", {"type": "bit_flip", "p": p})


def phase_flip(p: float) -> Channel:
    """Z with probability p.

    >>> phase_flip(0.25).pauli_probabilities
    {'I': 0.75, 'Z': 0.25}
    """
    p = probability(p, "The probability of a phase flip")
    return _renamed(pauli_channel({"Z": p}), "phase_flip", {"type": "phase_flip", "p": p})


def amplitude_damping(gamma: float, excited: float = 0.0) -> Channel:
    """Decay with probability gamma: |1> to |0>, or, with share `excited`, |0> to |1> (generalised amplitude damping).

    Source: Nielsen and Chuang, Quantum Computation and Quantum Information, section 8.3.5.

    >>> amplitude_damping(0.36).kraus[0].real
    array([[1. , 0. ],
           [0. , 0.8]])
    """
    gamma = probability(gamma, "The probability of decay")
    excited = probability(excited, "The share of the excited state")
    keep, fall = math.sqrt(1 - gamma), math.sqrt(gamma)
    matrices = [
        math.sqrt(1 - excited) * np.diag([1, keep]), math.sqrt(1 - excited) * np.array([[0, fall], [0, 0]]),
        math.sqrt(excited) * np.diag([keep, 1]), math.sqrt(excited) * np.array([[0, 0], [fall, 0]]),
    ]  # fmt: skip
    spec = {"type": "amplitude_damping", "gamma": gamma, "excited": excited}
    return _named(matrices, "amplitude_damping", spec)


def phase_damping(gamma: float) -> Channel:
    """The off-diagonal entries of rho shrink by sqrt(1 - gamma), populations stay: Z with (1 - sqrt(1 - gamma)) / 2.

    >>> phase_damping(0.36).pauli_probabilities
    {'I': 0.9, 'Z': 0.1}
    """
    gamma = probability(gamma, "The probability of phase damping")
    flip = (1 - math.sqrt(1 - gamma)) / 2
    return _renamed(pauli_channel({"Z": flip}), "phase_damping", {"type": "phase_damping", "gamma": gamma})


def thermal_relaxation(t1: float, t2: float, time: float, excited: float = 0.0) -> Channel:
    """A qubit left for `time`: it relaxes with time constant T1 and dephases with T2, all in the same unit of time.

    Populations approach (1 - excited, excited) by exp(-time / T1), off-diagonal entries shrink by exp(-time / T2).

    Args:
        t1, t2: positive, infinity allowed; T2 is at most 2 T1.
        time: at least 0.
        excited: the excited state's share at equilibrium, from 0 to 1.

    Raises:
        QsimError: times out of range, or T2 > 2 T1, which no physical process has.

    >>> thermal_relaxation(50e-6, 70e-6, 0).pauli_probabilities
    {'I': 1.0}
    """
    t1, t2 = _time(t1, "T1", positive=True), _time(t2, "T2", positive=True)
    time, excited = _time(time, "The time", positive=False), probability(excited, "The share of the excited state")
    if t2 > 2 * t1:
        raise QsimError(
            f"T2 is at most 2 T1 (dephasing is at least half of relaxation), got T1 = {t1:g} and T2 = {t2:g}. "
            "Are they exchanged, or in different units?"
        )
    if math.isinf(time):
        raise QsimError("The time of thermal relaxation is finite. Give a time many times T1 for the equilibrium.")
    spec = {"type": "thermal_relaxation", "t1": t1, "t2": t2, "time": time, "excited": excited}
    decay, coherence = -math.expm1(-time / t1), math.exp(-time / t2)
    if decay == 0.0:
        flip = -math.expm1(-time / t2) / 2
        return _renamed(pauli_channel({"Z": flip}), "thermal_relaxation", spec)
    # Damping alone leaves sqrt(1 - decay) of the coherence; phase flips take the rest.
    left = min(1.0, coherence / math.sqrt(1 - decay)) if decay < 1 else 1.0
    damped = amplitude_damping(decay, excited).kraus
    flips = [math.sqrt((1 + left) / 2) * _PAULIS["I"], math.sqrt((1 - left) / 2) * _PAULIS["Z"]]
    return _named(canonical([b @ a for b in flips for a in damped]), "thermal_relaxation", spec)


class ReadoutError:
    """A qubit's outcome is reported wrongly.

    Args:
        p01: the probability of reporting 1 when the outcome is 0.
        p10: the probability of reporting 0 when it is 1.

    >>> ReadoutError(0.01, 0.05).matrix
    array([[0.99, 0.01],
           [0.05, 0.95]])
    """

    __slots__ = ("p01", "p10")

    def __init__(self, p01: float, p10: float) -> None:
        self.p01 = probability(p01, "The probability of reporting 1 for 0")
        self.p10 = probability(p10, "The probability of reporting 0 for 1")

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """Row: the outcome; column: what is reported. As Qiskit Aer's ReadoutError."""
        return np.array([[1 - self.p01, self.p01], [self.p10, 1 - self.p10]])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadoutError) and (self.p01, self.p10) == (other.p01, other.p10)

    def __hash__(self) -> int:
        return hash((self.p01, self.p10))

    def __repr__(self) -> str:
        return f"ReadoutError(p01={self.p01!r}, p10={self.p10!r})"


def pauli_matrix(label: str) -> ComplexMatrix:
    """The matrix of a product of Paulis, the rightmost letter as the least significant bit.

    >>> pauli_matrix("ZI").real.diagonal()
    array([ 1.,  1., -1., -1.])
    """
    matrix = np.eye(1, dtype=np.complex128)
    for letter in label:
        matrix = np.kron(matrix, _PAULIS[letter])
    return matrix


def probability(value: Any, what: str) -> float:
    """A number from 0 to 1, or an error that says the rule."""
    if not _is_number(value):
        raise QsimError(f"{what} is a number from 0 to 1, got {value!r}.")
    if not 0 <= value <= 1:
        raise QsimError(f"{what} is from 0 to 1, got {_shown(value)}.")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """A number for a message; a whole number may be larger than any double."""
    try:
        return f"{float(value):g}"
    except OverflowError:
        return f"a whole number of {int(value).bit_length()} bits"


def _time(value: Any, what: str, positive: bool) -> float:
    if not _is_number(value):
        raise QsimError(f"{what} is a number, got {value!r}.")
    if not value >= 0 or (positive and value == 0):
        raise QsimError(f"{what} is {'positive' if positive else 'at least 0'}, got {_shown(value)}.")
    try:
        return float(value)
    except OverflowError:
        raise QsimError(f"{what} is a number that a double can hold, or infinity, got {_shown(value)}.") from None


def _width(num_qubits: Any) -> int:
    if isinstance(num_qubits, (bool, np.bool_)) or not isinstance(num_qubits, (int, np.integer)) or num_qubits < 1:
        raise QsimError(f"A channel's number of qubits is a whole number of at least 1, got {num_qubits!r}.")
    _check_width(int(num_qubits))
    return int(num_qubits)


def _check_width(num_qubits: int) -> None:
    if num_qubits > MAX_CHANNEL_QUBITS:
        raise QsimError(f"A channel acts on at most {MAX_CHANNEL_QUBITS} qubits, got {num_qubits}.")


def _product(a: str, b: str) -> str:
    """The letter of a product of two Paulis, whose phase no channel sees."""
    letters = "IXZY"  # bits: X, Z
    return letters[letters.index(a) ^ letters.index(b)]


def _renamed(channel: Channel, name: str, spec: Mapping[str, Any]) -> Channel:
    channel.name, channel.spec = name, dict(spec)
    return channel


def _named(matrices: Sequence[npt.NDArray[Any]], name: str, spec: Mapping[str, Any]) -> Channel:
    kept = [matrix.astype(np.complex128) for matrix in matrices if np.any(matrix)]
    return Channel(name, kept, spec)


def _reduced(matrices: Sequence[ComplexMatrix]) -> Channel:
    return kraus(canonical(matrices))


def canonical(matrices: Sequence[ComplexMatrix]) -> list[ComplexMatrix]:
    """The same map by as few Kraus operators as there are: eigenvectors of its Choi matrix, largest first."""
    size = len(matrices[0])
    vectors = np.array([matrix.reshape(-1) for matrix in matrices]).T
    values, basis = np.linalg.eigh(vectors @ vectors.conj().T)
    return [
        np.ascontiguousarray(math.sqrt(value) * vector.reshape(size, size))
        for value, vector in zip(values[::-1], basis.T[::-1], strict=True)
        if value > 1e-15
    ]


def _as_paulis(matrices: Sequence[ComplexMatrix], num_qubits: int) -> dict[str, float] | None:
    """The probabilities of a mixture of Paulis, if each operator is a multiple of one."""
    if num_qubits > 2 and len(matrices) > 64:
        return None  # Pauli channels of many qubits say so themselves
    found = {"I" * num_qubits: 0.0}
    size = 1 << num_qubits
    for matrix in matrices:
        # A Pauli has one entry in each row: row r has it in column r ^ x, with signs given by z.
        x = int(np.argmax(np.abs(matrix[0])))
        entries = matrix[np.arange(size), np.arange(size) ^ x]
        weight = abs(entries[0]) ** 2
        if abs(float((np.abs(matrix) ** 2).sum()) - size * weight) > 1e-15 or weight == 0.0:
            return None
        ratios = entries / entries[0]
        letters = ""
        for bit in range(num_qubits):
            letters = "IXZY"[(x >> bit & 1) | 2 * (ratios[1 << bit].real < 0)] + letters
        expected = pauli_matrix(letters)[np.arange(size), np.arange(size) ^ x]
        if np.abs(ratios - expected / expected[0]).max() > 1e-12:
            return None
        found[letters] = found.get(letters, 0.0) + float(weight)
    return found
