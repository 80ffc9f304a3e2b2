"""`DistributedSimulator`: one statevector over many ranks, with the results of one process."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

import qsim.version
from qsim.arguments import (
    as_operators,
    check_circuit,
    check_measured,
    checked_seed,
    checked_shots,
    last_measurements,
    visible_bits,
)
from qsim.circuit import MEASURE, ROW, Circuit
from qsim.compiler import NeedsNumbers
from qsim.counts import Counts
from qsim.distributed import gradient, operators, readout
from qsim.distributed.identity import digest, digest_of
from qsim.distributed.mpi import MPITransport
from qsim.distributed.plan import CHUNK, RankPlan, plan_ranks
from qsim.distributed.run import Part, RankProgram, together
from qsim.distributed.transport import Ranks, Transport
from qsim.dynamic import can_be_deferred
from qsim.errors import CircuitError, MemoryLimitError, QsimError
from qsim.gradients import named
from qsim.memory import available_memory, check_limit, readable
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


class DistributedSimulator:
    """Runs circuits exactly, each rank holding an equal part of the statevector.

    All ranks make the same calls in the same order, and all get the same results; a seed gives the counts that
    `qsim.Simulator` gives. An error of one rank is raised by all.

    Args:
        transport: between the ranks; None takes MPI's COMM_WORLD, an mpi4py communicator is welcome too. Their number
            is a power of two, and small enough that every gate's qubits, controls and diagonal gates not counted, fit on
            one rank.
        precision: "double" (complex128) or "single" (complex64).
        threads: of each rank; None divides the cores of a machine by the ranks on it.
        memory_limit: bytes that a rank may take; None divides what is free on a machine by the ranks on it.
        chunk: amplitudes in a message at most.

    Raises:
        RankError: the number of ranks is no power of two, or they have different versions of the package or settings.

    >>> from qsim.distributed.threads import run_in_threads
    >>> bell = Circuit(2).h(0).cx(0, 1).measure_all()
    >>> run_in_threads(2, lambda transport: DistributedSimulator(transport).sample(bell, shots=100, seed=1))
    [{'00': 53, '11': 47}, {'00': 53, '11': 47}]
    """

    def __init__(
        self,
        transport: Transport | Any = None,
        precision: str = "double",
        threads: int | None = None,
        memory_limit: int | None = None,
        *,
        chunk: int = CHUNK,
    ) -> None:
        if transport is None or hasattr(transport, "Get_rank"):
            transport = MPITransport(transport)
        self.ranks = Ranks(transport, CHUNK)

        def look() -> None:
            if precision not in PRECISIONS:
                raise QsimError(f"The precision is 'double' or 'single', got {precision!r}.")
            if isinstance(chunk, bool) or not isinstance(chunk, int) or not 1 <= chunk <= 16 * CHUNK:
                raise QsimError(f"A message holds 1 to {16 * CHUNK:,} amplitudes, got {chunk!r}.")
            check_limit(memory_limit)
            thread_count(threads)

        with self._guarded():
            self._compare(look, {"settings": f"precision {precision}, messages of {chunk} amplitudes"})
            self._neighbours, sharing = self._on_this_machine()
        told = threads is not None or os.environ.get("QSIM_NUM_THREADS", "").strip()
        self.threads = thread_count(threads) if told else max(1, available_cores() // sharing)
        self.precision, self._dtype, self.memory_limit = precision, PRECISIONS[precision], memory_limit
        self.ranks.chunk = chunk
        #: The plan of the last run, with the bytes that it exchanges.
        self.last_plan: RankPlan | None = None

    def __repr__(self) -> str:
        where = f"rank {self.ranks.rank} of {self.ranks.size}"
        return f"DistributedSimulator({where}, precision={self.precision!r}, threads={self.threads})"

    @property
    def rank(self) -> int:
        """The number of this rank, from 0."""
        return self.ranks.rank

    # results ------------------------------------------------------------------------------------------------
    def sample(self, circuit: Circuit, shots: int = 1024, parameters: Any = None, seed: int | None = None) -> Any:
        """Run a circuit `shots` times and count the outcomes of its classical bits, as `Simulator.sample` does.

        A circuit that branches, or falls apart into parts that fit on one rank, is run by rank 0, whose counts all get.

        Returns:
            `Counts`, or a list of them for a batch of parameter sets; on every rank.
        """

        def check() -> list[Any]:
            check_circuit(circuit)
            check_measured(circuit)
            checked_seed(seed)
            return [checked_shots(shots), seed]

        with self._guarded():
            rows, batched, _ = self._enter("sample", circuit, parameters, check)
            first = int(self.ranks.from_first(checked_seed(seed)))
            found = []
            for k, row in enumerate(rows):
                with one_part(k, len(rows)):
                    found.append(self._counts(circuit, row, int(shots), (first + k) % (1 << 64)))
        return found if batched else found[0]

    def statevector(self, circuit: Circuit, parameters: Any = None, *, initial_state: Any = None) -> Array:
        """The state before final measurements, shape (2**n,), whole on every rank; (sets, 2**n) for a batch.

        Args:
            circuit, parameters: as for `Simulator.statevector`.
            initial_state: an array (2**n,), of which every rank takes its part; None for |0...0>.
        """

        def check() -> list[Any]:
            self._check_gates(circuit, [])
            self._check_initial(circuit, initial_state)
            return []

        def read(part: Part) -> Array:
            return readout.statevector(part, self.memory_limit)

        return self._each("statevector", circuit, parameters, check, read, natural=True, initial=initial_state)

    def amplitudes(self, circuit: Circuit, basis_states: Sequence[int], parameters: Any = None) -> Array:
        """The amplitudes of some basis states, before final measurements, on every rank.

        >>> from qsim.distributed.threads import run_in_threads
        >>> circuit = Circuit(3).h(0).cx(0, 2)
        >>> run_in_threads(2, lambda transport: DistributedSimulator(transport).amplitudes(circuit, [5]).round(3))[0]
        array([0.707+0.j])
        """

        def check() -> list[Any]:
            self._check_gates(circuit, [])
            wanted = np.array(list(basis_states), dtype=np.int64)
            if len(wanted) and not 0 <= wanted.min() <= wanted.max() < 1 << circuit.num_qubits:
                raise CircuitError(
                    f"A basis state of {circuit.num_qubits} qubits is a number from 0 to 2**{circuit.num_qubits} - 1."
                )
            return [wanted]

        return self._each("amplitudes", circuit, parameters, check, readout.amplitudes)

    def probabilities(self, circuit: Circuit, parameters: Any = None, qubits: Sequence[int] | None = None) -> Array:
        """The outcome probabilities of measuring `qubits`, or all of them, shape (2**k,), on every rank."""

        def check() -> list[Any]:
            self._check_gates(circuit, [])
            wanted = list(range(circuit.num_qubits)) if qubits is None else [circuit._qubit(q) for q in qubits]
            if len(set(wanted)) != len(wanted):
                raise CircuitError(f"Each qubit is asked for once, got {wanted}.")
            return [wanted]

        def read(part: Part, wanted: list[int]) -> Array:
            return readout.probabilities(part, wanted, self.memory_limit)

        return self._each("probabilities", circuit, parameters, check, read)

    def expectation(self, circuit: Circuit, observable: Any, parameters: Any = None) -> Any:
        """The exact expectation value of a Hermitian operator, or of each of a list, as `Simulator.expectation`.

        >>> from qsim import Pauli
        >>> from qsim.distributed.threads import run_in_threads
        >>> ghz = Circuit(3).h(0).cx(0, 1).cx(1, 2)
        >>> xxx = Pauli.X(0) * Pauli.X(1) * Pauli.X(2)
        >>> round(run_in_threads(4, lambda transport: DistributedSimulator(transport).expectation(ghz, xxx))[0], 12)
        1.0
        """

        def read(part: Part, single: bool, several: list[Any]) -> Array:
            found = operators.expectations(part, several)
            return found[0] if single else found

        values = self._each("expectation", circuit, parameters, self._operators(circuit, observable), read)
        return float(values) if values.ndim == 0 else values

    def moments(self, circuit: Circuit, observable: Any, parameters: Any = None) -> tuple[Any, Any]:
        """Expectation value and variance, each in the shape that `expectation` has. Takes three parts of a state a rank."""

        def read(part: Part, single: bool, several: list[Any]) -> Array:
            with together(self.ranks):
                both: Array = np.empty(2 * len(part.state), self._dtype)
                both[: len(part.state)] = part.state
            pairs = np.zeros((len(several), 2))
            for j, operator in enumerate(several):
                mean, square = operators.apply(part, both, operator)
                pairs[j] = mean, max(square - mean * mean, 0.0)
            return pairs[0] if single else pairs

        check = self._operators(circuit, observable)
        found = self._each("moments", circuit, parameters, check, read, copies=3)
        means, variances = found[..., 0], found[..., 1]
        return (float(means), float(variances)) if means.ndim == 0 else (means, variances)

    def variance(self, circuit: Circuit, observable: Any, parameters: Any = None) -> Any:
        """The exact variance <O**2> - <O>**2, in the shape that `expectation` has."""
        return self.moments(circuit, observable, parameters)[1]

    def gradient(self, circuit: Circuit, observable: Any, parameters: Any = None) -> Any:
        """The exact derivatives of an expectation value, as `Simulator.gradient` gives them, on every rank.

        Takes two parts of a state a rank. Each exchange of the plan is made three times.

        >>> from qsim import Parameter, Pauli
        >>> from qsim.distributed.threads import run_in_threads
        >>> circuit = Circuit(2).rx(2 * Parameter("a"), 0).cx(0, 1)
        >>> slopes = run_in_threads(2, lambda t: DistributedSimulator(t).gradient(circuit, Pauli.Z(1), {"a": 0.5}))
        >>> round(slopes[0]["a"], 6)
        -1.682942
        """
        return self.value_and_gradient(circuit, observable, parameters)[1]

    def value_and_gradient(self, circuit: Circuit, observable: Any, parameters: Any = None) -> tuple[Any, Any]:
        """`expectation` and `gradient` from one sweep, each in its own shape."""

        def check() -> list[Any]:
            found = self._operators(circuit, observable)()
            if MEASURE in circuit._rows[::ROW]:
                raise CircuitError("A gradient is not taken through measurements. Leave them out.")
            return found

        with self._guarded():
            rows, batched, (single, several) = self._enter("gradient", circuit, parameters, check)
            self._check_room(circuit, 2)
            with together(self.ranks):
                plan = self.last_plan = self._plan(circuit, None)
            values = np.zeros((len(rows), len(several)))
            slopes: list[list[dict[str, Any]]] = []
            for k, row in enumerate(rows):
                slopes.append([])
                for j, operator in enumerate(several):
                    values[k, j], slope = gradient.value_and_gradient(
                        circuit, plan, self.ranks, operator, row, self._dtype, self.threads
                    )
                    slopes[k].append(named(circuit, slope))
        picked: list[Any] = [of_set[0] for of_set in slopes] if single else slopes
        shaped = values[:, 0] if single else values
        if batched:
            return shaped, picked
        return (float(shaped[0]) if single else shaped[0]), picked[0]

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
                circuit = circuit.bind({p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)})
                plan, row = self._plan(circuit, keep, initial is not None), row[:0]
            state: Array | None = None
            if initial is not None:
                part = np.asarray(initial).reshape(self.ranks.size, -1)[self.ranks.rank]
                state = np.array(part, dtype=self._dtype)
        self.last_plan = plan
        program = RankProgram.of(circuit, plan, self.ranks.rank, self._dtype)
        return program.run(self.ranks, row, self.threads, state, initial is not None)

    def _counts(self, circuit: Circuit, row: Array, shots: int, seed: int) -> Counts:
        if self._runs_on_one(circuit):
            return self._counts_of_first(circuit, row, shots, seed)
        self._check_room(circuit, 1)
        visible, registers = visible_bits(circuit)
        place = {bit: k for k, bit in enumerate(visible)}
        pairs = [(qubit, place[clbit]) for qubit, clbit in last_measurements(circuit) if clbit in place]
        n, local = circuit.num_qubits, circuit.num_qubits - (self.ranks.size.bit_length() - 1)
        part = self._run(circuit, row, readout.sampled_low_qubits(n, local))
        values, frequencies = readout.sample_bits(part, pairs, shots, seed, self.memory_limit)
        return Counts(values, frequencies, len(visible), registers, seed)

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

    def _counts_of_first(self, circuit: Circuit, row: Array, shots: int, seed: int) -> Counts:
        visible, registers = visible_bits(circuit)
        drawn: list[Any] = []
        with together(self.ranks):
            if self.rank == 0:
                named_values = {p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)}
                bound = circuit.bind(named_values) if named_values else circuit
                one = Simulator(self.precision, self.threads, self.memory_limit, method="statevector")
                counts = one.sample(bound, shots, seed=seed)
                drawn = [counts.outcomes, counts.frequencies.tolist()]
        values, frequencies = self.ranks.from_first(drawn)
        return Counts(values, frequencies, len(visible), registers, seed)

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

    def _check_room(self, circuit: Circuit, copies: int) -> None:
        """Refuse what does not fit on a rank, before anything is allocated."""
        with together(self.ranks):
            away, item = self.ranks.size.bit_length() - 1, np.dtype(self._dtype).itemsize
            local = max(circuit.num_qubits - away, 0)
            needed = (copies * item << local) + item * min(self.ranks.chunk, 1 << local)
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
