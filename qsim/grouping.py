"""Sets of Pauli products that can be measured together, and the circuits that turn them into products of Z.

Products that agree letter by letter wherever both act need one rotation of each qubit (Verteletskyi, Yen and Izmaylov,
J. Chem. Phys. 152, 124114 (2020)). Any that commute can be measured together after a Clifford circuit (Gottesman's
stabiliser formalism; van den Berg and Temme, Quantum 4, 322 (2020)). Products are masks (x, z): X or Y where a bit of x is
set, Z or Y where one of z is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit

Masks = npt.NDArray[np.int64]
#: How terms may be put together.
GROUPINGS = ("commuting", "qubit-wise")


def qubit_wise_groups(x: Masks, z: Masks, weights: npt.NDArray[np.float64]) -> list[Masks]:
    """Greedy groups of products that agree wherever two of them act, by falling weight; the indices of each.

    >>> [group.tolist() for group in qubit_wise_groups(np.array([1, 0, 0]), np.array([0, 2, 1]), np.ones(3))]
    [[0, 1], [2]]
    """
    members: list[list[int]] = []
    group_x, group_z, count = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64), 0
    for k in np.argsort(-weights, kind="stable").tolist():
        both = (group_x[:count] | group_z[:count]) & (x[k] | z[k])
        fits = ((group_x[:count] ^ x[k]) | (group_z[:count] ^ z[k])) & both == 0
        at = int(np.argmax(fits)) if count and fits.any() else count
        if at == count:
            members.append([])
            count += 1
        members[at].append(k)
        group_x[at] |= x[k]
        group_z[at] |= z[k]
    return [np.array(group, dtype=np.int64) for group in members]


def commuting_groups(x: Masks, z: Masks, weights: npt.NDArray[np.float64]) -> list[Masks]:
    """Greedy groups of products that commute with each other, by falling weight; the indices of each.

    >>> [group.tolist() for group in commuting_groups(np.array([3, 3, 1]), np.array([0, 3, 0]), np.ones(3))]
    [[0, 1], [2]]
    """
    order = np.argsort(-weights, kind="stable")
    xs, zs = x[order], z[order]
    group_of = np.zeros(len(x), np.int64)
    count = 0
    for k in range(len(xs)):
        anti = np.bitwise_count((xs[:k] & zs[k]) ^ (zs[:k] & xs[k])) & 1 == 1
        free = np.ones(count + 1, dtype=bool)
        free[group_of[:k][anti]] = False
        group_of[k] = np.argmax(free)
        count = max(count, int(group_of[k]) + 1)
    return [order[group_of == g] for g in range(count)]


def groups_of(x: Masks, z: Masks, weights: npt.NDArray[np.float64], grouping: str) -> list[Masks]:
    """Groups of one kind: of "commuting" ones only if those are fewer than the qubit-wise ones, which are simpler."""
    simple = qubit_wise_groups(x, z, weights)
    if grouping == "qubit-wise" or len(simple) <= 1:
        return simple
    general = commuting_groups(x, z, weights)
    return general if len(general) < len(simple) else simple


@dataclass(frozen=True)
class Diagonalised:
    """Commuting products after a change of basis: circuit * product * circuit**-1 = sign * product of Z on `masks`.

    `masks` and `signs` (+1.0 or -1.0) have an entry for each product.
    """

    circuit: Circuit
    masks: Masks
    signs: npt.NDArray[np.float64]


def diagonalise(x: Masks, z: Masks, num_qubits: int) -> Diagonalised:
    """A Clifford circuit that turns commuting products into products of Z.

    A product that still has an X or a Y is made a single X by CX and CZ from one of its qubits, then a Z by H. All others
    commute with it, so that they have no X there afterwards, and none comes back.

    Raises:
        ValueError: two of the products do not commute.

    >>> done = diagonalise(np.array([3, 3]), np.array([0, 3]), 2)  # XX and YY
    >>> done.circuit.count_ops(), done.masks.tolist(), done.signs.tolist()
    ({'cx': 1, 'h': 1}, [1, 3], [1.0, -1.0])
    """
    table = _Table(x.copy(), z.copy(), np.zeros(len(x), np.int64), Circuit(num_qubits))
    while True:
        rows = np.flatnonzero(table.x)
        if not len(rows):
            break
        # The product with the fewest X leaves the fewest gates; its lowest qubit keeps the X.
        pivot = int(rows[np.argmin(np.bitwise_count(table.x[rows]))])
        q = (int(table.x[pivot]) & -int(table.x[pivot])).bit_length() - 1
        for other in _bits(int(table.x[pivot]) & ~(1 << q)):
            table.cx(q, other)
        for other in _bits(int(table.z[pivot]) & ~(1 << q)):
            table.cz(q, other)
        if (int(table.z[pivot]) >> q) & 1:
            table.sdg(q)
        table.h(q)
        if (table.x >> q & 1).any():
            raise ValueError("Products that do not commute cannot be measured together.")
    return Diagonalised(table.circuit, table.z, np.where(table.flipped == 1, -1.0, 1.0))


def rotate(x: Masks, z: Masks, num_qubits: int) -> Diagonalised:
    """One-qubit gates that turn products which agree qubit by qubit into products of Z: h on X, sdg and h on Y.

    >>> done = rotate(np.array([3, 2]), np.array([0, 0]), 2)  # XX and X on qubit 1
    >>> done.circuit.count_ops(), done.masks.tolist(), done.signs.tolist()
    ({'h': 2}, [3, 2], [1.0, 1.0])
    """
    circuit = Circuit(num_qubits)
    flips, phases = int(np.bitwise_or.reduce(x, initial=0)), int(np.bitwise_or.reduce(z, initial=0))
    for q in _bits(flips):
        if phases >> q & 1:
            circuit.sdg(q)
        circuit.h(q)
    return Diagonalised(circuit, x | z, np.ones(len(x)))


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@dataclass
class _Table:
    """Products (-1)**flipped * (the letters of x and z), and the circuit that they have been conjugated by.

    The rules of Aaronson and Gottesman, Phys. Rev. A 70, 052328 (2004), for all products at once.
    """

    x: Masks
    z: Masks
    flipped: Masks
    circuit: Circuit

    def _column(self, q: int) -> tuple[Any, Any]:
        return self.x >> q & 1, self.z >> q & 1

    def h(self, q: int) -> None:
        a, b = self._column(q)
        self.flipped ^= a & b
        self.x ^= (a ^ b) << q
        self.z ^= (a ^ b) << q
        self.circuit.h(q)

    def sdg(self, q: int) -> None:
        a, b = self._column(q)
        self.flipped ^= a & (1 - b)
        self.z ^= a << q
        self.circuit.sdg(q)

    def cx(self, control: int, target: int) -> None:
        (a, b), (c, d) = self._column(control), self._column(target)
        self.flipped ^= a & d & (c ^ b ^ 1)
        self.x ^= a << target
        self.z ^= d << control
        self.circuit.cx(control, target)

    def cz(self, first: int, second: int) -> None:
        (a, b), (c, d) = self._column(first), self._column(second)
        self.flipped ^= a & c & (b ^ d)
        self.z ^= (c << first) ^ (a << second)
        self.circuit.cz(first, second)
