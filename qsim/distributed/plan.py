"""`RankPlan`: a circuit cut into parts that each rank runs alone, and the exchanges of qubits between them.

A state of n qubits lies on 2**(n - local) ranks. A position below `local` is a bit of an index within a rank; the others,
*global* ones, are the bits of the rank's number, the lowest first. The plan knows nothing of how ranks talk: the same one
serves processes under MPI and a state in a file, whose parts take turns in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import ROW, Circuit
from qsim.compiler import peephole
from qsim.compiler.idle import drop_idle
from qsim.compiler.lowering import Lowered, NeedsNumbers, lower
from qsim.distributed.blocks import SWAP, Block, bits_of, blocks_of, mask_of, masks, untangle
from qsim.distributed.search import Search, Stage, share
from qsim.errors import CircuitError
from qsim.parameters import Expression, Parameter

#: Amplitudes in one message, unless the caller says otherwise: 64 MiB in double precision, far below the 2**31 elements
#: that MPI counts with a C int.
CHUNK = 1 << 22
#: Qubits of a state at most: its amplitudes have 64-bit numbers with a sign, and so has one more than the last.
MAX_QUBITS = 62


@dataclass(frozen=True, eq=False)
class Local:
    """A part of the circuit that needs no other rank.

    Attributes:
        lowered: rows whose operands are positions. A global position occurs in diagonal gates and as a control only, which
            `qsim.distributed.resolve.resolve` turns into phases and conditions of one rank. SWAPs between local positions
            stand at the end where an exchange follows; they cost the engine nothing.
    """

    lowered: Lowered

    @property
    def num_gates(self) -> int:
        """Rows, without the SWAPs that move qubits within a rank."""
        return int(np.count_nonzero(self.lowered.rows[:, 0] != SWAP))


@dataclass(frozen=True)
class Exchange:
    """One all-to-all that exchanges global positions for local ones, `pairs` of (local, global).

    The local ones are the m highest, so that a rank's part is 2**m blocks. Rank r keeps one block and exchanges each other
    one with the rank whose bits at the global positions are the block's number.
    """

    pairs: tuple[tuple[int, int], ...]

    @property
    def num_qubits(self) -> int:
        """How many qubits leave every rank, and as many come in."""
        return len(self.pairs)

    def partners(self, rank: int, local_qubits: int) -> Iterator[tuple[int, int]]:
        """Each rank to exchange a block with, and the block's number within the part, in an order that suits all ranks.

        In round k every rank talks to the one whose bits differ from its own in k, so that all pairs meet at once.
        """
        places = [global_position - local_qubits for _, global_position in self.pairs]
        mine = sum(((rank >> place) & 1) << k for k, place in enumerate(places))
        others = rank & ~sum(1 << place for place in places)
        for round_number in range(1, 1 << len(places)):
            block = mine ^ round_number
            yield others | sum(((block >> k) & 1) << place for k, place in enumerate(places)), block


@dataclass(frozen=True, eq=False)
class RankPlan:
    """What 2**(num_qubits - local_qubits) ranks do to run a circuit.

    Attributes:
        num_qubits, local_qubits: of the state, and of the part of one rank.
        parameters: symbols of the circuit, in the order in which values are given.
        start: rows on the global positions alone, position local_qubits + k as qubit k, that come first: the state that
            they make of |0...0> has one amplitude for each rank, with which its part |0...0> begins. None where the
            initial state is given, in natural order.
        steps: local parts and exchanges in turn.
        final: the position of each qubit at the end.

    >>> circuit = Circuit(4).h(0).cx(0, 3).cx(3, 1).h(2)
    >>> plan = plan_ranks(circuit, local_qubits=3)
    >>> plan.num_ranks, plan.num_exchanges, plan.bytes_exchanged(itemsize=16)
    (2, 0, 0)
    """

    num_qubits: int
    local_qubits: int
    parameters: tuple[Parameter, ...]
    start: Lowered | None
    steps: tuple[Local | Exchange, ...]
    final: tuple[int, ...]

    @property
    def num_ranks(self) -> int:
        """How many ranks there are."""
        return 1 << (self.num_qubits - self.local_qubits)

    @property
    def exchanges(self) -> list[Exchange]:
        """The steps that are exchanges."""
        return [step for step in self.steps if isinstance(step, Exchange)]

    @property
    def num_exchanges(self) -> int:
        """How many exchanges there are."""
        return len(self.exchanges)

    @property
    def volume(self) -> float:
        """Amplitudes that a rank sends in all, as a multiple of what it holds; every rank sends as many."""
        return sum(share(step.num_qubits) for step in self.exchanges)

    def bytes_exchanged(self, itemsize: int) -> int:
        """Bytes that all ranks send together, for amplitudes of `itemsize` bytes."""
        blocks = sum((1 << step.num_qubits) - 1 << self.local_qubits - step.num_qubits for step in self.exchanges)
        return blocks * itemsize * self.num_ranks

    def messages(self, chunk: int = CHUNK) -> int:
        """Messages that all ranks send together when one holds at most `chunk` amplitudes."""
        total = 0
        for step in self.exchanges:
            block = 1 << (self.local_qubits - step.num_qubits)
            total += ((1 << step.num_qubits) - 1) * -(-block // chunk)
        return total * self.num_ranks

    def describe(self) -> str:
        """A line for each step.

        >>> print(plan_ranks(Circuit(3).h([0, 1, 2]).cx(0, 1).cx(1, 2).cx(2, 0), local_qubits=2).describe())
        3 qubits on 2 ranks, 2 of them local
        local: 4 gates
        exchange: positions 1 with 2; 50 % of the amplitudes
        local: 1 gates
        """
        lines = [f"{self.num_qubits} qubits on {self.num_ranks} ranks, {self.local_qubits} of them local"]
        for step in self.steps:
            if isinstance(step, Local):
                lines.append(f"local: {step.num_gates} gates")
            else:
                pairs = ", ".join(f"{low} with {high}" for low, high in step.pairs)
                lines.append(f"exchange: positions {pairs}; {100 * share(step.num_qubits):.4g} % of the amplitudes")
        return "\n".join(lines)


def plan_ranks(
    circuit: Circuit, local_qubits: int, *, keep: int | None = None, given_start: bool = False, start: int = 0,
    stop: int | None = None,
) -> RankPlan:  # fmt: skip
    """Plan a circuit's gates for ranks that hold 2**local_qubits amplitudes each.

    Args:
        circuit: without feed-forward and resets; final measurements are left out. A fractional power of a gate with
            symbolic parameters has to be bound first (`NeedsNumbers`).
        local_qubits: how many qubits are local.
        keep: how many of the lowest qubits have to be at their own positions at the end, the other local ones above them
            in ascending order. With `local_qubits` or more, the natural order but for the order of the ranks. None: any.
        given_start: the initial state is given, in natural order, and not |0...0>.
        start, stop: plan the operations [start, stop) only.

    Raises:
        CircuitError: more than 62 qubits; a gate acts on more, not counting controls and diagonal gates, than are local.

    The lazy map of qubits is that of "mpiQulacs" and "lazy qubit reordering" (arXiv:2203.16044, arXiv:2410.04252);
    controls and diagonal gates on global qubits as in Haener and Steiger, arXiv:1704.01127. See `qsim.distributed.search`
    for the choice of global qubits.

    >>> plan_ranks(Circuit(3).h(0).cz(0, 2).cx(2, 1), local_qubits=2).num_exchanges
    0
    """
    key = ("ranks", len(circuit), local_qubits, keep, given_start, start, stop)
    kept = circuit._compiled.get(key)
    if kept is None:
        kept = _plan(circuit, local_qubits, keep, given_start, start, stop)
        circuit._compiled[key] = kept
    assert isinstance(kept, RankPlan)
    return kept


def _plan(
    circuit: Circuit, local_qubits: int, keep: int | None, given_start: bool, start: int, stop: int | None
) -> RankPlan:
    n = circuit.num_qubits
    if n > MAX_QUBITS:
        raise CircuitError(
            f"A statevector has at most {MAX_QUBITS} qubits, since its amplitudes are numbered by 64 bits; this circuit has {n}. "
            "Use fewer qubits, or a method that keeps no statevector: 'mps', or 'stabilizer' for Clifford circuits."
        )
    if not 0 <= local_qubits <= n:
        raise CircuitError(f"Of {n} qubits 0 to {n} are local, got {local_qubits}.")
    lowered = lower(circuit, start, stop)
    if not given_start:
        drop_idle(lowered, n)
    peephole.simplify(lowered, n)
    wires = untangle(lowered, n)
    _check_widths(lowered, local_qubits)
    blocks = blocks_of(lowered, keep_first=not given_start)
    home = kept = 0
    if keep is not None:
        home = mask_of(wires[q] for q in range(local_qubits, n))
        kept = mask_of(wires[q] for q in range(min(keep, local_qubits)))
    whole = keep is not None and keep >= local_qubits
    search = Search(blocks, n, n - local_qubits, home if whole else None, kept)
    top = mask_of(range(local_qubits, n))
    stages = search.stages(top if given_start else None)
    return _Builder(lowered, blocks, circuit, local_qubits, given_start).build(stages, search, wires, keep)


def _check_widths(lowered: Lowered, local_qubits: int) -> None:
    widest = max((active.bit_count() for active, _ in masks(lowered)), default=0)
    if widest > local_qubits:
        raise CircuitError(
            f"There are too many ranks for this circuit: each would hold {local_qubits} qubits, and a gate acts on {widest} at "
            "a time. Use fewer ranks."
        )


class _Builder:
    """Turns stages into steps, keeping track of where each wire is."""

    def __init__(
        self, lowered: Lowered, blocks: Sequence[Block], circuit: Circuit, local_qubits: int, given_start: bool
    ) -> None:
        self.lowered, self.blocks, self.circuit = lowered, blocks, circuit
        self.n, self.local, self.given_start = circuit.num_qubits, local_qubits, given_start
        self.steps: list[Local | Exchange] = []
        self.rows: list[list[int]] = []
        self.operands: list[int] = []
        self.place = list(range(self.n))

    def build(self, stages: list[Stage], search: Search, wires: list[int], keep: int | None) -> RankPlan:
        """All steps; `wires` tells where each qubit is at the end."""
        first = stages[0]
        if not self.given_start:
            inside = bits_of(((1 << self.n) - 1) & ~first.away)
            for position, wire in enumerate(inside + bits_of(first.away)):
                self.place[wire] = position
        begin = None if self.given_start else self._start(first)
        for stage in stages:
            if stage is not first:
                self._exchange(stage.away)
            self._run(stage.runs)
        if keep is not None:
            if search.home is not None:
                self._exchange(search.home)
            elif bad := stages[-1].away & search.keep:
                self._exchange(self._without(stages[-1].away, bad, search.keep, wires))
            order = [w for w in wires if self.place[w] < self.local]
            for position, wire in enumerate(order):
                self._move(wire, position)
        self._flush()
        self._add_phase(self.lowered.phase)
        final = tuple(self.place[w] for w in wires)
        return RankPlan(self.n, self.local, self.circuit.parameters, begin, tuple(self.steps), final)

    def _without(self, away: int, bad: int, keep: int, wires: list[int]) -> int:
        """Global wires with as few changes as can be, and none that has to be local."""
        others = [w for w in reversed(wires) if not (away | keep) >> w & 1]
        return away & ~bad | mask_of(others[: bad.bit_count()])

    def _start(self, first: Stage) -> Lowered:
        """The rows on global wires alone, as rows on as many qubits."""
        rows: list[list[int]] = []
        operands: list[int] = []
        for k in first.start:
            for at in self.blocks[k].rows:
                code, begin, count, value, controls, bits = self.lowered.rows[at].tolist()
                rows.append([code, len(operands), count, value, controls, bits])
                operands += [self.place[w] - self.local for w in self.lowered.operands[begin : begin + count].tolist()]
        return self._like(rows, operands)

    def _run(self, blocks: list[int]) -> None:
        for k in blocks:
            for at in self.blocks[k].rows:
                code, begin, count, value, controls, bits = self.lowered.rows[at].tolist()
                self.rows.append([code, len(self.operands), count, value, controls, bits])
                self.operands += [self.place[w] for w in self.lowered.operands[begin : begin + count].tolist()]

    def _move(self, wire: int, position: int) -> None:
        """Bring a local wire to a local position, the one that is there to where it was."""
        old = self.place[wire]
        if old == position:
            return
        other = self.place.index(position)
        self.rows.append([SWAP, len(self.operands), 2, 0, 0, 0])
        self.operands += [old, position]
        self.place[wire], self.place[other] = position, old

    def _exchange(self, away: int) -> None:
        """Make the wires of `away` global."""
        out = [w for w in bits_of(away) if self.place[w] < self.local]
        into = [w for w in range(self.n) if self.place[w] >= self.local and not (away >> w) & 1]
        if not out:
            return
        slots = range(self.local - len(out), self.local)
        staying = [w for w in out if self.place[w] in slots]
        free = [p for p in slots if p not in {self.place[w] for w in staying}]
        for wire in out:
            if wire not in staying:
                self._move(wire, free.pop())
        self._flush()
        pairs = []
        for wire, other in zip(sorted(out, key=lambda w: self.place[w]), sorted(into), strict=True):
            pairs.append((self.place[wire], self.place[other]))
            self.place[wire], self.place[other] = self.place[other], self.place[wire]
        self.steps.append(Exchange(tuple(pairs)))

    def _flush(self) -> None:
        if self.rows:
            self.steps.append(Local(self._like(self.rows, self.operands)))
        self.rows, self.operands = [], []

    def _add_phase(self, phase: Any) -> None:
        if not isinstance(phase, Expression) and phase == 0.0:
            return
        for k, step in enumerate(self.steps):
            if isinstance(step, Local):
                self.steps[k] = Local(replace(step.lowered, phase=step.lowered.phase + phase))
                return
        self.steps.append(Local(self._like([], [], phase)))

    def _like(self, rows: list[list[int]], operands: list[int], phase: Any = 0.0) -> Lowered:
        """Rows with values, expressions and matrices of the circuit."""
        whole = self.lowered
        table = np.array(rows, dtype=np.int64).reshape(-1, ROW)
        places: npt.NDArray[np.int64] = np.array(operands, dtype=np.int64)
        return Lowered(table, places, whole.values, whole.expressions, whole.matrices, phase)


__all__ = ["CHUNK", "Exchange", "Local", "NeedsNumbers", "RankPlan", "plan_ranks"]
