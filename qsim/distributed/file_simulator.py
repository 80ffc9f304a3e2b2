"""`FileSimulator`: circuits whose state is larger than memory, on a state in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.arguments import (
    as_operators,
    check_circuit,
    check_measured,
    checked_basis_state,
    checked_seed,
    checked_shots,
    last_measurements,
    visible_bits,
)
from qsim.circuit import Circuit
from qsim.counts import Counts
from qsim.distributed.cost import Cost, cost_in_file
from qsim.distributed.file_state import FileState, room_bits, traffic
from qsim.distributed.plan import NeedsNumbers, RankPlan, plan_ranks
from qsim.distributed.rates import Rates, measured
from qsim.distributed.store import StateFile, check_place
from qsim.errors import CircuitError, MemoryLimitError, QsimError
from qsim.memory import available_memory, check_limit, readable, resident_memory
from qsim.parameter_binding import bind_parameters
from qsim.pauli import check_observable
from qsim.pool import part as one_part
from qsim.pool import thread_count
from qsim.workspace import let_go

Array = npt.NDArray[Any]
#: Bytes beside the part that is in memory: the threads' tiles, tables of blocks, and the interpreter's own.
_BESIDE = 1 << 26
#: Bytes of parts that are more than this many times fewer than the whole are too many to take turns.
_MOST_PARTS_BITS = 16
#: Terms of an operator whose square is taken.
_MOST_SQUARED = 2000


@dataclass(frozen=True)
class FilePlan:
    """How a circuit runs on a state in a file; made without allocating anything.

    Attributes:
        ranks: the plan, whose parts take turns in memory.
        itemsize: bytes of an amplitude.
        room: bytes that may be taken beside the part in memory.

    >>> plan = FileSimulator(".", memory_limit=4 << 30).plan(Circuit(30).h(range(30)))
    >>> plan.file_bytes >> 30, plan.num_parts >= 4
    (16, True)
    """

    ranks: RankPlan
    itemsize: int
    room: int

    @property
    def file_bytes(self) -> int:
        """Bytes of the file."""
        return self.itemsize << self.ranks.num_qubits

    @property
    def part_bytes(self) -> int:
        """Bytes of a part."""
        return self.itemsize << self.ranks.local_qubits

    @property
    def num_parts(self) -> int:
        """How many parts take turns."""
        return self.ranks.num_ranks

    @property
    def bytes_read(self) -> int:
        """Bytes read from the file by the run itself, at most."""
        return traffic(self.ranks, self.itemsize).read

    @property
    def bytes_written(self) -> int:
        """Bytes written to the file by the run itself, at most."""
        return traffic(self.ranks, self.itemsize).written


class FileSimulator:
    """Runs circuits of gates exactly on a state in a file, of which a part at a time is in memory.

    Args:
        state_file: a folder, in which each run makes a file, or the name of a new file. The file takes 2**n amplitudes and is
            removed at the end of a run, whatever happens, unless `keep`.
        precision: "double" (complex128) or "single" (complex64).
        threads: how many threads; None takes QSIM_NUM_THREADS or all cores.
        memory_limit: bytes that the whole process may take; None takes half of what is free.
        keep: leave the file behind, in natural order, as an array that `numpy.load(path, mmap_mode="r")` opens.

    Raises:
        QsimError: bad arguments; no such folder; too little memory or disk for a circuit, before anything is written.

    >>> import tempfile
    >>> from qsim import Pauli
    >>> circuit = Circuit(3).h(0).cx(0, 1).cx(1, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     simulator = FileSimulator(folder)
    ...     round(simulator.expectation(circuit, Pauli.Z(0) * Pauli.Z(2)), 12)
    ...     simulator.sample(circuit.measure_all(), shots=100, seed=1)
    1.0
    {'000': 53, '111': 47}
    """

    def __init__(
        self,
        state_file: str | os.PathLike[str],
        precision: str = "double",
        threads: int | None = None,
        memory_limit: int | None = None,
        *,
        keep: bool = False,
        _local_qubits: int | None = None,
    ) -> None:
        if precision not in ("double", "single"):
            raise QsimError(f"The precision is 'double' or 'single', got {precision!r}.")
        if not isinstance(keep, bool):
            raise QsimError(f"keep is True, to leave the file behind, or False, got {keep!r}.")
        self.precision, self.keep = precision, keep
        self.threads = thread_count(threads)
        self.memory_limit = check_limit(memory_limit)
        check_place(state_file, 0, "A state")
        self.state_file = Path(state_file)
        self.last_file: Path | None = None
        self.last_traffic = (0, 0)
        self._dtype = np.complex128 if precision == "double" else np.complex64
        self._local_qubits = _local_qubits
        self._chosen: dict[int, int] = {}  # local qubits by qubits: what has been planned is what runs

    def __repr__(self) -> str:
        return f"FileSimulator({str(self.state_file)!r}, precision={self.precision!r}, threads={self.threads})"

    # results ------------------------------------------------------------------------------------------------
    def sample(
        self,
        circuit: Circuit,
        shots: int = 1024,
        parameters: Any = None,
        seed: int | None = None,
        *,
        memory: bool = False,
    ) -> Any:
        """Run a circuit `shots` times and count the outcomes of its classical bits.

        The same seed gives the same counts as `Simulator(method="statevector").sample`. Where the circuit falls apart into
        parts that nothing connects, that samples each part; so does this, without a file, if they fit into memory.

        Args:
            circuit: of gates, then measurements.
            shots: how many runs.
            parameters: one set or a batch; set k of a batch uses seed + k.
            seed: None draws one.
            memory: keep every shot, for `Counts.memory`.

        Returns:
            `Counts`, or a list of them for a batch.
        """
        from qsim.distributed.file_readout import sample_file

        shots, seed = checked_shots(shots), checked_seed(seed)
        self._check(circuit)
        check_measured(circuit)
        visible, registers = visible_bits(circuit)
        place = {bit: k for k, bit in enumerate(visible)}
        pairs = [(qubit, place[clbit]) for qubit, clbit in last_measurements(circuit) if clbit in place]
        apart = self._apart(circuit)
        if apart is not None:
            return apart.sample(circuit, shots, parameters, seed, memory=memory)
        results = []
        for k, state in self._states(circuit, parameters, self._shot_bytes(circuit, shots, memory)):
            own = (seed + k) % (1 << 64)
            values, frequencies = sample_file(state, pairs, shots, own, self._room(state))
            results.append(Counts(values, frequencies, len(visible), registers, own, memory=memory))
        return results if self._batched(circuit, parameters) else results[0]

    def expectation(self, circuit: Circuit, observable: Any, parameters: Any = None) -> Any:
        """The exact expectation value of a Hermitian operator, or of each of a list of them, as `Simulator.expectation`."""
        from qsim.distributed.file_readout import expectations_of

        self._check(circuit)
        single, operators = as_operators(observable)
        for operator in operators:
            check_observable(operator, circuit.num_qubits)
        found = np.array([expectations_of(state, operators) for _, state in self._states(circuit, parameters)])
        found = found.reshape(-1, len(operators))
        picked = found[:, 0] if single else found
        if self._batched(circuit, parameters):
            return picked
        return float(picked[0]) if single else picked[0]

    def moments(self, circuit: Circuit, observable: Any, parameters: Any = None) -> tuple[Any, Any]:
        """Expectation value and variance <O**2> - <O>**2 from one run, each in the shape that `expectation` gives.

        Raises:
            QsimError: an operator has more than 2,000 terms, whose square is not worth multiplying out.
        """
        check_circuit(circuit)
        single, operators = as_operators(observable)
        for operator in operators:
            check_observable(operator, circuit.num_qubits)
            if operator.num_terms > _MOST_SQUARED:
                raise QsimError(
                    f"A variance multiplies out an operator's square: at most {_MOST_SQUARED:,} terms, this one has "
                    f"{operator.num_terms:,}. Ask for expectation values alone."
                )
        found = self.expectation(circuit, operators + [(one * one).simplify() for one in operators], parameters)
        means, squares = found[..., : len(operators)], found[..., len(operators) :]
        variances = np.maximum(squares - means * means, 0.0)
        if not single:
            return means, variances
        means, variances = means[..., 0], variances[..., 0]
        return (means, variances) if np.ndim(means) else (float(means), float(variances))

    def probabilities(self, circuit: Circuit, qubits: Sequence[int], parameters: Any = None) -> Array:
        """The outcome probabilities of some qubits, shape (2**k,), the first of the k qubits as least significant bit."""
        from qsim.distributed.file_readout import probabilities_of

        self._check(circuit)
        wanted = [circuit._qubit(q) for q in qubits]
        if len(set(wanted)) != len(wanted):
            raise CircuitError(f"Each qubit is asked for once, got {wanted}.")
        found = [probabilities_of(state, wanted, self._room(state)) for _, state in self._states(circuit, parameters)]
        return np.array(found) if self._batched(circuit, parameters) else found[0]

    def amplitudes(self, circuit: Circuit, basis_states: Sequence[Any], parameters: Any = None) -> Array:
        """The amplitudes of some basis states, by index or bitstring ("0110", the rightmost being qubit 0).

        Returns:
            Complex, shape (states,); for a batch (sets, states).

        >>> FileSimulator(".").amplitudes(Circuit(2).x(1), ["10", 3]).real
        array([1., 0.])
        """
        self._check(circuit)
        wanted = [checked_basis_state(state, circuit.num_qubits) for state in basis_states]
        found = [state.amplitudes(wanted) for _, state in self._states(circuit, parameters)]
        return np.array(found) if self._batched(circuit, parameters) else found[0]

    @contextmanager
    def state(self, circuit: Circuit, parameters: Any = None) -> Iterator[FileState]:
        """The state in its file, for several readings of one run; the file is gone afterwards unless it is kept."""
        self._check(circuit)
        rows, batched = bind_parameters(circuit, parameters)
        if batched:
            raise QsimError("One state at a time is held in a file. Give one set of parameters.")
        with self._run(circuit, rows[0]) as state:
            yield state

    # how ----------------------------------------------------------------------------------------------------
    def plan(self, circuit: Circuit) -> FilePlan:
        """How a circuit would run, without running it; parameters may be open.

        Raises:
            MemoryLimitError: the memory does not hold a useful part of the state, or a gate acts on too many qubits for it.
        """
        self._check(circuit)
        limit = self._limit()
        itemsize = int(np.dtype(self._dtype).itemsize)
        n = circuit.num_qubits
        if n not in self._chosen:
            self._chosen[n] = self._local(n, itemsize, limit)
        local = self._chosen[n]
        from qsim.distributed.file_state import block_bits

        keep = min(block_bits(circuit.num_qubits), local)
        try:
            ranks = plan_ranks(circuit, local, keep=keep)
        except CircuitError as error:
            if "too many ranks" not in str(error):
                raise
            raise MemoryLimitError(
                f"A part of this state that fits into {readable(max(limit, 0))} has {local} qubits, and a gate of the circuit acts "
                "on more at a time. Raise memory_limit."
            ) from None
        return FilePlan(ranks, itemsize, limit - (itemsize << room_bits(circuit.num_qubits, local)))

    def cost(self, circuit: Circuit, rates: Rates | None = None) -> Cost:
        """What a run would take, bytes and seconds, without running it; space on disk is checked.

        Args:
            circuit: parameters may be open.
            rates: of this machine; None measures them, which takes a second or two and a trial file.

        >>> from qsim.distributed.rates import Rates
        >>> cost = FileSimulator(".").cost(Circuit(12).h(range(12)), Rates.assumed())
        >>> cost.bytes_on_disk(), cost.seconds > 0
        ((0, 65536), True)
        """
        made = self.plan(circuit)
        check_place(self.state_file, made.file_bytes, f"A state of {circuit.num_qubits} qubits")
        if rates is None:
            rates = measured(self.precision, self.threads, folder=self.state_file, size=made.file_bytes)
        return cost_in_file(made.ranks, made.itemsize, rates)

    def _limit(self) -> int:
        """Bytes that are left for the run."""
        free = available_memory()
        if self.memory_limit is None:
            return free // 2 - _BESIDE
        return min(self.memory_limit - _in_use(), free) - _BESIDE

    def _local(self, num_qubits: int, itemsize: int, limit: int) -> int:
        if self._local_qubits is not None:
            return min(self._local_qubits, num_qubits)
        local = min(num_qubits, max(limit // itemsize, 1).bit_length() - 1)
        least = min(num_qubits, max(num_qubits - _MOST_PARTS_BITS, -(-num_qubits // 2), 12))
        if limit < itemsize or local < least:
            needed = _in_use() + _BESIDE + (itemsize << least)
            source = "half of what is free" if self.memory_limit is None else "the memory limit"
            raise MemoryLimitError(
                f"A state of {num_qubits} qubits in a file takes {readable(needed)} of memory at least (with the "
                f"{readable(_in_use())} that the process has); {source} leaves {readable(max(limit + _BESIDE, 0))}. "
                "Raise memory_limit, or take precision='single'."
            )
        return local

    def _check(self, circuit: Circuit) -> None:
        check_circuit(circuit)
        if circuit.is_dynamic:
            from qsim.dynamic import can_be_deferred

            if not can_be_deferred(circuit):
                raise CircuitError(
                    "A state in a file runs gates and final measurements. This circuit resets, branches or uses qubits after "
                    "measuring them; Simulator.sample runs it in memory."
                )

    def _apart(self, circuit: Circuit) -> Any:
        """A simulator that samples the circuit in independent parts in memory, if it has some and they fit."""
        from qsim.parts import WHOLE_QUBITS, independent_parts
        from qsim.simulator import Simulator

        if circuit.num_qubits <= WHOLE_QUBITS or len(parts := independent_parts(circuit)) == 1:
            return None
        limit = self._limit() + _BESIDE
        widest = max(len(one.qubits) for one in parts)
        itemsize = int(np.dtype(self._dtype).itemsize)
        if 2 * (itemsize << widest) > limit:
            return None
        return Simulator(self.precision, self.threads, max(limit, 1), method="statevector")

    @staticmethod
    def _batched(circuit: Circuit, parameters: Any) -> bool:
        return bind_parameters(circuit, parameters)[1]

    def _shot_bytes(self, circuit: Circuit, shots: int, memory: bool) -> int:
        """Bytes that counts take: outcomes and how often each came, while they are sorted; with `memory` each shot."""
        distinct = min(shots, 1 << min(circuit.num_qubits, 62))
        return 48 * distinct + (shots * (8 + circuit.num_clbits) if memory else 0)

    def _states(self, circuit: Circuit, parameters: Any, beside: int = 0) -> Iterator[tuple[int, FileState]]:
        rows, _batched = bind_parameters(circuit, parameters)
        if len(rows) > 1 and self.keep:
            raise QsimError("keep=True leaves one state behind. Give one set of parameters.")
        room = self._limit()
        if beside > room:
            raise MemoryLimitError(
                f"The results take {readable(beside)}; {readable(max(room, 0))} may be taken. Take fewer shots, or raise "
                "memory_limit."
            )
        for k, row in enumerate(rows):
            with one_part(k, len(rows)), self._run(circuit, row) as state:
                yield k, state

    @contextmanager
    def _run(self, circuit: Circuit, row: Array) -> Iterator[FileState]:
        try:
            plan = self.plan(circuit)
        except NeedsNumbers:
            circuit = circuit.bind({p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)})
            plan, row = self.plan(circuit), row[:0]
        with StateFile(self.state_file, circuit.num_qubits, self._dtype, self.threads, self.keep) as file:
            state = FileState(file, plan.ranks.local_qubits, self.threads)
            state.run(plan.ranks, row)
            if self.keep:
                state.settle()
                file.finish()
            yield state
            self.last_file = file.path if self.keep else None
            self.last_traffic = file.bytes_read, file.bytes_written

    def _room(self, state: FileState) -> int:
        """Bytes that reading results may take."""
        if self._local_qubits is not None:
            return 1 << 30
        return self._limit() if self.memory_limit is None else self.memory_limit - _in_use() - (_BESIDE >> 1)


def _in_use() -> int:
    """Bytes of memory that this process has, without what is kept of earlier runs, which is given back first."""
    let_go()
    return resident_memory()
