"""Running a plan on the part of a state that one rank holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.compiler.lowering import Lowered
from qsim.compiler.program import Program, compile_lowered
from qsim.distributed.plan import Exchange, Local, RankPlan
from qsim.distributed.resolve import resolve
from qsim.distributed.transport import Ranks
from qsim.parameters import Parameter
from qsim.pool import part as one_part
from qsim.state import evolve, evolve_from

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Part:
    """One rank's part of a state.

    Attributes:
        ranks: who has the others.
        state: amplitudes, shape (2**local_qubits,).
        final: the position of each qubit; those from `local_qubits` on are bits of the rank's number.
        threads: that this rank uses.
        seconds: that each step of the plan took on this rank, waiting for others included.
    """

    ranks: Ranks
    state: Array
    final: tuple[int, ...]
    threads: int
    seconds: tuple[float, ...] = ()

    @property
    def num_qubits(self) -> int:
        """Of the whole state."""
        return len(self.final)

    @property
    def local_qubits(self) -> int:
        """Of the part."""
        return len(self.state).bit_length() - 1

    def basis_states(self, indices: Array, rank: int | None = None) -> Array:
        """The basis states whose amplitudes a rank, this one if None, holds at these indices of its part."""
        return basis_states(self.final, self.local_qubits, self.ranks.rank if rank is None else rank, indices)

    def place(self, masks: Array) -> Array:
        """Masks of qubits as masks of positions; the other way round for `basis_states`."""
        result = np.zeros_like(masks)
        for qubit, position in enumerate(self.final):
            result |= ((masks >> qubit) & 1) << position
        return result


def basis_states(final: Sequence[int], local_qubits: int, rank: int, indices: Array) -> Array:
    """The basis state of each index of a rank's part, where qubit q is at position final[q].

    >>> basis_states((2, 0, 1), 2, 1, np.arange(4))
    array([1, 3, 5, 7])
    """
    whole = indices | (rank << local_qubits)
    result = np.zeros_like(whole)
    for qubit, position in enumerate(final):
        result |= ((whole >> position) & 1) << qubit
    return result


@contextmanager
def together(ranks: Ranks) -> Iterator[None]:
    """What every rank does by itself; an error of any is raised by all. Inside, ranks do not talk."""
    error: Exception | None = None
    try:
        yield
    except Exception as raised:
        error = raised
    ranks.agree(error)


class RankProgram:
    """A plan with what one rank compiled for it; kept on the circuit, and bound to values as often as wanted."""

    def __init__(self, plan: RankPlan, rank: int, dtype: Any) -> None:
        self.plan, self.rank, self.dtype = plan, rank, dtype
        self._programs: dict[tuple[int, bool], Program] = {}
        self._start: Program | None = None

    @classmethod
    def of(cls, circuit: Circuit, plan: RankPlan, rank: int, dtype: Any) -> RankProgram:
        """The one that is kept on the circuit, or a new one."""
        key = ("rank program", id(plan), rank, np.dtype(dtype).name)
        kept = circuit._compiled.get(key)
        if kept is None:
            kept = circuit._compiled[key] = cls(plan, rank, dtype)  # it holds the plan, whose id stays its own
        assert isinstance(kept, cls)
        return kept

    def run(self, ranks: Ranks, row: Array, threads: int, state: Array | None = None, given: bool = False) -> Part:
        """Run all steps.

        Args:
            row: parameter values.
            state: room for the rank's part, shape (2**local_qubits,); with `given`, what it begins with.
        """
        steps, empty = self.plan.steps, False
        error: Exception | None = None
        try:
            if not given and (not steps or isinstance(steps[0], Exchange)):
                state, empty = self._begin(row, state)
                given = True
        except Exception as raised:
            error = raised
        seconds = []
        for number, step in enumerate(steps):
            began = perf_counter()
            if isinstance(step, Exchange):
                ranks.agree(error)
                assert state is not None
                swap_blocks(step, ranks, state)
                empty = False
            elif error is None:
                try:
                    with one_part(number, len(steps)):
                        if not given:
                            state, empty = self._first(number, step, row, threads, state)
                            given = True
                        elif not empty:
                            assert state is not None
                            state = evolve(self._program(number, step, True), row, self.dtype, threads, state)
                except Exception as raised:
                    error = raised
            seconds.append(perf_counter() - began)
        ranks.agree(error)
        assert state is not None
        return Part(ranks, state, self.plan.final, threads, tuple(seconds))

    def factors(self, row: Array) -> Array:
        """The amplitude that each rank's part |0...0> begins with."""
        away, start = self.plan.num_qubits - self.plan.local_qubits, self.plan.start
        assert start is not None
        if not away or not len(start.rows):
            none: Array = np.eye(1, 1 << away, dtype=self.dtype)[0]
            return none
        if self._start is None:
            rows = resolve(start, 0, away)  # a copy, since compiling changes them
            self._start = compile_rows(rows, away, self.plan.parameters, np.complex128, natural_start=False)
        found: Array = evolve(self._start, row, np.complex128, 1).astype(self.dtype)
        return found

    def _begin(self, row: Array, state: Array | None) -> tuple[Array, bool]:
        """The part of |0...0>, in `state` if that is given, and whether all of it is zero."""
        factor = self.factors(row)[self.rank]
        if state is None:
            state = np.zeros(1 << self.plan.local_qubits, self.dtype)
        else:
            state[:] = 0
        state[0] = factor
        return state, factor == 0

    def _first(self, number: int, step: Local, row: Array, threads: int, state: Array | None) -> tuple[Array, bool]:
        """The first local part, from |0...0>: what works on qubits that are still |0> is left out."""
        factor = self.factors(row)[self.rank]
        if factor == 0:
            return self._begin(row, state)
        program = self._program(number, step, False)
        if state is not None:
            evolve_from(program, row, state, complex(factor), threads)
            return state, False
        state = evolve(program, row, self.dtype, threads)
        if factor != 1:
            state *= self.dtype(factor)
        return state, False

    def _program(self, number: int, step: Local, natural_start: bool) -> Program:
        key = number, natural_start
        if key not in self._programs:
            rows = resolve(step.lowered, self.rank, self.plan.local_qubits)
            self._programs[key] = compile_rows(
                rows, self.plan.local_qubits, self.plan.parameters, self.dtype, natural_start
            )
        return self._programs[key]


def compile_rows(
    lowered: Lowered, num_qubits: int, parameters: Sequence[Parameter], dtype: Any, natural_start: bool = True
) -> Program:
    """A program of rows, which are changed."""
    return compile_lowered(lowered, num_qubits, parameters, dtype=dtype, natural_start=natural_start)


def swap_blocks(step: Exchange, ranks: Ranks, state: Array) -> None:
    """One exchange, in place; it is its own inverse."""
    blocks = state.reshape(1 << step.num_qubits, -1)
    room = ranks.room(state.dtype, blocks.shape[1])
    for peer, block in step.partners(ranks.rank, len(state).bit_length() - 1):
        ranks.swap(peer, blocks[block], room)
