"""What a plan costs: passes over memory, bytes moved and exchanged, memory of a node, and time by measured rates.

Nothing of the size of a state is made, so that a plan for 45 qubits takes as long as one for 25. The time of a part is that of
its passes: each moves its amplitudes through the caches once and spends on them what its operations take, by the engine's
own table of costs. Both are scaled by rates, measured or given; see `qsim.distributed.rates`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qsim.circuit import Circuit
from qsim.compiler.program import Program, compile_lowered
from qsim.distributed.file_state import block_bits, segments
from qsim.distributed.plan import CHUNK, Local, NeedsNumbers, RankPlan, plan_ranks
from qsim.distributed.rates import Rates
from qsim.distributed.resolve import resolve
from qsim.dynamic import can_be_deferred
from qsim.errors import CircuitError, MemoryLimitError, QsimError
from qsim.kernels import opcodes as oc
from qsim.memory import readable

_TYPES = {16: np.complex128, 8: np.complex64}
#: Hundredths of a nanosecond an amplitude, on one thread of the reference machine in single precision (docs/engine.md): up
#: to three real matrices at once, and operations by kind; a dense matrix is one on two qubits. Double takes twice as long.
_REALS = (0, 14, 17, 21)
_PRODUCTS = (oc.DENSE, oc.DENSE1)
_COSTS = {
    oc.DIAGONAL: 5, oc.FLIP: 10, oc.REAL1: 14, oc.DENSE1: 15, oc.DENSE: 52, oc.PHASES: 32,
    oc.TRANSPOSITION: 10,
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """What running local parts takes on one rank.

    Attributes:
        passes: over the part, those counted that visit only some of it.
        amplitudes: that passes load and store, in all.
        sweeps: of operations that are bound by loading and storing a tile: hundredths of nanoseconds on one thread of the
            reference machine in single precision, in all.
        products: the same of matrix products, which are bound by multiply-adds.
    """

    passes: int = 0
    amplitudes: float = 0.0
    sweeps: float = 0.0
    products: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.passes + other.passes, self.amplitudes + other.amplitudes, self.sweeps + other.sweeps,
            self.products + other.products,
        )  # fmt: skip


def work_of(program: Program) -> Work:
    """The work of a compiled program.

    >>> from qsim.compiler import compile_circuit
    >>> work_of(compile_circuit(Circuit(20).h(range(20)))).passes
    4
    """
    records = program.section(oc.IN_OPS).reshape(-1, oc.RECORD).tolist()
    limits = program.section(oc.IN_PASSES).reshape(-1, oc.PASS_RECORD).tolist()
    total = Work()
    for number in range(program.num_passes):
        amplitudes = float(program.num_tiles(number) << program.tile_bits)
        own = records[limits[number][oc.OPS_FROM] : limits[number][oc.OPS_TO]]
        sweeps = sum(_cost(op) for op in own if op[oc.KIND] not in _PRODUCTS)
        products = sum(_cost(op) for op in own if op[oc.KIND] in _PRODUCTS)
        total += Work(1, amplitudes, amplitudes * sweeps, amplitudes * products)
    return total


def _cost(op: list[int]) -> float:
    """An operation's cost an amplitude of the tile, as the compiler reckons."""
    kind, targets, fixed = op[oc.KIND], op[oc.TARGETS], op[oc.FIXED_COUNT]
    controls = op[oc.OUTER_MASK].bit_count()
    if kind == oc.REALS:
        return float(_REALS[min(fixed, 3)])
    if kind in (oc.PHASES, oc.TRANSPOSITION):
        return float(_COSTS[kind])
    controls += max(fixed - targets, 0)
    scale = 2.0 ** (targets - 2) if kind == oc.DENSE else 1.0
    return _COSTS[kind] * scale / (1 << controls)


def reference_seconds(operations: float, itemsize: int) -> float:
    """Seconds on one thread of the reference machine."""
    return 1e-11 * (itemsize / 8) * operations


@dataclass(frozen=True, eq=False)
class Cost:
    """What a circuit takes on so many nodes, or in a file.

    Attributes:
        plan: which qubits are exchanged when.
        nodes, ranks_per_node: powers of two; ranks that lie on one node have the same upper bits.
        itemsize: bytes of an amplitude.
        rates: of a node.
    """

    plan: RankPlan
    nodes: int
    ranks_per_node: int
    itemsize: int
    rates: Rates
    in_file: bool = False

    @property
    def num_ranks(self) -> int:
        """On all nodes."""
        return self.nodes * self.ranks_per_node

    @cached_property
    def work(self) -> Work:
        """Of one rank; the one whose number has all bits set, which leaves no controlled gate out."""
        total = Work()
        dtype = _TYPES[self.itemsize]
        for number, step in enumerate(segments(self.plan)):
            if isinstance(step, Local):
                rows = resolve(step.lowered, self.plan.num_ranks - 1, self.plan.local_qubits)
                natural = number > 0 or self.plan.start is None
                total += work_of(
                    compile_lowered(
                        rows, self.plan.local_qubits, self.plan.parameters, dtype=dtype, natural_start=natural
                    )
                )
        return total

    @property
    def bytes_in_memory(self) -> int:
        """Bytes that all nodes load and store while they run local parts."""
        return int(2 * self.itemsize * self.work.amplitudes) * self.plan.num_ranks

    @property
    def memory_per_node(self) -> int:
        """Bytes: the ranks' parts, and each rank's room for a message and for tiles."""
        part, tiles = self.itemsize << self.plan.local_qubits, 1 << 21
        if self.in_file:
            return part + tiles
        message = min(part // 2, self.itemsize * CHUNK) if self.num_ranks > 1 else 0
        return self.ranks_per_node * (part + message + tiles)

    def bytes_exchanged(self) -> tuple[int, int]:
        """Bytes that all ranks send in exchanges: within nodes, and between nodes."""
        inside = between = 0
        inner_bits = self.ranks_per_node.bit_length() - 1
        for step in self.plan.exchanges:
            block = self.itemsize << (self.plan.local_qubits - step.num_qubits)
            near = sum(place - self.plan.local_qubits < inner_bits for _, place in step.pairs)
            inside += ((1 << near) - 1) * block * self.plan.num_ranks
            between += ((1 << step.num_qubits) - (1 << near)) * block * self.plan.num_ranks
        return inside, between

    def bytes_on_disk(self) -> tuple[int, int]:
        """Bytes read from a file and written to it: each local part once, but for the first, which reads nothing."""
        count = sum(isinstance(step, Local) for step in segments(self.plan))
        size = self.itemsize << self.plan.num_qubits
        return ((count - 1) * size, count * size) if self.in_file else (0, 0)

    @property
    def compute_seconds(self) -> float:
        """Of local parts. Parts in a file take turns on the one node."""
        turns = self.plan.num_ranks if self.in_file else self.ranks_per_node
        move = 2 * self.itemsize * self.work.amplitudes / self.rates.memory.value
        rates, work = self.rates, self.work
        operations = rates.sweeps.value * work.sweeps + rates.products.value * work.products
        return turns * (move + reference_seconds(operations, self.itemsize))

    @property
    def exchange_seconds(self) -> float:
        """Of exchanges, which nothing overlaps."""
        if self.in_file:
            return 0.0
        inside, between = self.bytes_exchanged()
        return (inside / self.rates.exchange.value + between / self.rates.network.value) / self.nodes

    @property
    def disk_seconds(self) -> float:
        """Of reading and writing the file."""
        read, written = self.bytes_on_disk()
        first = min(written, self.itemsize << self.plan.num_qubits)
        again = (written - first) / self.rates.disk_write.value
        return first / self.rates.disk_first.value + again + read / self.rates.disk_read.value

    @property
    def seconds(self) -> float:
        """Of the run, without sampling or expectation values."""
        return self.compute_seconds + self.exchange_seconds + self.disk_seconds

    def to_dict(self) -> dict[str, object]:
        """All figures, for JSON."""
        inside, between = self.bytes_exchanged()
        read, written = self.bytes_on_disk()
        return {
            "qubits": self.plan.num_qubits,
            "nodes": self.nodes,
            "ranks_per_node": self.ranks_per_node,
            "ranks": self.plan.num_ranks,
            "local_qubits": self.plan.local_qubits,
            "precision": "double" if self.itemsize == 16 else "single",
            "passes": self.work.passes,
            "exchanges": self.plan.num_exchanges,
            "memory_per_node": self.memory_per_node,
            "bytes_in_memory": self.bytes_in_memory,
            "bytes_exchanged_within_nodes": 0 if self.in_file else inside,
            "bytes_exchanged_between_nodes": 0 if self.in_file else between,
            "messages": 0 if self.in_file else self.plan.messages(),
            "bytes_read_from_disk": read,
            "bytes_written_to_disk": written,
            "seconds": {
                "compute": self.compute_seconds, "exchange": self.exchange_seconds, "disk": self.disk_seconds,
                "total": self.seconds,
            },
            "rates": self.rates.to_dict(),
        }  # fmt: skip


def cost_on_nodes(
    circuit: Circuit, nodes: int, rates: Rates, *, ranks_per_node: int = 1, precision: str = "double",
    memory: int | None = None,
) -> Cost:  # fmt: skip
    """The cost of a circuit whose state lies on so many nodes.

    Args:
        circuit: of gates and final measurements; parameters may be open.
        nodes, ranks_per_node: powers of two.
        rates: of a node.
        memory: bytes that a node has, or None.

    Raises:
        QsimError: numbers that are no powers of two.
        CircuitError: the circuit branches, or there are too many ranks for it.
        MemoryLimitError: a node's share does not fit; the message says how many nodes it takes.

    >>> from qsim.distributed.rates import Rates
    >>> circuit = Circuit(45).h(range(45))
    >>> for k in range(44):
    ...     circuit = circuit.cx(k, k + 1).ry(0.1, k + 1)
    >>> cost = cost_on_nodes(circuit, 4096, Rates.assumed(), precision="single")
    >>> cost.plan.local_qubits, cost.memory_per_node >> 30
    (33, 64)
    """
    for name, number in (("nodes", nodes), ("ranks_per_node", ranks_per_node)):
        _check_power(name, number)
    if circuit.is_dynamic and not can_be_deferred(circuit):
        raise CircuitError(
            "A state over several nodes runs gates and final measurements. This circuit resets, branches or uses qubits after "
            "measuring them: it has no plan. Simulator.sample runs it on one machine."
        )
    ranks, itemsize = nodes * ranks_per_node, 16 if precision == "double" else 8
    away = ranks.bit_length() - 1
    if circuit.num_qubits <= away:
        raise CircuitError(
            f"Each rank holds at least one qubit: {ranks:,} ranks ({nodes:,} nodes of {ranks_per_node}) take a circuit of "
            f"{away + 1} qubits or more, this one has {circuit.num_qubits}. Use fewer ranks."
        )
    local = circuit.num_qubits - away
    made = Cost(_plan(circuit, local), nodes, ranks_per_node, itemsize, rates)
    if memory is not None and made.memory_per_node > memory:
        raise MemoryLimitError(_too_little(made, memory))
    return made


def cost_in_file(plan: RankPlan, itemsize: int, rates: Rates) -> Cost:
    """The cost of a plan whose parts take turns in the memory of one machine."""
    return Cost(plan, 1, 1, itemsize, rates, in_file=True)


def node_counts(text: str) -> list[int]:
    """Numbers of nodes out of "4", "1,2,8" or "1..64", all powers of two from the first to the last.

    >>> node_counts("1..8"), node_counts("4")
    ([1, 2, 4, 8], [4])
    """
    try:
        if ".." in text:
            first, last = (int(part) for part in text.split(".."))
            counts = list(_doubling(first, last))
        else:
            counts = [int(part) for part in text.split(",")]
    except ValueError:
        raise QsimError(f"Nodes are given as a number, or as 1,2,4 or 1..64 for several; got '{text}'.") from None
    for count in counts:
        _check_power("nodes", count)
    if not counts:
        raise QsimError(f"A range of nodes goes from the smaller to the larger number; got '{text}'.")
    return counts


def _doubling(first: int, last: int) -> Iterator[int]:
    _check_power("nodes", first)
    while first <= last:
        yield first
        first *= 2


def _check_power(name: str, number: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1 or number & (number - 1):
        hint = ""
        if isinstance(number, int) and number > 1:
            lower = 1 << (number.bit_length() - 1)
            hint = f" Take {lower:,} or {2 * lower:,}."
        raise QsimError(f"{name} is a power of two, since each qubit halves what a rank holds; got {number!r}.{hint}")
    if number > 1 << 40:
        raise QsimError(f"{name} is at most 2**40, got {number:,}.")


def _plan(circuit: Circuit, local: int) -> RankPlan:
    try:
        return plan_ranks(circuit, local, keep=min(block_bits(circuit.num_qubits), local))
    except NeedsNumbers as error:
        raise CircuitError(f"{error} Give values with --set, or bind the circuit.") from None


def _too_little(cost: Cost, memory: int) -> str:
    nodes, needed = cost.nodes, cost.memory_per_node
    most = (1 << (cost.plan.num_qubits - 1)) // cost.ranks_per_node  # each rank holds a qubit
    while needed > memory and nodes < most:
        nodes, needed = 2 * nodes, needed // 2
    advice = f"Take {nodes:,} nodes" if needed <= memory else "Take more memory"
    if cost.itemsize == 16:
        advice += ", or single precision, which takes half of it"
    return (
        f"{cost.plan.num_qubits} qubits on {cost.nodes:,} node{'s' * (cost.nodes > 1)} take {readable(cost.memory_per_node)} a "
        f"node; a node has {readable(memory)}. {advice}."
    )
