"""Circuits of gates that fall apart: groups of qubits which nothing connects are simulated apart.

A circuit on sixty qubits of which no more than ten hang together takes the memory of ten. Probabilities and expectation
values of Pauli strings are products over the parts; qubits that no gate touches are parts of their own, in |0>.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import BARRIER, DELAY, MEASURE, ROW, Circuit
from qsim.errors import QsimError
from qsim.memory import check_bytes
from qsim.pauli import SparsePauliOp

if TYPE_CHECKING:
    from qsim.runs import Runs

Array = npt.NDArray[Any]
#: Circuits of so many qubits are run as a whole: looking at them would take longer than it saves.
WHOLE_QUBITS = 13
#: Operators of more terms than this are not squared for a variance.
_MOST_SQUARED = 1000


@dataclass(frozen=True)
class Part:
    """Some of a circuit's qubits, ascending, and the gates on them as a circuit of its own.

    It has all parameters of the whole, so that the same row of values serves it.
    """

    qubits: tuple[int, ...]
    circuit: Circuit


def independent_parts(circuit: Circuit) -> list[Part]:
    """The parts of a circuit without feed-forward and resets, by their first qubits; kept on the circuit.

    >>> [part.qubits for part in independent_parts(Circuit(4).h(0).cx(0, 2).cx(1, 3))]
    [(0, 2), (1, 3)]
    """
    key = ("parts", len(circuit))
    parts = circuit._compiled.get(key)
    if parts is None:
        groups = connected_qubits(circuit)
        parts = [_part(circuit, group) for group in groups] if len(groups) > 1 else [Part(tuple(groups[0]), circuit)]
        circuit._compiled[key] = parts
    return list(parts)


def connected_qubits(circuit: Circuit) -> list[list[int]]:
    """Groups of qubits that gates connect, each ascending, by their first qubits."""
    root = list(range(circuit.num_qubits))

    def find(q: int) -> int:
        while root[q] != q:
            root[q] = root[root[q]]
            q = root[q]
        return q

    for a, b in _edges(circuit).tolist():
        first, second = sorted((find(a), find(b)))
        root[second] = first
    groups: dict[int, list[int]] = {}
    for q in range(circuit.num_qubits):
        groups.setdefault(find(q), []).append(q)
    return list(groups.values())


def _edges(circuit: Circuit) -> Array:
    """Pairs of qubits that are neighbours in some gate's list of qubits, each once."""
    rows = np.array(circuit._rows, dtype=np.int64).reshape(-1, ROW)
    operands = np.array(circuit._operands, dtype=np.int64)
    rows = rows[~np.isin(rows[:, 0], (MEASURE, BARRIER, DELAY)) & (rows[:, 2] > 1)]
    codes = [np.zeros(0, dtype=np.int64)]
    for j in range(int(rows[:, 2].max(initial=1)) - 1):
        first = rows[rows[:, 2] > j + 1, 1] + j
        codes.append(np.unique(operands[first] * circuit.num_qubits + operands[first + 1]))
    found = np.unique(np.concatenate(codes))
    return np.stack([found // max(circuit.num_qubits, 1), found % max(circuit.num_qubits, 1)], axis=1)


def _part(circuit: Circuit, qubits: Sequence[int]) -> Part:
    """The gates on these qubits; columns of operands and values keep their places, so rows stay as they are."""
    local = np.zeros(max(circuit.num_qubits, circuit.num_clbits), dtype=np.int64)
    mine = np.zeros(len(local), dtype=bool)
    local[list(qubits)], mine[list(qubits)] = range(len(qubits)), True
    rows = np.array(circuit._rows, dtype=np.int64).reshape(-1, ROW)
    operands = np.array(circuit._operands, dtype=np.int64)
    rows = rows[~np.isin(rows[:, 0], (MEASURE, BARRIER, DELAY)) & (rows[:, 2] > 0)]
    rows = rows[mine[operands[rows[:, 1]]]]
    made = Circuit(len(qubits), name=circuit.name)
    made._rows, made._operands = array("q", rows.reshape(-1).tolist()), array("q", local[operands].tolist())
    made._values, made._expressions = circuit._values[:], dict(circuit._expressions)
    made._objects, made._parameters = list(circuit._objects), dict(circuit._parameters)
    return Part(tuple(qubits), made)


def widest(circuit: Circuit, qubits: Sequence[int] | None = None) -> int:
    """The number of qubits of the largest part, of those that hold any of `qubits`."""
    wanted = None if qubits is None else set(qubits)
    return max(
        (len(p.qubits) for p in independent_parts(circuit) if wanted is None or not wanted.isdisjoint(p.qubits)),
        default=0,
    )


def relevant(circuit: Circuit, operators: Sequence[SparsePauliOp]) -> tuple[Circuit, list[SparsePauliOp]]:
    """The parts of a circuit that operators act on, as one circuit, and the operators on its qubits.

    Expectation values and their derivatives do not depend on the other parts. The global phase is left out.

    >>> from qsim.pauli import Pauli
    >>> small, (moved,) = relevant(Circuit(40).h(5).cx(5, 30).x(7), [Pauli.Z(5) * Pauli.Z(30)])
    >>> small.num_qubits, str(moved)
    (2, 'Z0*Z1')
    """
    touched = {qubit for operator in operators for term in operator.terms for qubit, _ in term.paulis}
    kept = [part for part in independent_parts(circuit) if not touched.isdisjoint(part.qubits)]
    qubits = sorted(qubit for part in kept for qubit in part.qubits) or [0]
    if len(qubits) == circuit.num_qubits:
        return circuit, list(operators)
    place = {qubit: k for k, qubit in enumerate(qubits)}
    moved = [
        SparsePauliOp.from_terms(
            [
                (tuple((place[qubit], letter) for qubit, letter in term.paulis), term.coefficient)
                for term in operator.terms
            ],
            num_qubits=len(qubits),
        )
        for operator in operators
    ]
    key = ("relevant", len(circuit), tuple(qubits))
    if key not in circuit._compiled:
        circuit._compiled[key] = _part(circuit, qubits).circuit
    return circuit._compiled[key], moved


def outer(marginals: Sequence[tuple[Sequence[int], Array]], qubits: Sequence[int]) -> Array:
    """The joint distribution of `qubits` out of distributions of the parts: (places in `qubits`, probabilities).

    >>> outer([((1,), np.array([0.25, 0.75])), ((0,), np.array([1.0, 0.0]))], [5, 3])
    array([0.25, 0.  , 0.75, 0.  ])
    """
    result = np.ones(1)
    index: Array = np.zeros(1, dtype=np.int64)
    for places, probabilities in marginals:
        spread: Array = np.zeros(1, dtype=np.int64)
        for place in places:
            spread = np.concatenate([spread, spread | 1 << place])
        result = (probabilities[:, None] * result).reshape(-1)
        index = (spread[:, None] | index).reshape(-1)
    out = np.empty(1 << len(qubits))
    out[index] = result
    return out


class Strings:
    """The Pauli strings of some operators, cut along the parts of a circuit.

    Args:
        parts: of the circuit.
        operators: Hermitian, on its qubits.

    Attributes:
        of_part: for each part, its distinct strings as operators on the part's own qubits; none for a part that no
            operator touches.
    """

    def __init__(self, parts: Sequence[Part], operators: Sequence[SparsePauliOp]) -> None:
        place = {q: (k, j) for k, part in enumerate(parts) for j, q in enumerate(part.qubits)}
        numbers: list[dict[tuple[tuple[int, str], ...], int]] = [{} for _ in parts]
        #: For each operator, its terms: a coefficient, and (part, number of a string) pairs.
        self._terms: list[list[tuple[float, list[tuple[int, int]]]]] = []
        for operator in operators:
            terms = []
            for term in operator.simplify().terms:
                pieces: dict[int, list[tuple[int, str]]] = {}
                for qubit, letter in term.paulis:
                    part, local = place[qubit]
                    pieces.setdefault(part, []).append((local, letter))
                factors = [(k, numbers[k].setdefault(tuple(sorted(p)), len(numbers[k]))) for k, p in pieces.items()]
                terms.append((term.coefficient.real, factors))
            self._terms.append(terms)
        self.of_part = [[SparsePauliOp.from_terms([(string, 1.0)]) for string in strings] for strings in numbers]

    def combine(self, means: Sequence[Array]) -> Array:
        """Expectation values, shape (sets, operators), out of those of each part's strings, (sets, strings)."""
        sets = len(means[0])
        out = np.zeros((sets, len(self._terms)))
        for j, terms in enumerate(self._terms):
            for coefficient, factors in terms:
                value: Any = np.full(sets, coefficient)
                for part, number in factors:
                    value = value * means[part][:, number]
                out[:, j] += value
        return out


def squared(operator: SparsePauliOp) -> SparsePauliOp:
    """The square of an operator, for a variance.

    Raises:
        QsimError: when it has too many terms.
    """
    if operator.num_terms > _MOST_SQUARED:
        raise QsimError(
            f"The variance of an operator on independent parts takes its square, of at most {_MOST_SQUARED:,} terms "
            f"squared; this one has {operator.num_terms:,}. Take the variance of parts of it, or use estimate."
        )
    return operator * operator


# what a simulator reads out of parts ---------------------------------------------------------------------------


def probabilities_apart(simulator: Runs, circuit: Circuit, rows: Array, wanted: Sequence[int]) -> Array:
    """Outcome probabilities of `wanted` qubits for each row of parameter values, shape (sets, 2**k)."""
    from qsim.sampling import marginal_probabilities

    place = {q: k for k, q in enumerate(wanted)}
    advice = "Ask for the probabilities of fewer qubits."
    what = f"A table of the probabilities of {len(wanted)} qubits (2**{len(wanted)} numbers)"
    check_bytes(len(rows) * 24 << len(wanted), simulator.memory_limit, what, advice)
    marginals: list[list[tuple[Sequence[int], Array]]] = [[] for _ in rows]
    for part in independent_parts(circuit):
        local = [k for k, q in enumerate(part.qubits) if q in place]
        if not local:
            continue
        places = [place[part.qubits[k]] for k in local]
        for k, row in enumerate(rows):
            state = simulator._state(part.circuit, row)
            marginals[k].append((places, marginal_probabilities(state, local, simulator.threads)))
    return np.array([outer(of_row, wanted) for of_row in marginals]).reshape(len(rows), -1)


def moments_apart(
    simulator: Runs, circuit: Circuit, rows: Array, operators: Sequence[SparsePauliOp], spread: bool
) -> tuple[Array, Array]:
    """Expectation values and, with `spread`, variances (else zeros) for each row, shape (sets, operators)."""
    from qsim.observable import compile_observable

    asked = [*operators, *(squared(operator) for operator in operators)] if spread else list(operators)
    parts = independent_parts(circuit)
    strings = Strings(parts, asked)
    means: list[Array] = []
    for part, own in zip(parts, strings.of_part, strict=True):
        if not own:
            means.append(np.zeros((len(rows), 0)))
            continue
        compiled = compile_observable(own, len(part.qubits))
        states = [simulator._state(part.circuit, row).reshape(1, -1) for row in rows]
        found = [compiled.means(state, simulator.threads) for state in states]
        means.append(np.concatenate(found) if found else np.zeros((0, len(own))))
    values = strings.combine(means)
    if not spread:
        return values, np.zeros_like(values)
    first, second = values[:, : len(operators)], values[:, len(operators) :]
    return first, np.maximum(second - first * first, 0.0)
