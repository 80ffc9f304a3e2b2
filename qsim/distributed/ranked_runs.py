"""What a distributed simulator's calls are made of: settings, agreement between ranks, checks, and runs."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt

import qsim.version
from qsim.arguments import (
    as_operators,
    check_circuit,
    last_measurements,
    visible_bits,
)
from qsim.circuit import Circuit
from qsim.compiler import NeedsNumbers
from qsim.counts import Counts
from qsim.distributed import readout
from qsim.distributed.identity import digest, digest_of
from qsim.distributed.mpi import MPITransport
from qsim.distributed.plan import CHUNK, Exchange, RankPlan, plan_ranks
from qsim.distributed.run import Part, RankProgram, together
from qsim.distributed.transport import Ranks, Transport
from qsim.dynamic import can_be_deferred
from qsim.engines import wants_other
from qsim.errors import CircuitError, MemoryLimitError, QsimError
from qsim.memory import available_memory, check_limit, readable
from qsim.methods import choose
from qsim.parameter_binding import bind_parameters
from qsim.parts import WHOLE_QUBITS, independent_parts, widest
from qsim.pauli import SparsePauliOp, check_observable
from qsim.pool import available_cores, thread_count
from qsim.pool import part as one_part
from qsim.simulator import PRECISIONS, Simulator

Array = npt.NDArray[Any]
_RULES = {
    "version": "Every rank runs the same version of qsim-session: rank 0 has {first}, rank {rank} has {other}. Install the "
    "same one on every machine.",
    "settings": "Every rank is given the same settings: rank 0 has {first}, rank {rank} has {other}.",
    "call": "Every rank makes the same calls: rank 0 calls {first}, rank {rank} calls {other}.",
    "program": "Every rank is given the same program: the one of rank {rank} ({other}) differs from that of rank 0 ({first}). "
    "Give all ranks one file, or broadcast it.",
    "arguments": "Every rank is given the same parameters, seed, shots and observables: those of rank {rank} ({other}) differ "
    "from those of rank 0 ({first}).",
}

_SAME_PLAN = (
    "Every rank makes the same plan: the one of rank {rank} ({other}) differs from that of rank 0 ({first}), though the "
    "programs are the same. Run all ranks on machines of one kind, with the same versions of Python and NumPy."
)


class RankedRuns:
    """The settings and runs of `qsim.distributed.simulator.DistributedSimulator`, which has the public calls."""

    def __init__(
        self,
        transport: Transport | Any = None,
        precision: str = "double",
        threads: int | None = None,
        memory_limit: int | None = None,
        *,
        method: str = "automatic",
        chunk: int = CHUNK,
    ) -> None:
        if transport is None or hasattr(transport, "Get_rank"):
            transport = MPITransport(transport)
        self.ranks = ranks = Ranks(transport, CHUNK)
        if isinstance(transport, MPITransport):
            transport.watch(lambda: ranks.agreed)

        def look() -> None:
            if precision not in PRECISIONS:
                raise QsimError(f"The precision is 'double' or 'single', got {precision!r}.")
            if isinstance(chunk, bool) or not isinstance(chunk, int) or not 1 <= chunk <= 16 * CHUNK:
                raise QsimError(f"A message holds 1 to {16 * CHUNK:,} amplitudes, got {chunk!r}.")
            if method not in ("automatic", "statevector"):
                raise QsimError(
                    f"Ranks hold one statevector: the method is 'automatic' or 'statevector', got {method!r}."
                )
            check_limit(memory_limit)
            thread_count(threads)

        settings = f"precision {precision}, method {method}, messages of {chunk} amplitudes"
        with self._guarded():
            self._compare(look, {"settings": settings})
            self._neighbours, sharing = self._on_this_machine()
        told = threads is not None or os.environ.get("QSIM_NUM_THREADS", "").strip()
        self.threads = thread_count(threads) if told else max(1, available_cores() // sharing)
        self.precision, self._dtype, self.memory_limit = precision, PRECISIONS[precision], memory_limit
        self.ranks.chunk, self.method = chunk, method
        #: The plan of the last run, with the bytes that it exchanges.
        self.last_plan: RankPlan | None = None
        #: The seconds that each of its steps took on this rank.
        self.last_seconds: tuple[float, ...] = ()

    def __repr__(self) -> str:
        where = f"rank {self.ranks.rank} of {self.ranks.size}"
        return f"DistributedSimulator({where}, precision={self.precision!r}, threads={self.threads})"

    @property
    def rank(self) -> int:
        """The number of this rank, from 0."""
        return self.ranks.rank

    # running ------------------------------------------------------------------------------------------------
    def plan(self, circuit: Circuit, keep: int | None = None) -> RankPlan:
        """The plan of a circuit for these ranks; see `qsim.distributed.plan.plan_ranks`."""
        check_circuit(circuit)
        return self._plan(circuit, keep)

    def _plan(self, circuit: Circuit, keep: int | None, given: bool = False) -> RankPlan:
        away = self.ranks.size.bit_length() - 1
        if circuit.num_qubits <= away:
            raise CircuitError(
                f"Each rank holds at least one qubit: {self.ranks.size} ranks take a circuit of {away + 1} qubits or more, this "
                f"one has {circuit.num_qubits}. Use fewer ranks."
            )
        return plan_ranks(circuit, circuit.num_qubits - away, keep=keep, given_start=given)

    def _run(self, circuit: Circuit, row: Array, keep: int | None, initial: Any = None) -> Part:
        """The state for one row of values."""
        with together(self.ranks):
            try:
                plan = self._plan(circuit, keep, initial is not None)
            except NeedsNumbers:
                circuit = bound_to(circuit, row)
                plan, row = self._plan(circuit, keep, initial is not None), row[:0]
            state: Array | None = None
            if initial is not None:
                part = np.asarray(initial).reshape(self.ranks.size, -1)[self.ranks.rank]
                state = np.array(part, dtype=self._dtype)
        self._check_plan(plan)
        program = RankProgram.of(circuit, plan, self.ranks.rank, self._dtype)
        part = program.run(self.ranks, row, self.threads, state, initial is not None)
        self.last_seconds = part.seconds
        return part

    def _counts(self, circuit: Circuit, row: Array, shots: int, seed: int, memory: bool) -> Counts:
        if self._runs_on_one(circuit) or self._takes_other_method(circuit, row):
            return self._counts_of_first(circuit, row, shots, seed, memory)
        self._check_room(circuit, 1, readout.sampling_room(circuit.num_qubits, shots))
        visible, registers = visible_bits(circuit)
        place = {bit: k for k, bit in enumerate(visible)}
        pairs = [(qubit, place[clbit]) for qubit, clbit in last_measurements(circuit) if clbit in place]
        n, local = circuit.num_qubits, circuit.num_qubits - (self.ranks.size.bit_length() - 1)
        part = self._run(circuit, row, readout.sampled_low_qubits(n, local))
        values, frequencies = readout.sample_bits(part, pairs, shots, seed, self.memory_limit)
        return Counts(values, frequencies, len(visible), registers, seed, memory=memory)

    def _runs_on_one(self, circuit: Circuit) -> bool:
        """Whether one process would not draw from the whole state: it follows histories, or parts of a circuit."""
        if circuit.is_dynamic and not can_be_deferred(circuit):
            return True
        if circuit.num_qubits <= WHOLE_QUBITS or len(independent_parts(circuit)) == 1:
            return False
        item = np.dtype(self._dtype).itemsize
        return bool(
            self.ranks.sum(np.array([float(4 * item << widest(circuit) <= self._bound())]))[0] == self.ranks.size
        )

    def _takes_other_method(self, circuit: Circuit, row: Array) -> bool:
        """Whether one process would sample it by another method than the statevector; rank 0 knows."""
        takes = False
        with together(self.ranks):
            if self.method == "automatic" and self.rank == 0:
                one = Simulator(self.precision, self.threads, self.memory_limit)
                if wants_other(one, circuit):
                    with suppress(MemoryLimitError):  # nothing in one process runs it
                        chosen = choose(bound_to(circuit, row), one, "sample").method
                        # A matrix-product state that is but hoped for does not come before the statevector of the ranks.
                        fits = one.estimate_memory(circuit) <= (self.memory_limit or available_memory())
                        takes = chosen == "stabilizer" or (chosen == "mps" and fits)
        return bool(self.ranks.from_first(takes))

    def _counts_of_first(self, circuit: Circuit, row: Array, shots: int, seed: int, memory: bool) -> Counts:
        visible, registers = visible_bits(circuit)
        drawn: list[Any] = []
        with together(self.ranks):
            if self.rank == 0:
                one = Simulator(self.precision, self.threads, self.memory_limit, method=self.method)
                counts = one.sample(bound_to(circuit, row), shots, seed=seed)
                drawn = [counts.outcomes, counts.frequencies.tolist(), counts.metadata]
        values, frequencies, metadata = self.ranks.from_first(drawn)
        return Counts(values, frequencies, len(visible), registers, seed, memory=memory, metadata=metadata)

    def _each(
        self, call: str, circuit: Circuit, parameters: Any, check: Callable[[], list[Any]], read: Callable[..., Array], *,
        natural: bool = False, initial: Any = None, copies: int = 1,
    ) -> Array:  # fmt: skip
        """What is read from the state of each set of parameters, with a leading axis for a batch."""
        with self._guarded():
            rows, batched, arguments = self._enter(call, circuit, parameters, check)
            self._check_room(circuit, copies)
            keep = circuit.num_qubits if natural else None
            found = []
            for k, row in enumerate(rows):
                with one_part(k, len(rows)):
                    found.append(read(self._run(circuit, row, keep, initial), *arguments))
        return np.array(found) if batched else np.asarray(found[0])

    # checks -------------------------------------------------------------------------------------------------
    def _enter(
        self, call: str, circuit: Circuit, parameters: Any, check: Callable[[], list[Any]]
    ) -> tuple[Array, bool, list[Any]]:
        """Rows of parameter values and what `check` returns, once it is sure that all ranks were asked for the same."""
        found: list[Any] = []
        facts = {"call": call}

        def look() -> None:
            arguments = check()
            found.extend([*bind_parameters(circuit, parameters), arguments])
            facts["program"] = digest(circuit)
            facts["arguments"] = digest_of(*found[:2], *_plain(arguments))

        self._compare(look, facts)
        rows, batched, arguments = found
        return rows, batched, arguments

    def _compare(self, look: Callable[[], None], facts: dict[str, str]) -> None:
        """Agree on facts, some of which `look` finds, and on its errors: one message, whatever ranks come with."""
        error: Exception | None = None
        try:
            look()
        except Exception as raised:
            error = raised
        self.ranks.check_same({"version": qsim.version.__version__, **facts}, _RULES, error)

    def _operators(self, circuit: Circuit, observable: Any) -> Callable[[], list[Any]]:
        """A check that gives whether it is one operator, and a list of all."""

        def check() -> list[Any]:
            single, several = as_operators(observable)
            self._check_gates(circuit, several)
            return [single, several]

        return check

    def _check_gates(self, circuit: Circuit, asked: Sequence[Any]) -> None:
        check_circuit(circuit)
        if circuit.is_dynamic:
            raise CircuitError(
                "A circuit that resets, branches or uses qubits after measuring them has no single state. Use sample, or leave "
                "those operations out."
            )
        for operator in asked:
            check_observable(operator, circuit.num_qubits)

    def _check_initial(self, circuit: Circuit, initial: Any) -> None:
        if initial is None:
            return
        shape = np.shape(initial)
        if shape != (1 << circuit.num_qubits,):
            raise QsimError(
                f"An initial state over ranks is an array of shape ({1 << circuit.num_qubits},), got shape {shape}."
            )
        norm = float(np.linalg.norm(initial))
        if not abs(norm - 1) <= 1e-5:
            raise QsimError(f"The initial state has norm {norm:.10g}, and a state has norm 1.")

    def _bound(self) -> int:
        """Bytes that this rank may take."""
        free = available_memory() // self._neighbours
        return free if self.memory_limit is None else min(free, self.memory_limit)

    def _check_plan(self, plan: RankPlan) -> None:
        """Refuse plans that differ, as they might where machines of several kinds round angles differently."""
        steps = [step.pairs if isinstance(step, Exchange) else step.num_gates for step in plan.steps]
        self.ranks.check_same({"plan": digest_of(*steps, plan.final)}, {"plan": _SAME_PLAN})
        self.last_plan = plan

    def _check_room(self, circuit: Circuit, copies: int, more: int = 0) -> None:
        """Refuse what does not fit on a rank, before anything is allocated; `more` bytes are for what is read."""
        with together(self.ranks):
            away, item = self.ranks.size.bit_length() - 1, np.dtype(self._dtype).itemsize
            local = max(circuit.num_qubits - away, 0)
            needed = more + (copies * item << local) + item * min(self.ranks.chunk, 1 << local)
            needed += self.threads * item << min(local, 16)
            bound = self._bound()
            if needed > bound:
                shares = f"{self._neighbours} ranks share its machine"
                raise MemoryLimitError(
                    f"A rank's part of a statevector of {circuit.num_qubits} qubits on {self.ranks.size} ranks needs "
                    f"{readable(needed)} (2**{local} amplitudes of {item} bytes, {copies} of them, and workspace); "
                    f'{readable(bound)} are available to it ({shares}). Try more machines, or precision="single".'
                )

    def _on_this_machine(self) -> tuple[int, int]:
        """How many ranks share this machine's memory, and how many of them this rank's cores."""
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        mine = [socket.gethostname(), cores]
        found = [json.loads(text) for text in self.ranks.transport.gather(json.dumps(mine).encode())]
        here = [theirs for name, theirs in found if name == mine[0]]
        return len(here), sum(theirs == cores or not set(cores).isdisjoint(theirs) for theirs in here)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """An error that the ranks have not agreed on ends all of them: the others wait for messages from this one."""
        try:
            yield
        except BaseException as error:
            if error is self.ranks.agreed or self.ranks.size == 1:
                raise
            kind = "" if isinstance(error, QsimError) else f"{type(error).__name__}: "
            self.ranks.transport.abort(f"{kind}{error}")


def bound_to(circuit: Circuit, row: Array) -> Circuit:
    """A circuit with values for its parameters."""
    values = {p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)}
    return circuit.bind(values) if values else circuit


def _plain(arguments: Sequence[Any]) -> list[Any]:
    """Arguments as what `digest_of` can tell apart."""
    plain: list[Any] = []
    for argument in arguments:
        if isinstance(argument, SparsePauliOp):
            plain.append(argument._flat())
        elif isinstance(argument, list):
            plain.extend(_plain(argument))
        else:
            plain.append(argument)
    return plain
