"""A state larger than memory: the plan for ranks, whose parts lie in one file and take turns in memory.

A part is read, its share of a segment is run by the engine, and it is written back: a segment reads and writes the file once.
An exchange between parts moves nothing. It changes which bits of the file's index the next segment holds fixed, and a part
then lies in as many pieces as it has halves, quarters and so on from others. The first segment reads nothing, and parts that
are known to be zero are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.compiler.lowering import Lowered
from qsim.compiler.program import Program, compile_lowered
from qsim.distributed.plan import Exchange, Local, RankPlan
from qsim.distributed.resolve import resolve
from qsim.distributed.store import StateFile
from qsim.pool import part, report
from qsim.sampling import block_size
from qsim.state import evolve, evolve_from

Array = npt.NDArray[Any]
#: Amplitudes that lie together when qubits change places, if that can be: 2**14.
_TOGETHER = 14


def block_bits(num_qubits: int) -> int:
    """Qubits of a block of the cumulative distribution that shots are drawn from."""
    return block_size(num_qubits).bit_length() - 1


def room_bits(num_qubits: int, local_qubits: int) -> int:
    """The size of the array that parts take turns in, as a power of two: a block at least."""
    return max(local_qubits, block_bits(num_qubits))


def segments(plan: RankPlan) -> list[Local | Exchange]:
    """The steps of a plan, with a local part at the beginning."""
    steps = list(plan.steps)
    if not steps or not isinstance(steps[0], Local):
        nothing = Lowered(np.zeros((0, 6), np.int64), np.zeros(0, np.int64), np.zeros(0))
        steps.insert(0, Local(nothing))
    return steps


@dataclass(frozen=True)
class Traffic:
    """Bytes that a plan reads from the file and writes to it, for amplitudes of one size."""

    read: int
    written: int


def traffic(plan: RankPlan, itemsize: int) -> Traffic:
    """What running a plan moves, when every part holds something."""
    parts = sum(isinstance(step, Local) for step in segments(plan))
    size = itemsize << plan.num_qubits
    return Traffic((parts - 1) * size, parts * size)


class FileState:
    """A state in a file, and where each qubit is in the file's index.

    Args:
        file: that holds it, all zeros.
        local_qubits: of the parts that take turns in memory.
        threads: for the engine.

    Attributes:
        bits: qubit q is bit bits[q] of an index of the file.
        place: an array that parts are read into, free between calls.
    """

    def __init__(self, file: StateFile, local_qubits: int, threads: int) -> None:
        self.file, self.threads = file, threads
        self.num_qubits, self.local = file.num_qubits, local_qubits
        self.bits = list(range(self.num_qubits))
        self.place: Array = np.empty(1 << room_bits(self.num_qubits, local_qubits), dtype=file.dtype)

    # running ------------------------------------------------------------------------------------------------
    def run(self, plan: RankPlan, row: Array) -> None:
        """Run a plan from |0...0> with these values of its parameters."""
        steps = segments(plan)
        layout = list(range(self.num_qubits))  # position -> bit of the file's index
        widest = max((step.num_qubits for step in plan.exchanges), default=0)
        filled = _Filled(self.local - widest, self.num_qubits)
        locals_left = sum(isinstance(step, Local) for step in steps)
        total, done = locals_left * plan.num_ranks, 0
        starts = self._starts(plan, row)
        for number, step in enumerate(steps):
            if isinstance(step, Exchange):
                for low, high in step.pairs:
                    layout[low], layout[high] = layout[high], layout[low]
                continue
            programs = _Programs(plan, step, self.file.dtype.type, from_zero=number == 0)
            for rank in programs.order():
                with part(done, total):
                    if number == 0:
                        if starts[rank]:
                            self._first(programs, rank, row, complex(starts[rank]), layout, filled)
                    else:
                        self._next(programs, rank, row, layout, filled)
                    report(1, 1)
                done += 1
        self.bits = [layout[position] for position in plan.final]

    def _starts(self, plan: RankPlan, row: Array) -> Array:
        """The amplitude of |0...0> with which each part begins."""
        away = plan.num_qubits - plan.local_qubits
        assert plan.start is not None
        if not away:
            return np.ones(1, np.complex128)
        rows = resolve(plan.start, 0, away)  # a copy, which compiling changes
        begin = compile_lowered(rows, away, plan.parameters, dtype=np.complex128, natural_start=False)
        return evolve(begin, row, np.complex128, self.threads)

    def _base(self, rank: int, layout: Sequence[int]) -> int:
        """The fixed bits of a part's indices."""
        return sum(((rank >> k) & 1) << bit for k, bit in enumerate(layout[self.local :]))

    def _first(
        self, programs: _Programs, rank: int, row: Array, amplitude: complex, layout: list[int], filled: _Filled
    ) -> None:
        own = self.place[: 1 << self.local]
        evolve_from(programs.of(rank), row, own, amplitude, self.threads)
        pieces = self.file.pieces(layout[: self.local], self._base(rank, layout))
        self.file.write(own, *pieces)
        filled.add(pieces)

    def _next(self, programs: _Programs, rank: int, row: Array, layout: list[int], filled: _Filled) -> None:
        own = self.place[: 1 << self.local]
        pieces = self.file.pieces(layout[: self.local], self._base(rank, layout))
        if not filled.any(pieces):
            return
        self.file.read(own, *pieces)
        result = evolve(programs.of(rank), row, self.file.dtype.type, self.threads, own)
        assert result is own
        self.file.write(own, *pieces)
        filled.add(pieces)

    # reading ------------------------------------------------------------------------------------------------
    def read(self, bits: Sequence[int], base: int) -> Array:
        """The amplitudes whose indices in the file differ in `bits`; they lie in `place` until the next call."""
        own = self.place[: 1 << len(bits)]
        self.file.read(own, *self.file.pieces(bits, base))
        return own

    def index_of(self, basis_state: int) -> int:
        """Where the amplitude of a basis state lies in the file."""
        return sum(((basis_state >> qubit) & 1) << bit for qubit, bit in enumerate(self.bits))

    def amplitudes(self, basis_states: Sequence[int]) -> Array:
        """The amplitudes of some basis states, in their order."""
        found: Array = np.empty(len(basis_states), dtype=self.file.dtype)
        places = np.array([self.index_of(state) for state in basis_states], dtype=np.int64)
        if len(found):
            self.file.read(found, np.arange(len(found), dtype=np.int64), places, 1)
        return found

    def settle(self) -> None:
        """Bring every qubit to its own bit of the index, so that the file is the statevector in natural order."""
        room = len(self.place).bit_length() - 1
        while self.bits != list(range(self.num_qubits)):
            run = next(q for q, bit in enumerate(self.bits) if q != bit)
            misplaced = sum(q != bit for q, bit in enumerate(self.bits))
            wide = min(run, room - 2, max(room - misplaced, _TOGETHER))  # at least two qubits change places at a time
            moved: list[int] = []
            for qubit in range(run, self.num_qubits):  # cycle by cycle
                while qubit not in moved and self.bits[qubit] != qubit and len(moved) < room - wide:
                    moved.append(qubit)
                    qubit = self.bits[qubit]
            self._reorder(wide, sorted(moved))

    def _reorder(self, wide: int, slots: list[int]) -> None:
        """Among the qubits that lie at `slots` of the index, send home those that can be; one pass over the file."""
        here = [qubit for qubit in range(self.num_qubits) if self.bits[qubit] in slots]
        home = {qubit: qubit for qubit in here if qubit in slots}
        free = [slot for slot in slots if slot not in home]
        after = {**home, **dict(zip([qubit for qubit in here if qubit not in home], free, strict=True))}
        low = list(range(wide))
        others = [bit for bit in range(wide, self.num_qubits) if bit not in slots]
        count = 1 << len(others)
        for number in range(count):
            base = sum(((number >> k) & 1) << bit for k, bit in enumerate(others))
            own = self.read(low + [self.bits[qubit] for qubit in here], base)
            self.file.write(own, *self.file.pieces(low + [after[qubit] for qubit in here], base))
            report(number + 1, count)
        for qubit in here:
            self.bits[qubit] = after[qubit]


class _Filled:
    """Which stretches of the file may hold something other than zeros."""

    def __init__(self, bits: int, num_qubits: int) -> None:
        self._shift = max(bits, num_qubits - 24)  # a table of 16 MiB at most
        self._table = np.zeros(1 << (num_qubits - self._shift), bool)

    def _rows(self, pieces: tuple[Array, Array, int]) -> Array:
        _, places, length = pieces
        inside = np.arange(0, length, 1 << self._shift, dtype=np.int64)
        return np.unique((places[:, None] + inside) >> self._shift)

    def add(self, pieces: tuple[Array, Array, int]) -> None:
        self._table[self._rows(pieces)] = True

    def any(self, pieces: tuple[Array, Array, int]) -> bool:
        return bool(self._table[self._rows(pieces)].any())


class _Programs:
    """The programs of one segment: parts whose rank has the same bits where the segment looks share theirs."""

    def __init__(self, plan: RankPlan, step: Local, dtype: Any, from_zero: bool) -> None:
        self.plan, self.step, self.dtype, self.from_zero = plan, step, dtype, from_zero
        self._mask = 0
        for position in step.lowered.operands.tolist():
            if position >= plan.local_qubits:
                self._mask |= 1 << (position - plan.local_qubits)
        self._kept: tuple[int, Program | None] = -1, None

    def order(self) -> list[int]:
        """All ranks, those that share a program one after the other."""
        return sorted(range(self.plan.num_ranks), key=lambda rank: (rank & self._mask, rank))

    def of(self, rank: int) -> Program:
        """The program of a rank's part; the last one is kept."""
        key = rank & self._mask
        if self._kept[0] != key or self._kept[1] is None:
            rows = resolve(self.step.lowered, rank, self.plan.local_qubits)
            made = compile_lowered(
                rows, self.plan.local_qubits, self.plan.parameters, dtype=self.dtype, natural_start=not self.from_zero
            )
            self._kept = key, made
        assert self._kept[1] is not None
        return self._kept[1]
