"""In which order qubits stand in the chain, and how wide bonds can become: from the gates of a circuit alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import FEED_FORWARD, GATE_OBJECT, ROW, Circuit
from qsim.classical import bodies
from qsim.gates import row_by_code

#: Wider circuits keep the order of their qubits: the eigenvectors of a larger matrix take too long.
MAX_ORDERED = 500

#: The qubits of a gate, and log2 of the factor by which it widens a bond that it crosses.
Interaction = tuple[tuple[int, ...], int]


def interactions(circuit: Circuit) -> Iterator[Interaction]:
    """The gates on two qubits and more, those in bodies of feed-forward too."""
    rows, operands = circuit._rows, circuit._operands
    for at in range(0, len(rows), ROW):
        code, first, count, item, extra = rows[at : at + 5]
        if code == FEED_FORWARD:
            for body in bodies(circuit._objects[item]):  # type: ignore[arg-type]
                yield from interactions(body)
        elif count > 1 and (code >= 0 or code == GATE_OBJECT):
            yield tuple(operands[first : first + count]), 1 if _is_narrow(code, extra, count) else min(count, 6)


def _is_narrow(code: int, extra: int, count: int) -> bool:
    """Whether a gate is a sum of two products across any cut: one qubit under controls, or a rotation about two Paulis."""
    if code < 0:
        return False
    row = row_by_code(code)
    return row.controls + extra >= count - 1 or row.name in ("rxx", "ryy", "rzz", "rzx")


def widths(gates: Sequence[Interaction], order: Sequence[int]) -> npt.NDArray[np.int64]:
    """A bound on log2 of each bond when the qubits stand in this order: the gates across it, or the qubits to one side.

    >>> widths([((0, 2), 1), ((1, 2), 1)], [0, 1, 2]).tolist()
    [1, 1]
    """
    count = len(order)
    place = {qubit: k for k, qubit in enumerate(order)}
    crossing = np.zeros(count + 1, np.int64)
    for qubits, rank in gates:
        places = [place[qubit] for qubit in qubits]
        crossing[min(places)] += rank
        crossing[max(places)] -= rank
    cuts = np.arange(1, count)
    return np.minimum(np.cumsum(crossing)[: max(count - 1, 0)], np.minimum(cuts, count - cuts))


def chain_order(circuit: Circuit) -> tuple[list[int], int]:
    """The order of qubits with the narrower bonds of two, the circuit's own and that of its graph, and log2 of the widest.

    Qubits that gates join should stand close to each other: those of the graph's second eigenvector do (Barnard, Pothen and
    Simon, "A spectral algorithm for envelope reduction of sparse matrices", 1995).

    >>> chain_order(Circuit(4).cx(0, 2).cx(1, 3))
    ([0, 2, 1, 3], 1)
    """
    count = circuit.num_qubits
    gates = list(interactions(circuit))
    own = list(range(count))
    best, bound = own, widths(gates, own)
    if gates and 2 < count <= MAX_ORDERED:
        other = _spectral_order(gates, count)
        found = widths(gates, other)
        if (found.max(), found.sum()) < (bound.max(), bound.sum()):
            best, bound = other, found
    return best, int(bound.max()) if len(bound) else 0


def _spectral_order(gates: Sequence[Interaction], count: int) -> list[int]:
    adjacency: Any = np.zeros((count, count))
    for qubits, _ in gates:
        for a, b in pairwise(qubits):
            adjacency[a, b] += 1.0
            adjacency[b, a] += 1.0
    order: list[int] = []
    left = set(range(count))
    for start in range(count):
        if start not in left:
            continue
        part, frontier = [], [start]
        left.discard(start)
        while frontier:
            qubit = frontier.pop()
            part.append(qubit)
            near = [k for k in np.flatnonzero(adjacency[qubit]).tolist() if k in left]
            left.difference_update(near)
            frontier.extend(near)
        part.sort()
        if len(part) > 2:
            some = adjacency[np.ix_(part, part)]
            vector = np.linalg.eigh(np.diag(some.sum(axis=1)) - some)[1][:, 1]
            vector = vector if vector[0] <= vector[-1] else -vector
            # Rounded, so that ties are broken by number on every machine.
            part = [part[k] for k in np.lexsort((np.arange(len(part)), vector.round(9))).tolist()]
        order.extend(part)
    return order
