"""The simulator: exact statevectors, samples and expectation values of circuits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from qsim import first_runs
from qsim.arguments import (
    as_operators,
    check_circuit,
    check_measured,
    checked_rounds,
    checked_seed,
    checked_shots,
    parameter_names,
)
from qsim.circuit import MEASURE, ROW, Circuit
from qsim.counts import Counts
from qsim.engines import LastRun, Runner, refuse_other, wants_other
from qsim.errors import CircuitError, QsimError
from qsim.gradient_methods import GradientMethods
from qsim.initial import initial_amplitudes
from qsim.memory import check_limit, check_memory
from qsim.methods import Options
from qsim.noise import NoiseModel
from qsim.parameter_binding import bind_parameters
from qsim.pauli import SparsePauliOp, check_observable
from qsim.pool import part as one_part
from qsim.pool import thread_count
from qsim.runs import Array

PRECISIONS = {"double": np.complex128, "single": np.complex64}


class Simulator(GradientMethods):
    """Runs circuits exactly, on this machine's cores.

    Args:
        precision: "double" (complex128) or "single" (complex64: half the memory, about 1e-6 of error).
        threads: how many threads; None takes QSIM_NUM_THREADS or all cores. Results do not depend on it.
        memory_limit: bytes that a run may take; None takes what is free.
        noise: a `NoiseModel` (see `qsim.noise`), or None. Under noise, `probabilities`, `expectation`, `variance` and
            `density_matrix` are exact; `sample` and `estimate` draw whole runs.
        method: "automatic"; "statevector", which with noise means trajectories; "density_matrix"; "stabilizer" for Clifford
            circuits of any width; or "mps", matrix-product states, for circuits of little entanglement. "automatic" takes
            the first two where they fit, and says in `last_run` what it took otherwise. See `qsim.methods`.
        max_bond: widest bond of a matrix-product state; None for no limit.
        truncation: largest share of the squared norm that one truncation of a matrix-product state may discard.
        max_loop_rounds: how often one history of a circuit may go round `while` loops before the run ends with an error.
        executor: where batches are run: a `concurrent.futures.Executor` or a `dask.distributed.Client`; None is here.

    Every method takes `parameters`: a mapping from name to number (or sequence, for an array parameter), or a batch
    of sets: a list of mappings or an array of shape (sets, parameters). A batch gives a list or a leading axis.

    Most take `initial_state`, where the run begins instead of |0...0>, never overwritten: amplitudes of shape (2**n,), a
    basis state by index or bitstring ("0110", the rightmost being qubit 0), or a product state, by n single-qubit vectors
    (shape (n, 2), qubit 0 first) or a string of the labels 0 1 + - r l. It has to be normalised.

    Those that take `executor` send a batch there in blocks, or to the simulator's own executor; `checkpoint` is the path of
    a file that keeps the results of a batch as they come, so that the same call goes on where it was cut short. Results
    are the same to the bit with and without: see docs/clusters.md.

    >>> from qsim import Circuit, Pauli
    >>> sim = Simulator()
    >>> bell = Circuit(2).h(0).cx(0, 1)
    >>> sim.statevector(bell).round(3)
    array([0.707+0.j, 0.   +0.j, 0.   +0.j, 0.707+0.j])
    >>> round(sim.expectation(bell, Pauli.Z(0) * Pauli.Z(1)), 12)
    1.0
    >>> sim.sample(bell.measure_all(), shots=100, seed=1)
    {'00': 53, '11': 47}
    """

    def __init__(
        self,
        precision: str = "double",
        threads: int | None = None,
        memory_limit: int | None = None,
        *,
        noise: NoiseModel | None = None,
        method: str = "automatic",
        max_bond: int | None = None,
        truncation: float = 1e-16,
        max_loop_rounds: int = 100_000,
        executor: Any = None,
        _tile_bits: int | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise QsimError(f"The precision is 'double' or 'single', got {precision!r}.")
        self.precision = precision
        self.threads, self._wanted_threads = thread_count(threads), threads
        self.memory_limit = check_limit(memory_limit)
        self.max_loop_rounds = checked_rounds(max_loop_rounds)
        self._options = Options(method, max_bond, truncation)
        self._last = LastRun()
        self._dtype = PRECISIONS[precision]
        if noise is not None and not isinstance(noise, NoiseModel):
            raise QsimError(
                f"noise is a NoiseModel, got {type(noise).__name__}. NoiseModel.from_json reads one; a channel alone is "
                'attached to gates by NoiseModel().add(channel, "cx").'
            )
        self.noise, self.method, self.executor = noise, method, executor
        if executor is not None:
            self._check_executor()
        self._tile_bits = _tile_bits
        self._measurements: list[tuple[SparsePauliOp, Any, Any]] = []  # of the operators estimated last

    def __repr__(self) -> str:
        chosen = "" if self._options.is_automatic else f", method={self.method!r}"
        return f"Simulator(precision={self.precision!r}, threads={self.threads}{chosen})"

    @property
    def last_run(self) -> dict[str, Any]:
        """How the last call of this thread was run: the method, why, and for matrix-product states the truncation error.

        A dict with "method" and, where another method than the statevector ran, "reason", "truncation_error" (one minus the
        product of what truncations kept of the squared norm) and "max_bond". Counts have the same in `Counts.metadata`.

        >>> sim = Simulator(method="mps")
        >>> sim.expectation(Circuit(2).h(0).cx(0, 1), SparsePauliOp.from_string("Z0*Z1")).__round__(12)
        1.0
        >>> sim.last_run["method"], sim.last_run["max_bond"]
        ('mps', 2)
        """
        return dict(self._last.facts) or {"method": "statevector"}

    # results ------------------------------------------------------------------------------------------------
    def statevector(
        self, circuit: Circuit, parameters: Any = None, *,
        initial_state: Any = None, executor: Any = None, checkpoint: Any = None,
    ) -> Array:  # fmt: skip
        """The state that a circuit makes from |0...0> or `initial_state`, before its final measurements.

        Returns:
            Complex amplitudes, shape (2**n,), qubit 0 as the least significant bit of the index; for a batch
            (sets, 2**n).

        >>> Simulator().statevector(Circuit(1).x(0))
        array([0.+0.j, 1.+0.j])
        >>> Simulator().statevector(Circuit(2).cx(0, 1), initial_state="01").real
        array([0., 0., 0., 1.])
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send("statevector", circuit, parameters, executor, checkpoint, initial_state=initial_state)  # type: ignore[no-any-return]
        if self._options.method in ("stabilizer", "mps"):
            self._only_gates(circuit, "statevector")
            return Runner(self, circuit, parameters, initial_state).statevector()
        self._last.facts = {}
        self._noiseless("statevector", "density_matrix")
        if parameters is None is initial_state and self.precision in first_runs.compiled:
            state = self._small_state(circuit)
            if state is not None:
                return state
        self._only_gates(circuit, "statevector")
        rows, batched = bind_parameters(circuit, parameters)
        start = self._start(circuit, initial_state, len(rows))
        if not batched and first_runs.worth_it(circuit, self.precision):
            return first_runs.state(circuit, rows[0], self._dtype, start)
        return self._states(circuit, rows, start) if batched else self._state(circuit, rows[0], start)

    def probabilities(
        self, circuit: Circuit, parameters: Any = None, qubits: Sequence[int] | None = None, *,
        initial_state: Any = None, executor: Any = None, checkpoint: Any = None,
    ) -> Array:  # fmt: skip
        """The outcome probabilities of measuring `qubits`, or all of them; of a circuit that branches, of its bits.

        A circuit that resets, branches or uses qubits after measuring them ends in many states, and what it has is a
        distribution over the values of its classical bits: see `outcome_probabilities`, which takes no room for what cannot
        happen. Here the bits come as an array, without `qubits`.

        Returns:
            Floats, shape (2**k,), the first of the k qubits (or classical bit 0) as the least significant bit; (sets, 2**k)
            for a batch.

        >>> Simulator().probabilities(Circuit(2).x(1), qubits=[1])
        array([0., 1.])
        >>> Simulator().probabilities(Circuit(1, 2).h(0).measure(0, 0).x(0).measure(0, 1))
        array([0. , 0.5, 0.5, 0. ])
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(  # type: ignore[no-any-return]
                "probabilities", circuit, parameters, executor, checkpoint, qubits=qubits, initial_state=initial_state
            )  # fmt: skip
        check_circuit(circuit)
        if circuit.is_dynamic:
            from qsim.outcomes import outcome_array

            return outcome_array(self, circuit, parameters, qubits, initial_state)
        wanted = range(circuit.num_qubits) if qubits is None else [circuit._qubit(q) for q in qubits]
        if len(set(wanted)) != len(wanted):
            raise CircuitError(f"Each qubit is asked for once, got {list(wanted)}.")
        if wants_other(self, circuit) and len(wanted) < circuit.num_qubits:
            return Runner(self, circuit, parameters, initial_state).probabilities(wanted)
        return self._probabilities(circuit, parameters, wanted, initial_state)

    def outcome_probabilities(
        self, circuit: Circuit, parameters: Any = None, *,
        initial_state: Any = None, executor: Any = None, checkpoint: Any = None,
    ) -> dict[str, float] | list[dict[str, float]]:  # fmt: skip
        """The exact probability of each outcome of a circuit's classical bits, as `sample` would count them.

        Every history of the circuit is followed with its probability, equal ones as one. A history is given up when its
        probability is below 1e-16, as in a loop that goes on less and less probably.

        Args:
            circuit: with at least one measurement; it may reset, branch on outcomes and measure midway.
            parameters: one set or a batch.

        Returns:
            A mapping from bitstring (as in `Counts`) to probability, of outcomes that can happen, in ascending order; a list
            of them for a batch.

        Raises:
            CircuitError: when there are more than 2**20 outcomes, or 2**15 histories with different states at a time.

        >>> circuit = Circuit(2, 2).h(0).measure(0, 0).cx(0, 1).h(0).measure(1, 1)
        >>> {key: round(value, 12) for key, value in Simulator().outcome_probabilities(circuit).items()}
        {'00': 0.5, '11': 0.5}
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(  # type: ignore[no-any-return]
                "outcome_probabilities", circuit, parameters, executor, checkpoint, initial_state=initial_state
            )  # fmt: skip
        from qsim.outcomes import outcome_probabilities

        return outcome_probabilities(self, circuit, parameters, initial_state)

    @overload
    def sample(
        self,
        circuit: Circuit,
        shots: int = ...,
        parameters: dict[str, Any] | None = ...,
        seed: int | None = ...,
        *,
        memory: bool = ...,
        initial_state: Any = ...,
        executor: Any = None,
        checkpoint: Any = None,
    ) -> Counts: ...
    @overload
    def sample(
        self,
        circuit: Circuit,
        shots: int = ...,
        parameters: Any = ...,
        seed: int | None = ...,
        *,
        memory: bool = ...,
        initial_state: Any = ...,
        executor: Any = ...,
        checkpoint: Any = ...,
    ) -> Any: ...
    def sample(
        self,
        circuit: Circuit,
        shots: int = 1024,
        parameters: Any = None,
        seed: int | None = None,
        *,
        memory: bool = False,
        initial_state: Any = None,
        executor: Any = None,
        checkpoint: Any = None,
    ) -> Any:
        """Run a circuit `shots` times and count the outcomes of its classical bits.

        Args:
            circuit: with at least one measurement; it may reset, branch on outcomes and measure midway.
            shots: how many runs.
            parameters: one set or a batch.
            seed: the same seed gives the same counts, whatever the number of threads; None draws one. Set k of a
                batch uses seed + k, so that it gives what it gives alone with that seed.
            memory: keep every shot, for `Counts.memory` and `Counts.bit_array`.

        Returns:
            `Counts`, or a list of them for a batch.

        >>> Simulator().sample(Circuit(1).x(0).measure_all(), shots=10)
        {'1': 10}
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(
                "sample", circuit, parameters, executor, checkpoint, shots=shots, seed=seed, memory=memory,
                initial_state=initial_state,
            )  # fmt: skip
        shots, seed = checked_shots(shots), checked_seed(seed)
        check_circuit(circuit)
        check_measured(circuit)
        if not isinstance(memory, (bool, np.bool_)):
            raise QsimError(f"memory is True, to keep every shot, or False, got {memory!r}.")
        if wants_other(self, circuit):
            return Runner(self, circuit, parameters, initial_state).sample(shots, seed, bool(memory))
        return self._sample_statevector(circuit, shots, parameters, seed, bool(memory), initial_state)

    def snapshots(self, circuit: Circuit, parameters: Any = None, *, initial_state: Any = None) -> Any:
        """What a circuit's marks ask for: statevectors, probabilities and expectation values at their places.

        Args:
            circuit: with marks by `Circuit.save_statevector`, `save_probabilities` or `save_expectation`, before its
                measurements; without resets and branches.

        Returns:
            A mapping from label to an array (2**n,), an array (2**k,) or a float; for a batch a list of them.

        >>> from qsim import Pauli
        >>> circuit = Circuit(1).save_expectation("before", Pauli.Z(0)).x(0).save_probabilities("after")
        >>> Simulator().snapshots(circuit)
        {'before': 1.0, 'after': array([0., 1.])}
        """
        from qsim.snapshots import marked_places, results_size, take_snapshots

        refuse_other(self, "snapshot")
        self._noiseless("state at a place", "density_matrix of a part of the circuit")
        self._only_gates(circuit, "state at a place")
        rows, batched = bind_parameters(circuit, parameters)
        size = self._amplitude << circuit.num_qubits
        results = -(-results_size(marked_places(circuit), circuit.num_qubits, self._amplitude) // size)
        start = self._start(circuit, initial_state, 1 + results * len(rows))
        tail = circuit.copy()
        tail.global_phase = 0.0
        taken = [take_snapshots(self, circuit, tail, row, start) for row in rows]
        return taken if batched else taken[0]

    def expectation(
        self, circuit: Circuit, observable: Any, parameters: Any = None, *,
        initial_state: Any = None, executor: Any = None, checkpoint: Any = None,
    ) -> Any:  # fmt: skip
        """The exact expectation value <psi|O|psi> of a Hermitian operator, or of each of a list of them.

        Returns:
            A float; an array (observables,) for a list; with a leading axis (sets,) for a batch.

        >>> from qsim import Pauli
        >>> Simulator().expectation(Circuit(1).h(0), [Pauli.X(0), 2 * Pauli.X(0)]).round(12)
        array([1., 2.])
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(
                "expectation", circuit, parameters, executor, checkpoint, observable=observable, initial_state=initial_state
            )  # fmt: skip
        return self._all_moments(circuit, observable, parameters, initial_state, spread=False)[0]

    def variance(
        self, circuit: Circuit, observable: Any, parameters: Any = None, *,
        initial_state: Any = None, executor: Any = None, checkpoint: Any = None,
    ) -> Any:  # fmt: skip
        """The exact variance <O**2> - <O>**2, in the same shapes as `expectation`.

        >>> from qsim import Pauli
        >>> Simulator().variance(Circuit(1), Pauli.X(0))
        1.0
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(
                "variance", circuit, parameters, executor, checkpoint, observable=observable, initial_state=initial_state
            )  # fmt: skip
        return self._all_moments(circuit, observable, parameters, initial_state)[1]

    def moments(
        self, circuit: Circuit, observable: Any, parameters: Any = None, *,
        initial_state: Any = None, executor: Any = None, checkpoint: Any = None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Expectation value and variance from one run, each in the same shape as `expectation` gives.

        >>> from qsim import Pauli
        >>> Simulator().moments(Circuit(1), Pauli.Z(0))
        (1.0, 0.0)
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(  # type: ignore[no-any-return]
                "moments", circuit, parameters, executor, checkpoint, observable=observable, initial_state=initial_state
            )  # fmt: skip
        return self._all_moments(circuit, observable, parameters, initial_state)

    def matrix_element(self, bra: Circuit, observable: SparsePauliOp, ket: Circuit, parameters: Any = None) -> complex:
        """<bra|O|ket> of the states of two circuits of one size, for any operator; one set of parameters serves both.

        >>> from qsim import Pauli
        >>> Simulator().matrix_element(Circuit(1).x(0), Pauli.X(0), Circuit(1))
        (1+0j)
        """
        from qsim.readout import matrix_element

        self._noiseless("matrix element", "density_matrix")
        states = self._pair(bra, ket, parameters)
        return matrix_element(states[0], observable, states[1])

    def fidelity(self, first: Circuit, second: Circuit, parameters: Any = None) -> float:
        """|<first|second>|**2 of the states of two circuits of one size; one set of parameters serves both.

        >>> round(Simulator().fidelity(Circuit(1).h(0), Circuit(1)), 12)
        0.5
        """
        from qsim.readout import fidelity

        return fidelity(*self._pair(first, second, parameters))

    def reduced_density_matrix(
        self, circuit: Circuit, qubits: Sequence[int], parameters: Any = None, *,
        initial_state: Any = None, executor: Any = None, checkpoint: Any = None,
    ) -> Array:  # fmt: skip
        """The density matrix of a few of a circuit's qubits, the first as the least significant bit of an index.

        Returns:
            Complex, shape (2**k, 2**k); for a batch (sets, 2**k, 2**k).

        >>> Simulator().reduced_density_matrix(Circuit(2).h(0).cx(0, 1), [0]).real.round(12)
        array([[0.5, 0. ],
               [0. , 0.5]])
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(  # type: ignore[no-any-return]
                "reduced_density_matrix", circuit, parameters, executor, checkpoint, qubits=qubits, initial_state=initial_state
            )  # fmt: skip
        from qsim.readout import reduced_density_matrix

        refuse_other(self, "reduced density matrix")
        if self._noisy is not None:
            from qsim.density import partial_trace

            kept = [circuit._qubit(q) for q in qubits]
            whole = self.density_matrix(circuit, parameters, initial_state=initial_state)
            reduced = [partial_trace(one, kept) for one in (whole if whole.ndim == 3 else [whole])]
            return np.array(reduced) if whole.ndim == 3 else reduced[0]
        self._only_gates(circuit, "reduced density matrix")
        wanted = [circuit._qubit(q) for q in qubits]
        rows, batched = bind_parameters(circuit, parameters)
        start = self._start(circuit, initial_state, 2)
        found = [
            reduced_density_matrix(self._state(circuit, row, None if start is None else start.copy()), wanted)
            for row in rows
        ]
        return np.array(found) if batched else found[0]

    def _pair(self, first: Circuit, second: Circuit, parameters: Any) -> list[Array]:
        """The states of two circuits, each with the parameters that it has of those given."""
        refuse_other(self, "comparison of states")
        for circuit in (first, second):
            self._only_gates(circuit, "state")
        if first.num_qubits != second.num_qubits:
            raise CircuitError(
                f"Two states are compared on the same qubits; these circuits have {first.num_qubits} and "
                f"{second.num_qubits}."
            )
        given = dict(parameters or {})
        own = [
            {key: value for key, value in given.items() if parameter_names(circuit) & {getattr(key, "name", key)}}
            for circuit in (first, second)
        ]
        unknown = [key for key in given if all(key not in part for part in own)]
        if unknown:
            own[0][unknown[0]] = given[unknown[0]]  # for the error that names it
        self._check(first, copies=2)
        return [
            self._state(circuit, bind_parameters(circuit, part)[0][0])
            if self._noisy is None
            else self.density_matrix(circuit, part)
            for circuit, part in zip((first, second), own, strict=True)
        ]

    def estimate(
        self, circuit: Circuit, observable: Any, shots: int, parameters: Any = None, seed: int | None = None, *,
        initial_state: Any = None, grouping: str = "commuting", executor: Any = None, checkpoint: Any = None,
    ) -> Any:  # fmt: skip
        """The expectation value of a Hermitian operator from `shots` measurements, with its standard error.

        Terms that commute are measured together after a change of basis, and the shots are split over these groups by the
        weight of their coefficients. Each parameter set is run once; only measuring is repeated.

        Under noise each shot is a trajectory, a run with its own errors, whose state's expectation value counts; the standard
        error is that of the mean over trajectories. See docs/noise.md.

        Args:
            circuit: of gates, with measurements at its end at most, which are left out.
            observable: a `SparsePauliOp`, or a list of them, each of which gets all shots.
            shots: at least two for each group.
            parameters: one set or a batch.
            seed: set k of a batch uses seed + k; None draws one.
            initial_state: see `statevector`.
            grouping: "commuting", or "qubit-wise" for terms that agree letter by letter, which hardware measures with one
                rotation of each qubit; a change of basis costs a simulator nearly nothing.

        Returns:
            An `Estimate`; a list for a list of observables, and an outer list for a batch.

        >>> from qsim import Pauli
        >>> found = Simulator().estimate(Circuit(2).h(0).cx(0, 1), Pauli.X(0) * Pauli.X(1) + Pauli.Z(0), 1000, seed=1)
        >>> found.groups, abs(found.value - 1) < 4 * found.standard_error
        (2, True)
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(
                "estimate", circuit, parameters, executor, checkpoint, observable=observable, shots=shots,
                seed=seed, initial_state=initial_state, grouping=grouping,
            )  # fmt: skip
        from qsim.estimation import estimate_state

        single, operators = as_operators(observable)
        if self._noisy is not None:
            return self._noisy_estimate(circuit, observable, shots, parameters, seed, initial_state)
        self._only_gates(circuit, "expectation value")
        for operator in operators:
            check_observable(operator, circuit.num_qubits)
        rows, batched = bind_parameters(circuit, parameters)
        circuit, operators = self._relevant(circuit, operators, initial_state)
        made = [self.check_estimate(circuit, operator, shots, grouping) for operator in operators]
        shots, seed = checked_shots(shots), checked_seed(seed)
        start = self._start(circuit, initial_state, 2)
        results = []
        for k, row in enumerate(rows):
            with one_part(k, len(rows)):
                state = self._state(circuit, row, None if start is None else start.copy())
                own = (seed + k) % (1 << 64)
                found = [estimate_state(self, state, one, shots, own) for one in made]
            results.append(found[0] if single else found)
        return results if batched else results[0]

    def unitary(self, circuit: Circuit, parameters: Any = None) -> Array:
        """The circuit's matrix, shape (2**n, 2**n), global phase included; (sets, 2**n, 2**n) for a batch.

        >>> Simulator().unitary(Circuit(1).x(0)).real
        array([[0., 1.],
               [1., 0.]])
        """
        check_circuit(circuit)
        refuse_other(self, "unitary matrix")
        self._noiseless("unitary matrix", "superoperator")
        if MEASURE in circuit._rows[::ROW]:
            raise CircuitError("A circuit with measurements has no unitary matrix. Leave them out.")
        self._only_gates(circuit, "unitary matrix")
        rows, batched = bind_parameters(circuit, parameters)
        size = 1 << min(circuit.num_qubits, 40)
        needed = (len(rows) * size + 1) * size * self._amplitude
        check_memory(needed, 2 * circuit.num_qubits, self._amplitude, self.memory_limit, "unitary matrix")
        result: Array = np.empty((len(rows), size, size), dtype=self._dtype)
        for k, row in enumerate(rows):
            for column in range(size):
                start: Array = np.zeros(size, dtype=self._dtype)
                start[column] = 1
                result[k, :, column] = self._state(circuit, row, start)
        return result if batched else result[0]

    def density_matrix(
        self, circuit: Circuit, parameters: Any = None, *,
        initial_state: Any = None, executor: Any = None, checkpoint: Any = None,
    ) -> Array:  # fmt: skip
        """The density matrix that a circuit makes, under the simulator's noise, before its final measurements.

        Measurements midway are averaged over, resets and branches followed exactly.

        Returns:
            Complex, shape (2**n, 2**n); for a batch (sets, 2**n, 2**n).

        Raises:
            MemoryLimitError: it does not fit: 4**n amplitudes.

        >>> from qsim.noise import NoiseModel, amplitude_damping
        >>> noise = NoiseModel().add(amplitude_damping(0.25), "x")
        >>> Simulator(noise=noise).density_matrix(Circuit(1).x(0)).real
        array([[0.25, 0.  ],
               [0.  , 0.75]])
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send("density_matrix", circuit, parameters, executor, checkpoint, initial_state=initial_state)  # type: ignore[no-any-return]
        from qsim.noisy_simulation import density_matrix

        check_circuit(circuit)
        rows, batched = bind_parameters(circuit, parameters)
        exact = self._exact(circuit, len(rows) + 1)
        begin = None if initial_state is None else initial_amplitudes(initial_state, circuit.num_qubits, self._dtype)
        found = [density_matrix(exact, circuit, row, begin) for row in rows]
        return np.array(found) if batched else found[0]

    def _exact(self, circuit: Circuit, copies: int) -> Simulator:
        """This simulator, or one with density matrices if it has no noise."""
        from qsim.noisy_simulation import check_density

        exact = self
        if self._noisy is None:
            exact = Simulator(
                self.precision, self.threads, self.memory_limit, method="density_matrix", _tile_bits=self._tile_bits
            )
        check_density(exact, circuit.num_qubits, copies)
        return exact

    def superoperator(self, circuit: Circuit, parameters: Any = None) -> Array:
        """The matrix of what a circuit does to a density matrix, under the simulator's noise: vec(rho) -> vec(E(rho)).

        vec writes the columns of rho one under the other, so that a unitary U has conj(U) (x) U. Measurements and resets
        in the circuit are averaged over.

        Returns:
            Complex, shape (4**n, 4**n); for a batch (sets, 4**n, 4**n).

        >>> Simulator().superoperator(Circuit(1).z(0)).real.diagonal()
        array([ 1., -1., -1.,  1.])
        """
        from qsim.noisy_simulation import NoisyCircuit

        check_circuit(circuit)
        rows, batched = bind_parameters(circuit, parameters)
        size = 1 << min(2 * circuit.num_qubits, 40)
        needed = (len(rows) * size + 2) * size * self._amplitude
        check_memory(needed, 4 * circuit.num_qubits, self._amplitude, self.memory_limit, "superoperator, as a state")
        found = [NoisyCircuit.of(self._exact(circuit, 1), circuit, row).superoperator() for row in rows]
        return np.array(found) if batched else found[0]

    # how ----------------------------------------------------------------------------------------------------
    def _send(
        self, name: str, circuit: Circuit, parameters: Any, executor: Any, checkpoint: Any, **options: Any
    ) -> Any:
        """A batch method's result from an executor: see `qsim.batches.calls.send`."""
        from qsim.batches.calls import send

        chosen = self.executor if executor is None else executor
        return send(self, name, circuit, parameters, chosen, checkpoint, options)

    def _check_executor(self) -> None:
        from qsim.batches.pools import open_pool

        open_pool(self.executor)

    def _all_moments(
        self, circuit: Circuit, observable: Any, parameters: Any, initial_state: Any, spread: bool = True
    ) -> tuple[Any, Any]:
        """Expectation values and, with `spread`, variances (else zeros), by whatever method."""
        if wants_other(self, circuit):
            self._only_gates(circuit, "expectation value")
            return Runner(self, circuit, parameters, initial_state).moments(observable, spread)
        return self._moments(circuit, observable, parameters, initial_state, spread)
