"""Trajectories through channels whose outcomes depend on the state: one run for all shots until they differ.

At each place of noise one Kraus operator, the largest, stands for "nothing happened". Run with these operators in place,
the state's squared norm after a place is the probability that nothing has happened so far, so a shot with the uniform
number u leaves this path at the first place where the norm is below u (Dalibard, Castin and Molmer, PRL 68, 580 (1992);
here in discrete steps, which makes it exact for any channel). Places are halved again and again: a stretch of
2**j places that begins at a multiple of 2**j is one compiled program, and a place is found by halving.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.channels import Channel, canonical
from qsim.compiler.lowering import MATRIX
from qsim.compiler.program import Program, compile_lowered
from qsim.gates import row_by_code
from qsim.linalg import apply_matrix
from qsim.noisy import Segment
from qsim.state import evolve
from qsim.superops import RowWriter
from qsim.workspace import rooms

Array = npt.NDArray[Any]
_UNITARY = 1e-12


@dataclass(frozen=True)
class Outcomes:
    """A channel's Kraus operators, the largest first.

    Attributes:
        kraus: the operators.
        chances: their probabilities if these do not depend on the state, each operator then being unitary, else None.
    """

    kraus: tuple[Array, ...]
    chances: Array | None

    @classmethod
    def of(cls, channel: Channel) -> Outcomes:
        """As few operators as there are, or those given if they are multiples of unitaries."""
        given = sorted(channel.kraus, key=lambda k: -float(np.vdot(k, k).real))
        found = cls._mixture(given)
        return found or cls(tuple(canonical(given)), None)

    @classmethod
    def _mixture(cls, matrices: list[Array]) -> Outcomes | None:
        chances = []
        for matrix in matrices:
            square = matrix.conj().T @ matrix
            chances.append(float(square[0, 0].real))
            if chances[-1] == 0 or np.abs(square - chances[-1] * np.eye(len(square))).max() > _UNITARY:
                return None
        total = sum(chances)
        unitaries = tuple(m / np.sqrt(c) for m, c in zip(matrices, chances, strict=True))
        return cls(unitaries, np.array(chances) / total)


@dataclass
class _Stretch:
    """A compiled stretch of gates and of operators for "nothing happened"; the squared norm gets a factor."""

    program: Program | None
    rows: list[tuple[Array, list[int]]]
    factor: float


class KrausSegment:
    """A noisy segment whose places can be run in stretches.

    Position i is behind place i - 1; position 0 is the segment's beginning.
    """

    def __init__(self, segment: Segment, num_qubits: int, dtype: Any, tile_bits: int | None = None) -> None:
        self.segment, self.n, self.dtype, self.tile_bits = segment, num_qubits, dtype, tile_bits
        known = {
            id(channel): Outcomes.of(channel) for channel in {id(p.channel): p.channel for p in segment.places}.values()
        }
        self.outcomes = [known[id(place.channel)] for place in segment.places]
        self.size = len(segment.places)
        self._stretches: dict[tuple[int, int, bool], _Stretch] = {}
        self._lock = threading.Lock()

    def block(self, position: int) -> int:
        """Where the longest stretch ends that begins at this position."""
        length = 1
        while position % (2 * length) == 0 and position + 2 * length <= self.size:
            length *= 2
        return position + length

    def run(self, first: int, last: int, state: Array, threads: int, noise: bool = True) -> float:
        """Take `state`, in place, from one position to another, and return the factor of its squared norm.

        With `noise` off, only the gates are run from position `first` up to place `first`, or to the segment's end.
        """
        key = (first, last, noise)
        stretch = self._stretches.get(key)
        if stretch is None:
            with self._lock:
                stretch = self._stretches.get(key)
                if stretch is None:
                    stretch = self._stretches[key] = self._compile(first, last, noise)
        if stretch.program is None:
            for matrix, qubits in stretch.rows:
                state[:] = apply_matrix(state.reshape(-1, 1), matrix, qubits, self.n)[:, 0]
        elif threads == 1:
            run_alone(stretch.program, state, np.zeros(0))
        else:
            evolve(stretch.program, np.zeros(0), self.dtype, threads, state)
        return stretch.factor

    def _compile(self, first: int, last: int, noise: bool) -> _Stretch:
        writer, factor = RowWriter(), 1.0
        for place in range(first, last if noise else first + 1):
            begin = self.segment.places[place - 1].at if place else 0
            end = self.segment.places[place].at if place < self.size else len(self.segment.rows)
            for row in range(begin, end):
                self._gate(writer, row)
            if noise:
                outcomes, qubits = self.outcomes[place], list(self.segment.places[place].qubits)
                if outcomes.chances is not None:
                    factor *= float(outcomes.chances[0])
                self._operator(writer, outcomes.kraus[0], qubits, outcomes.chances is not None)
        if self.n == 1:
            rows = [(matrix, writer.operands[row[1] : row[1] + row[2]]) for row, matrix in _single_rows(writer)]
            return _Stretch(None, rows, factor * writer.factor**2)
        program = compile_lowered(writer.lowered(), self.n, (), dtype=self.dtype, tile_bits=self.tile_bits)
        return _Stretch(program, [], factor * writer.factor**2)

    def _gate(self, writer: RowWriter, row: int) -> None:
        code, first, count, value, controls, bits = self.segment.rows[row]
        qubits = self.segment.operands[first : first + count]
        if code == MATRIX or self.n == 1:
            own, targets, bits, matrix = self.segment.targets(row)
            if targets or own:
                writer.unitary(matrix, own, targets, bits)
        else:
            writer.table(
                code, qubits, self.segment.values[value : value + row_by_code(code).num_params], controls, bits
            )

    def _operator(self, writer: RowWriter, matrix: Array, qubits: list[int], unitary: bool) -> None:
        if not np.any(matrix - matrix[0, 0] * np.eye(len(matrix))):
            writer.factor *= abs(matrix[0, 0])
        elif unitary or self.n == 1:
            writer.unitary(matrix, [], qubits)
        elif len(qubits) == 1:  # on a second qubit as the identity: see RowWriter
            other = qubits[0] + 1 if qubits[0] + 1 < self.n else qubits[0] - 1
            wide: Any = np.kron(np.eye(2), matrix)
            writer.matrix(wide, [qubits[0], other])
        else:
            writer.matrix(matrix, qubits)

    def weights(self, place: int, state: Array) -> Array:
        """The relative probabilities of a place's operators but the first, for the state before it."""
        outcomes = self.outcomes[place]
        if outcomes.chances is not None:
            return np.asarray(outcomes.chances[1:])
        density = _reduced(state, self.segment.places[place].qubits, self.n)
        found = [float(np.einsum("ij,jk,ik->", k, density, k.conj()).real) for k in outcomes.kraus[1:]]
        return np.maximum(found, 0.0)

    def jump(self, place: int, which: int, state: Array) -> Array:
        """A place's operator number `which` on a state, as a new normalised state."""
        matrix, qubits = self.outcomes[place].kraus[which], self.segment.places[place].qubits
        result = apply_matrix(state.reshape(-1, 1), matrix.astype(state.dtype), qubits, self.n)[:, 0]
        result *= state.dtype.type(1 / np.sqrt(squared_norm(result)))
        return result


def run_alone(program: Program, state: Array, values: Array) -> None:
    """Run a program on a state, in place, on this thread; a global phase does not matter."""
    real = np.float64 if state.dtype == np.complex128 else np.float32
    if not program.num_passes:
        return
    coefficients = np.empty(len(program.template), real)
    with rooms(real, program.workspace_numbers, 1) as (room,):
        program.run(state.view(real), values, 0, 1, program.num_passes, 0, 0, -1, coefficients, 1 + 0j, room)


def squared_norm(state: Array) -> float:
    """<psi|psi>."""
    return float(np.vdot(state, state).real)


def _single_rows(writer: RowWriter) -> list[tuple[tuple[int, ...], Array]]:
    """The rows of a circuit of one qubit, all of them matrices."""
    return [
        (row, np.diag([1, writer.matrices[row[3]][0, 0]] if row[5] else [writer.matrices[row[3]][0, 0], 1]))
        if row[4] else (row, writer.matrices[row[3]])
        for row in writer.rows
    ]  # fmt: skip


def _reduced(state: Array, qubits: tuple[int, ...], num_qubits: int) -> Array:
    """The density matrix of a few qubits, not normalised; the first is the least significant bit."""
    front = [num_qubits - 1 - q for q in reversed(qubits)]
    rest = [axis for axis in range(num_qubits) if axis not in front]
    matrix = state.reshape((2,) * num_qubits).transpose(front + rest).reshape(1 << len(qubits), -1)
    return np.asarray(matrix @ matrix.conj().T)
