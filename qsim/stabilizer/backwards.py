"""Exact expectation values of noisy Clifford circuits: Paulis are taken backwards, and channels shrink them.

In the Heisenberg picture a Clifford gate takes a Pauli to a Pauli, and a mixture of Paulis multiplies it by
1 - 2 (the probability of those that anticommute with it). What is left of a Pauli at |0...0> is 0 unless it is a product
of Z. All terms of the operators go together: column q of x is an integer whose bit t is the X part of term t on qubit q.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.kernels import frames as codes
from qsim.pauli import SparsePauliOp
from qsim.stabilizer.clifford import CX, CZ, S_DAG, SQRT_X, SQRT_X_DAG, SWAP, H, S, X, Y, Z
from qsim.stabilizer.program import Program, Segment


def noisy_means(program: Program, operators: Sequence[SparsePauliOp]) -> list[float]:
    """The expectation value of each operator in the mixed state that a program of gates and noise makes."""
    terms = [(number, term) for number, operator in enumerate(operators) for term in operator.terms]
    x, z = [0] * len(program.qubits), [0] * len(program.qubits)
    idle = 0  # terms with an X part on a qubit that nothing happens to
    for t, (_, term) in enumerate(terms):
        for qubit, letter in term.paulis:
            at = program.qubits.get(qubit)
            if at is None:
                idle |= (letter != "Z") << t
                continue
            x[at] |= (letter != "Z") << t
            z[at] |= (letter != "X") << t
    signs, factors = 0, np.ones(len(terms))
    targets, channels, _ = program.noise
    for step in reversed(program.steps):
        assert isinstance(step, Segment)
        for code, a, b, c in step.ops[::-1].tolist():
            if code < codes.MEASURE:
                signs ^= _back(x, z, code, a, b)
            elif code == codes.NOISE:
                _shrink(factors, channels[c], [(x[q], z[q]) for q in targets[a : a + b].tolist()])
    gone = idle
    for column in x:
        gone |= column
    values = np.where(_flags(gone, len(terms)), 0.0, factors) * np.where(_flags(signs, len(terms)), -1.0, 1.0)
    result = [0.0] * len(operators)
    for (number, term), value in zip(terms, values.tolist(), strict=True):
        result[number] += term.coefficient.real * value
    return result


def _flags(bits: int, count: int) -> npt.NDArray[np.bool_]:
    data = np.frombuffer(bits.to_bytes((count + 7) // 8, "little"), np.uint8)
    return np.unpackbits(data, count=count, bitorder="little").astype(bool)


def _shrink(factors: Any, channel: Any, columns: Sequence[tuple[int, int]]) -> None:
    """Multiply the factor of each term by what a channel leaves of it; columns are (x, z) of the channel's qubits."""
    everything = (1 << len(factors)) - 1
    groups = {(0, 0): everything}  # the term's (x, z) on the channel's qubits -> the terms
    for k, (x, z) in enumerate(columns):
        split: dict[tuple[int, int], int] = {}
        for (xs, zs), some in groups.items():
            for bit_x, bit_z in ((0, 0), (1, 0), (0, 1), (1, 1)):
                part = some & (x if bit_x else everything & ~x) & (z if bit_z else everything & ~z)
                if part:
                    split[xs | bit_x << k, zs | bit_z << k] = part
        groups = split
    chance, before = channel[0, 0], 0.0
    errors = []
    for share, pauli in channel[1:].tolist():
        errors.append((chance * (share - before), int(pauli) & 15, int(pauli) >> 4))
        before = share
    for (xs, zs), some in groups.items():
        if xs or zs:
            wrong = sum(p for p, ex, ez in errors if ((xs & ez).bit_count() + (zs & ex).bit_count()) & 1)
            factors[_flags(some, len(factors))] *= 1 - 2 * wrong


def _back(x: list[int], z: list[int], op: int, a: int, b: int) -> int:
    """Take the terms from after a gate to before it, in place; returns which change their sign."""
    if op == H:
        x[a], z[a] = z[a], x[a]
        return x[a] & z[a]
    if op in (S, S_DAG):
        signs = x[a] & ~z[a] if op == S else x[a] & z[a]
        z[a] ^= x[a]
        return signs
    if op in (SQRT_X, SQRT_X_DAG):
        signs = z[a] & x[a] if op == SQRT_X else z[a] & ~x[a]
        x[a] ^= z[a]
        return signs
    if op == CX:
        signs = x[a] & z[b] & ~(x[b] ^ z[a])
        x[b] ^= x[a]
        z[a] ^= z[b]
        return signs
    if op == CZ:
        signs = x[a] & x[b] & (z[a] ^ z[b])
        z[a], z[b] = z[a] ^ x[b], z[b] ^ x[a]
        return signs
    if op == SWAP:
        x[a], x[b], z[a], z[b] = x[b], x[a], z[b], z[a]
        return 0
    return (z[a] if op in (X, Y) else 0) ^ (x[a] if op in (Y, Z) else 0)
