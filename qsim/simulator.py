"""The simulator: exact statevectors, samples and expectation values of circuits."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from qsim import first_runs
from qsim.circuit import MEASURE, ROW, Circuit, Register
from qsim.counts import Counts
from qsim.engines import LastRun, Runner, refuse_other, wants_other
from qsim.errors import CircuitError, QsimError
from qsim.initial import initial_amplitudes
from qsim.measured import move_bits, sampling_bytes
from qsim.memory import available_memory, check_bytes, check_limit, check_memory
from qsim.methods import Options
from qsim.noise import NoiseModel
from qsim.parameter_binding import bind_parameters
from qsim.pauli import SparsePauliOp, check_observable
from qsim.pool import part as one_part
from qsim.pool import report, thread_count

Array = npt.NDArray[Any]
#: `qsim.compiler.run_directly`, once it is imported: the statement alone takes a microsecond.
run_directly: Any = None
PRECISIONS = {"double": np.complex128, "single": np.complex64}
MAX_SHOTS = 1 << 40
#: A batch's states are held in parts of about this size; a run of less than the second is not checked against memory.
_BATCH_BYTES, _SMALL_BYTES = 1 << 26, 1 << 24


class Simulator:
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

    Every method takes `parameters`: a mapping from name to number (or sequence, for an array parameter), or a batch
    of sets: a list of mappings or an array of shape (sets, parameters). A batch gives a list or a leading axis.

    Most take `initial_state`, where the run begins instead of |0...0>, never overwritten: amplitudes of shape (2**n,), a
    basis state by index or bitstring ("0110", the rightmost being qubit 0), or a product state, by n single-qubit vectors
    (shape (n, 2), qubit 0 first) or a string of the labels 0 1 + - r l. It has to be normalised.

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
        _tile_bits: int | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise QsimError(f"The precision is 'double' or 'single', got {precision!r}.")
        self.precision = precision
        self.threads = thread_count(threads)
        self.memory_limit = check_limit(memory_limit)
        self.max_loop_rounds = _checked_rounds(max_loop_rounds)
        self._options = Options(method, max_bond, truncation)
        self._last = LastRun()
        self._dtype = PRECISIONS[precision]
        if noise is not None and not isinstance(noise, NoiseModel):
            raise QsimError(
                f"noise is a NoiseModel, got {type(noise).__name__}. NoiseModel.from_json reads one; a channel alone is "
                'attached to gates by NoiseModel().add(channel, "cx").'
            )
        self.noise, self.method = noise, method
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
    def statevector(self, circuit: Circuit, parameters: Any = None, *, initial_state: Any = None) -> Array:
        """The state that a circuit makes from |0...0> or `initial_state`, before its final measurements.

        Returns:
            Complex amplitudes, shape (2**n,), qubit 0 as the least significant bit of the index; for a batch
            (sets, 2**n).

        >>> Simulator().statevector(Circuit(1).x(0))
        array([0.+0.j, 1.+0.j])
        >>> Simulator().statevector(Circuit(2).cx(0, 1), initial_state="01").real
        array([0., 0., 0., 1.])
        """
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
        self,
        circuit: Circuit,
        parameters: Any = None,
        qubits: Sequence[int] | None = None,
        *,
        initial_state: Any = None,
    ) -> Array:
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
        _check_circuit(circuit)
        if circuit.is_dynamic:
            from qsim.outcomes import outcome_array

            return outcome_array(self, circuit, parameters, qubits, initial_state)
        wanted = range(circuit.num_qubits) if qubits is None else [circuit._qubit(q) for q in qubits]
        if len(set(wanted)) != len(wanted):
            raise CircuitError(f"Each qubit is asked for once, got {list(wanted)}.")
        if wants_other(self, circuit) and len(wanted) < circuit.num_qubits:
            return Runner(self, circuit, parameters, initial_state).probabilities(wanted)
        return self._probabilities(circuit, parameters, wanted, initial_state)

    def _probabilities(self, circuit: Circuit, parameters: Any, wanted: Sequence[int], initial_state: Any) -> Array:
        """`probabilities` from statevectors."""
        self._last.facts = {}
        rows, batched = bind_parameters(circuit, parameters)
        if self._noisy is not None:
            found = [
                one.probabilities(wanted, begin)
                for one, begin in self._noisy_circuits(circuit, rows, initial_state, density=True)
            ]
            return np.array(found).reshape(len(rows), -1) if batched else found[0]
        if self._falls_apart(circuit, initial_state):
            from qsim.parts import probabilities_apart

            self._check_parts(circuit, wanted)
            table = probabilities_apart(self, circuit, rows, list(wanted))
            return table if batched else table[0]
        start = self._start(circuit, initial_state)
        if not batched and first_runs.worth_it(circuit, self.precision):
            return first_runs.marginal(first_runs.state(circuit, rows[0], self._dtype, start), wanted)
        from qsim.sampling import marginal_probabilities

        results = [
            marginal_probabilities(state, wanted, self.threads)
            for part in self._parts(circuit, len(rows))
            for state in self._states(circuit, rows[part], start)
        ]
        return np.array(results).reshape(len(rows), -1) if batched else results[0]

    def outcome_probabilities(
        self, circuit: Circuit, parameters: Any = None, *, initial_state: Any = None
    ) -> dict[str, float] | list[dict[str, float]]:
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
        shots, seed = _checked_shots(shots), _checked_seed(seed)
        _check_circuit(circuit)
        _check_measured(circuit)
        if not isinstance(memory, (bool, np.bool_)):
            raise QsimError(f"memory is True, to keep every shot, or False, got {memory!r}.")
        if wants_other(self, circuit):
            return Runner(self, circuit, parameters, initial_state).sample(shots, seed, bool(memory))
        return self._sample_statevector(circuit, shots, parameters, seed, bool(memory), initial_state)

    def _sample_statevector(
        self, circuit: Circuit, shots: int, parameters: Any, seed: int, memory: bool, initial_state: Any
    ) -> Any:
        """`sample` from statevectors."""
        self._last.facts = {}
        rows, batched = bind_parameters(circuit, parameters)
        if self._noisy is not None:
            made = []
            for k, (one, begin) in enumerate(self._noisy_circuits(circuit, rows, initial_state, density=False)):
                own = (seed + k) % (1 << 64)
                self._last.facts = one.facts(shots)
                values, frequencies = one.sample(shots, own, begin)
                made.append(self._named(circuit, values, frequencies, own, memory))
            return made if batched else made[0]
        dynamic = self._follows_histories(circuit, initial_state)
        start = initial_state if dynamic else self._start(circuit, initial_state)
        self._check_shots(circuit, int(shots), dynamic, len(rows) if memory else 0)
        results = []
        for k, row in enumerate(rows):
            begin = start.copy() if not dynamic and start is not None and k < len(rows) - 1 else start
            with one_part(k, len(rows)):
                counts = self._counts(circuit, row, int(shots), (int(seed) + k) % (1 << 64), dynamic, memory, begin)
            results.append(counts)
        return results if batched else results[0]

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
        self, circuit: Circuit, observable: Any, parameters: Any = None, *, initial_state: Any = None
    ) -> Any:
        """The exact expectation value <psi|O|psi> of a Hermitian operator, or of each of a list of them.

        Returns:
            A float; an array (observables,) for a list; with a leading axis (sets,) for a batch.

        >>> from qsim import Pauli
        >>> Simulator().expectation(Circuit(1).h(0), [Pauli.X(0), 2 * Pauli.X(0)]).round(12)
        array([1., 2.])
        """
        return self._all_moments(circuit, observable, parameters, initial_state, spread=False)[0]

    def variance(self, circuit: Circuit, observable: Any, parameters: Any = None, *, initial_state: Any = None) -> Any:
        """The exact variance <O**2> - <O>**2, in the same shapes as `expectation`.

        >>> from qsim import Pauli
        >>> Simulator().variance(Circuit(1), Pauli.X(0))
        1.0
        """
        return self._all_moments(circuit, observable, parameters, initial_state)[1]

    def moments(
        self, circuit: Circuit, observable: Any, parameters: Any = None, *, initial_state: Any = None
    ) -> tuple[Any, Any]:
        """Expectation value and variance from one run, each in the same shape as `expectation` gives.

        >>> from qsim import Pauli
        >>> Simulator().moments(Circuit(1), Pauli.Z(0))
        (1.0, 0.0)
        """
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
        self, circuit: Circuit, qubits: Sequence[int], parameters: Any = None, *, initial_state: Any = None
    ) -> Array:
        """The density matrix of a few of a circuit's qubits, the first as the least significant bit of an index.

        Returns:
            Complex, shape (2**k, 2**k); for a batch (sets, 2**k, 2**k).

        >>> Simulator().reduced_density_matrix(Circuit(2).h(0).cx(0, 1), [0]).real.round(12)
        array([[0.5, 0. ],
               [0. , 0.5]])
        """
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
            {key: value for key, value in given.items() if _names(circuit) & {getattr(key, "name", key)}}
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
        self,
        circuit: Circuit,
        observable: Any,
        shots: int,
        parameters: Any = None,
        seed: int | None = None,
        *,
        initial_state: Any = None,
        grouping: str = "commuting",
    ) -> Any:
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
        from qsim.estimation import estimate_state

        single, operators = _operators(observable)
        if self._noisy is not None:
            return self._noisy_estimate(circuit, observable, shots, parameters, seed, initial_state)
        made = [self.check_estimate(circuit, operator, shots, grouping) for operator in operators]
        shots, seed = _checked_shots(shots), _checked_seed(seed)
        rows, batched = bind_parameters(circuit, parameters)
        start = self._start(circuit, initial_state, 2)
        results = []
        for k, row in enumerate(rows):
            with one_part(k, len(rows)):
                state = self._state(circuit, row, None if start is None else start.copy())
                own = (seed + k) % (1 << 64)
                found = [estimate_state(self, state, one, shots, own) for one in made]
            results.append(found[0] if single else found)
        return results if batched else results[0]

    def check_estimate(
        self, circuit: Circuit, observable: SparsePauliOp, shots: int, grouping: str = "commuting"
    ) -> Any:
        """Raise what `estimate` would raise for these; returns the groups of terms, which are kept for a while."""
        from qsim.estimation import measurements, split_shots
        from qsim.grouping import GROUPINGS

        refuse_other(self, "estimate from shots")
        if self._noisy is not None:
            _check_circuit(circuit)
            check_observable(observable, circuit.num_qubits)
            return None

        self._only_gates(circuit, "expectation value")
        if grouping not in GROUPINGS:
            raise QsimError(f"Terms are grouped {' or '.join(map(repr, GROUPINGS))}, got {grouping!r}.")
        check_observable(observable, circuit.num_qubits)
        shots, wanted = _checked_shots(shots), (circuit.num_qubits, grouping)
        made = next((m for operator, key, m in self._measurements if operator is observable and key == wanted), None)
        if made is None:
            made = measurements(observable, circuit.num_qubits, grouping)
            self._measurements = [*self._measurements[-7:], (observable, wanted, made)]
        split_shots(shots, [group.weight for group in made.groups])
        return made

    def gradient(self, circuit: Circuit, observable: Any, parameters: Any = None) -> Any:
        """The exact derivatives of an expectation value by all parameters, from one sweep back through the circuit.

        Args:
            circuit: of gates alone; any gate may have expressions of parameters.
            observable: a Hermitian `SparsePauliOp`, or a list of them.
            parameters: one set or a batch.

        Returns:
            A dict from name to derivative: a float, or an array for an array parameter. A list of these for a list of
            observables (a Jacobian), and an outer list for a batch.

        Raises:
            QsimError: the observable is not Hermitian or too wide, the circuit branches or takes a fractional power of
                a gate with symbolic parameters, or a derivative is infinite.

        Source: Jones and Gacon, "Efficient calculation of gradients in classical simulations of variational quantum
        algorithms", arXiv:2009.02823. Memory: three states, whatever the number of terms and parameters.

        >>> from qsim import Parameter, Pauli
        >>> slope = Simulator().gradient(Circuit(1).rx(2 * Parameter("a"), 0), Pauli.Z(0), {"a": 0.5})
        >>> round(slope["a"], 6)  # of cos(2 a)
        -1.682942
        """
        return self._gradients(circuit, observable, parameters)[1]

    def value_and_gradient(self, circuit: Circuit, observable: Any, parameters: Any = None) -> tuple[Any, Any]:
        """`expectation` and `gradient` from one sweep, each in its own shape.

        >>> from qsim import Parameter, Pauli
        >>> Simulator().value_and_gradient(Circuit(1).ry(Parameter("a"), 0), Pauli.X(0), {"a": 0.0})
        (0.0, {'a': 1.0})
        """
        return self._gradients(circuit, observable, parameters)

    def hessian_vector_product(
        self, circuit: Circuit, observable: SparsePauliOp, vector: Any, parameters: Any = None
    ) -> Any:
        """The second derivatives of an expectation value, times a vector: the cost of ten gradients.

        Args:
            circuit, observable, parameters: as for `gradient`; one observable.
            vector: a number for each parameter, in the form of one set of parameters.

        Returns:
            A dict as from `gradient`: sum over k of d2E / (dname dk) vector[k]. A list of them for a batch.

        Raises:
            QsimError: as `gradient` does, and for a vector that is no single set.

        Exact but for rounding, about 1e-13 times the number of gates with parameters, where angles are affine in the
        parameters; see `qsim.curvature`.

        >>> from qsim import Parameter, Pauli
        >>> turned = Circuit(1).rx(2 * Parameter("a"), 0)
        >>> product = Simulator().hessian_vector_product(turned, Pauli.Z(0), {"a": 1.0}, {"a": 0.5})
        >>> round(product["a"], 9)  # the second derivative of cos(2 a)
        -2.161209223
        """
        from qsim.curvature import line, slope
        from qsim.gradients import named

        self._check_gradient(circuit, [observable])
        directions, several = bind_parameters(circuit, vector)
        if several:
            raise QsimError("The vector of a Hessian-vector product is one set of numbers, not a batch of sets.")
        rows, batched = bind_parameters(circuit, parameters)
        products = []
        for k, row in enumerate(rows):
            points, h = line(circuit, row, directions[0], np.empty(0, self._dtype).real.dtype)
            with one_part(k, len(rows)):
                if not len(points):
                    products.append(named(circuit, np.zeros(len(row))))
                else:
                    products.append(slope(self.gradient(circuit, observable, points), h))
        return products if batched else products[0]

    def parameter_shift_gradient(
        self,
        circuit: Circuit,
        observable: SparsePauliOp,
        parameters: Any = None,
        *,
        shots: int | None = None,
        seed: int | None = None,
    ) -> Any:
        """The same as `gradient`, from shifted expectation values: slow, a check of it, and what hardware can do.

        Args:
            circuit, observable, parameters: as for `gradient`.
            shots: of the estimate of each shifted value; None takes exact values.
            seed: of the shots; set k of a batch uses seed + k.

        Source: Schuld et al., arXiv:1811.11184; Anselmetti et al., arXiv:2104.05695 for controlled rotations.

        >>> from qsim import Parameter, Pauli
        >>> slope = Simulator().parameter_shift_gradient(Circuit(1).rx(2 * Parameter("a"), 0), Pauli.Z(0), {"a": 0.5})
        >>> round(slope["a"], 6)
        -1.682942
        """
        from qsim.estimation import estimate_state, group_seed
        from qsim.gradients import named
        from qsim.shift_rules import parameter_shift
        from qsim.state import operator_means

        self._check_gradient(circuit, [observable])
        rows, batched = bind_parameters(circuit, parameters)
        self._check(circuit, copies=1 if shots is None else 2)
        made = None if shots is None else self.check_estimate(circuit, observable, shots)
        seed = _checked_seed(seed)
        results = []
        for k, row in enumerate(rows):

            def value_of(state: Array, count: int, own: int = (seed + k) % (1 << 64)) -> float:
                if shots is None or made is None:
                    return float(operator_means(state.reshape(1, -1), observable, self.threads)[0])
                return float(estimate_state(self, state, made, int(shots), group_seed(own, count)).value)

            with one_part(k, len(rows)):
                slopes = parameter_shift(circuit, value_of, row, self._dtype, self.threads)
            results.append(named(circuit, slopes))
        return results if batched else results[0]

    def unitary(self, circuit: Circuit, parameters: Any = None) -> Array:
        """The circuit's matrix, shape (2**n, 2**n), global phase included; (sets, 2**n, 2**n) for a batch.

        >>> Simulator().unitary(Circuit(1).x(0)).real
        array([[0., 1.],
               [1., 0.]])
        """
        _check_circuit(circuit)
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

    def density_matrix(self, circuit: Circuit, parameters: Any = None, *, initial_state: Any = None) -> Array:
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
        from qsim.noisy_simulation import density_matrix

        _check_circuit(circuit)
        rows, batched = bind_parameters(circuit, parameters)
        exact = self._exact(circuit, len(rows) + 1)
        begin = None if initial_state is None else initial_amplitudes(initial_state, circuit.num_qubits, self._dtype)
        found = [density_matrix(exact, circuit, row, begin) for row in rows]
        return np.array(found) if batched else found[0]

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

        _check_circuit(circuit)
        rows, batched = bind_parameters(circuit, parameters)
        size = 1 << min(2 * circuit.num_qubits, 40)
        needed = (len(rows) * size + 2) * size * self._amplitude
        check_memory(needed, 4 * circuit.num_qubits, self._amplitude, self.memory_limit, "superoperator, as a state")
        found = [NoisyCircuit.of(self._exact(circuit, 1), circuit, row).superoperator() for row in rows]
        return np.array(found) if batched else found[0]

    def estimate_memory(self, circuit: Circuit) -> int:
        """Bytes that running a circuit takes: one state and each thread's tile, and a copy a branch if it branches."""
        copies = 1 if not circuit.is_dynamic else 2 + circuit._rows[::ROW].count(MEASURE)
        tile = self._amplitude << min(circuit.num_qubits, 16)
        return copies * (self._amplitude << circuit.num_qubits) + self.threads * tile

    # noise --------------------------------------------------------------------------------------------------
    @property
    def _noisy(self) -> NoiseModel | None:
        """The model to run under, if a run is no plain one."""
        if self.noise is not None and not self.noise.is_ideal:
            return self.noise
        return NoiseModel() if self.method == "density_matrix" else None

    def _noiseless(self, what: str, instead: str) -> None:
        if self._noisy is not None:
            raise QsimError(f"Under noise, or with density matrices, there is no {what}. Use {instead}.")

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

    def _noisy_circuits(self, circuit: Circuit, rows: Array, initial_state: Any, density: bool) -> Iterator[Any]:
        """Each set's circuit under noise and the state that it begins with: vec(rho) with `density`, else amplitudes."""
        from qsim.noisy_simulation import NoisyCircuit, as_density, check_density, noise_facts

        begin = None
        self._last.facts = noise_facts("density_matrix" if density else "trajectories")
        if density or self.method == "density_matrix":
            check_density(self, circuit.num_qubits)
        else:
            self._check(circuit, 4)
        if initial_state is not None:
            begin = initial_amplitudes(initial_state, circuit.num_qubits, self._dtype)
        for k, row in enumerate(rows):
            with one_part(k, len(rows)):
                one = None if begin is None else begin.copy()
                yield NoisyCircuit.of(self, circuit, row), as_density(one) if density else one

    def _noisy_estimate(
        self, circuit: Circuit, observable: Any, shots: int, parameters: Any, seed: int | None, initial_state: Any
    ) -> Any:
        single, operators = _operators(observable)
        _check_circuit(circuit)
        for operator in operators:
            check_observable(operator, circuit.num_qubits)
        shots, seed = _checked_shots(shots), _checked_seed(seed)
        if shots < 2:
            raise QsimError("A standard error takes at least two shots, got 1.")
        rows, batched = bind_parameters(circuit, parameters)
        results = []
        for k, (one, begin) in enumerate(self._noisy_circuits(circuit, rows, initial_state, density=False)):
            found = one.estimate(operators, shots, (seed + k) % (1 << 64), begin)
            results.append(found[0] if single else found)
        return results if batched else results[0]

    # how ----------------------------------------------------------------------------------------------------
    @property
    def _amplitude(self) -> int:
        return int(np.dtype(self._dtype).itemsize)

    def _check(self, circuit: Circuit, copies: int = 1) -> None:
        if self.memory_limit is None and copies * self._amplitude << circuit.num_qubits < _SMALL_BYTES:
            return
        needed = self.estimate_memory(circuit) + (copies - 1) * (self._amplitude << circuit.num_qubits)
        check_memory(needed, circuit.num_qubits, self._amplitude, self.memory_limit)

    def _check_shots(self, circuit: Circuit, shots: int, dynamic: bool, kept: int) -> None:
        """Refuse more shots than there is memory for; those of `kept` results are kept one by one."""
        pairs = [] if dynamic else list(_measurements(circuit))
        sampling = 0 if dynamic else sampling_bytes(pairs, circuit.num_qubits, shots)
        needed = sampling + kept * shots * (8 + circuit.num_clbits)
        if self.memory_limit is None and needed < _SMALL_BYTES:
            return
        advice = "Take fewer shots" + (", or leave out memory=True." if kept else ".")
        check_bytes(needed, self.memory_limit, f"Sampling {shots:,} shots of {circuit.num_clbits} bits", advice)

    def _start(self, circuit: Circuit, initial_state: Any, copies: int = 1) -> Array | None:
        """The amplitudes of an initial state, ours to overwrite, once it is sure that the run fits in memory."""
        if initial_state is None:
            self._check(circuit, copies)
            return None
        self._check(circuit, copies + 1)
        return initial_amplitudes(initial_state, circuit.num_qubits, self._dtype)

    def _falls_apart(self, circuit: Circuit, initial_state: Any) -> bool:
        """Whether a circuit of gates is simulated in independent parts."""
        from qsim.parts import WHOLE_QUBITS, independent_parts

        return circuit.num_qubits > WHOLE_QUBITS and initial_state is None and len(independent_parts(circuit)) > 1

    def _check_parts(self, circuit: Circuit, qubits: Iterable[int]) -> None:
        """Refuse a circuit whose largest part, of those that hold any of these qubits, does not fit."""
        from qsim.parts import widest

        width = widest(circuit, list(qubits))
        tile = self.threads * (self._amplitude << min(width, 16))
        if self.memory_limit is not None or self._amplitude << width >= _SMALL_BYTES:
            check_memory((self._amplitude << width) + tile, width, self._amplitude, self.memory_limit)

    def _follows_histories(self, circuit: Circuit, initial_state: Any) -> bool:
        """Whether `sample` splits shots at measurements; else it draws them from one final state."""
        if circuit.is_dynamic:
            from qsim.dynamic import can_be_deferred

            if not can_be_deferred(circuit):
                return True
        from qsim.parts import WHOLE_QUBITS

        if circuit.num_qubits <= WHOLE_QUBITS:
            return False
        if self._falls_apart(circuit, initial_state):
            return True
        needed = self.estimate_memory(circuit)
        return needed >= _SMALL_BYTES and needed > (self.memory_limit or available_memory())

    def _only_gates(self, circuit: Circuit, what: str) -> None:
        _check_circuit(circuit)
        if circuit.is_dynamic:
            raise CircuitError(
                f"A circuit that resets, branches or uses qubits after measuring them has no single {what}. "
                "Use sample, or leave those operations out."
            )

    def _small_state(self, circuit: Circuit) -> Array | None:
        """The state of a small circuit without parameters by the shortest way, or None if it is another circuit."""
        if self._tile_bits is not None or self.memory_limit is not None:
            return None
        global run_directly
        if run_directly is None:
            from qsim.compiler import run_directly
        state: Array | None = run_directly(circuit, self._dtype) if isinstance(circuit, Circuit) else None
        if state is not None:
            self._note_compiled()
            report(1, 1)
        return state

    def _note_compiled(self) -> None:
        if self.precision not in first_runs.compiled:
            first_runs.remember_compiled(self.precision)

    def _state(self, circuit: Circuit, row: Array, initial: Array | None = None) -> Array:
        """The final state, in natural order; `initial` is overwritten by it when given."""
        from qsim.state import evolve

        if initial is None and (state := self._small_state(circuit)) is not None:
            return state
        program, row = self._program(circuit, row, natural_start=initial is not None)
        state = evolve(program, row, self._dtype, self.threads, initial)
        self._note_compiled()
        return state

    def _states(self, circuit: Circuit, rows: Array, start: Array | None = None) -> Array:
        """The final states of a batch, shape (sets, 2**n), from `start` if given."""
        from qsim.state import evolve_batch

        if start is not None:
            states: Array = np.empty((len(rows), len(start)), dtype=self._dtype)
            for k, row in enumerate(rows):
                with one_part(k, len(rows)):
                    states[k] = start
                    states[k] = self._state(circuit, row, states[k])
            return states
        if len(rows) == 1:
            return self._state(circuit, rows[0]).reshape(1, -1)
        if not len(rows):
            return np.empty((0, 1 << circuit.num_qubits), dtype=self._dtype)
        program, row = self._program(circuit, rows[0])
        if len(row) < rows.shape[1]:  # it had to be bound
            return np.array([self._state(circuit, row) for row in rows])
        return evolve_batch(program, rows, self._dtype, self.threads)

    def _parts(self, circuit: Circuit, sets: int) -> list[slice]:
        """A batch in parts whose states take no more memory than is reasonable to hold at a time."""
        most = max(1, _BATCH_BYTES // (self._amplitude << circuit.num_qubits))
        return [slice(k, min(k + most, sets)) for k in range(0, sets, most)]

    def _program(
        self, circuit: Circuit, row: Array, natural_start: bool = False, start: int = 0, stop: int | None = None
    ) -> tuple[Any, Array]:
        """Operations [start, stop) compiled and the parameter values they take: none where they had to be bound first."""
        from qsim.compiler import NeedsNumbers, compile_circuit

        settings: Any = {
            "dtype": self._dtype, "tile_bits": self._tile_bits, "natural_start": natural_start, "start": start, "stop": stop,
        }  # fmt: skip
        try:
            return compile_circuit(circuit, **settings), row
        except NeedsNumbers:
            bound = circuit.bind({p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)})
            return compile_circuit(bound, **settings), row[:0]

    def _counts(
        self, circuit: Circuit, row: Array, shots: int, seed: int, dynamic: bool, memory: bool, start: Any
    ) -> Counts:
        """Counts of one run from `start`: amplitudes, which are overwritten, or, for a dynamic one, what the user gave."""
        visible, registers = _visible(circuit)
        values: Any
        frequencies: Any
        if dynamic:
            from qsim.dynamic import sample_dynamic

            values, frequencies = sample_dynamic(self, circuit, row, shots, seed, start)
            if visible != list(range(circuit.num_clbits)):
                values = np.asarray(values, dtype=np.int64 if circuit.num_clbits <= 62 else object)
                values, frequencies = move_bits(values, frequencies, [(bit, k) for k, bit in enumerate(visible)])
        else:
            place = {bit: k for k, bit in enumerate(visible)}
            pairs = [(qubit, place[clbit]) for qubit, clbit in _measurements(circuit) if clbit in place]
            if first_runs.worth_it(circuit, self.precision, shots=shots):
                state = first_runs.state(circuit, row, self._dtype, start)
                values, frequencies = first_runs.sample_bits(state, pairs, shots, seed)
            else:
                from qsim.sampling import sample_bits

                values, frequencies = sample_bits(self._state(circuit, row, start), pairs, shots, seed, self.threads)
        return Counts(values, frequencies, len(visible), registers, seed, memory=memory)

    def _all_moments(
        self, circuit: Circuit, observable: Any, parameters: Any, initial_state: Any, spread: bool = True
    ) -> tuple[Any, Any]:
        """Expectation values and, with `spread`, variances (else zeros), by whatever method."""
        if wants_other(self, circuit):
            self._only_gates(circuit, "expectation value")
            return Runner(self, circuit, parameters, initial_state).moments(observable, spread)
        return self._moments(circuit, observable, parameters, initial_state, spread)

    def _named(self, circuit: Circuit, values: Any, frequencies: Any, seed: int, memory: bool) -> Counts:
        """Counts from values of all classical bits."""
        visible, registers = _visible(circuit)
        plain = visible == list(range(circuit.num_clbits))
        totals: dict[int, int] = {}
        for value, count in zip(values, frequencies, strict=True):
            shown = int(value)
            if not plain:
                shown = sum(((shown >> bit) & 1) << k for k, bit in enumerate(visible))
            totals[shown] = totals.get(shown, 0) + int(count)
        ordered = sorted(totals)
        return Counts(
            ordered, [totals[value] for value in ordered], len(visible), registers, seed, memory=memory,
            metadata=self._last.facts,
        )  # fmt: skip

    def _moments(
        self, circuit: Circuit, observable: Any, parameters: Any, initial_state: Any, spread: bool = True
    ) -> tuple[Any, Any]:
        """The same from statevectors."""
        self._last.facts = {}
        from qsim.observable import compile_observable, compiled
        from qsim.state import batch_means, operator_moments

        if self._noisy is None:
            self._only_gates(circuit, "expectation value")
        _check_circuit(circuit)
        single, operators = _operators(observable)
        for operator in operators:
            check_observable(operator, circuit.num_qubits)
        rows, batched = bind_parameters(circuit, parameters)
        means, variances = np.zeros((2, len(rows), len(operators)))
        start = None
        if self._noisy is not None:
            for k, (one, begin) in enumerate(self._noisy_circuits(circuit, rows, initial_state, density=True)):
                if spread:
                    means[k], variances[k] = np.array(one.moments(operators, begin)).reshape(-1, 2).T
                else:
                    means[k] = one.means(operators, begin)
            rows = rows[:0]
        elif self._falls_apart(circuit, initial_state):
            from qsim.parts import moments_apart

            self._check_parts(circuit, {q for o in operators for term in o.terms for q, _ in term.paulis})
            means, variances = moments_apart(self, circuit, rows, operators, spread)
            rows = rows[:0]
        else:
            start = self._start(circuit, initial_state)
        terms = sum(operator.num_terms for operator in operators)
        if first_runs.worth_it(circuit, self.precision, len(rows), terms=terms):
            for k, row in enumerate(rows):
                state = first_runs.state(circuit, row, self._dtype, start)
                for j, operator in enumerate(operators):
                    value, norm = first_runs.moments(state, operator)
                    means[k, j], variances[k, j] = value, max(norm - value * value, 0.0)
            rows = rows[:0]
        together = None
        if not spread and operators and len(rows):
            n = circuit.num_qubits
            together = compiled(observable, n) if single else compile_observable(operators, n)
        if together is not None and start is None and len(rows) > 1:
            program, row = self._program(circuit, rows[0])
            found = (
                batch_means(program, rows, together, self._dtype, self.threads) if len(row) == rows.shape[1] else None
            )
            if found is not None:
                means[:], rows = found, rows[:0]
        for part in self._parts(circuit, len(rows)):
            states = self._states(circuit, rows[part], start)
            if together is not None:
                means[part] = together.means(states, self.threads)
                continue
            for j, operator in enumerate(operators):
                mean, square = operator_moments(states, operator, self.threads)
                means[part, j], variances[part, j] = mean, np.maximum(square - mean * mean, 0.0)

        def shaped(values: Array) -> Any:
            picked = values[:, 0] if single else values
            if batched:
                return picked
            return float(picked[0]) if single else picked[0]

        return shaped(means), shaped(variances)

    def _check_gradient(self, circuit: Circuit, operators: list[Any]) -> None:
        refuse_other(self, "gradient")
        self._noiseless("gradient", "expectation at shifted parameters")
        self._only_gates(circuit, "gradient")
        if MEASURE in circuit._rows[::ROW]:
            raise CircuitError("A gradient is not taken through measurements. Leave them out.")
        for operator in operators:
            check_observable(operator, circuit.num_qubits)

    def _gradients(self, circuit: Circuit, observable: Any, parameters: Any) -> tuple[Any, Any]:
        from qsim.gradients import named, plan, value_and_gradient

        single, operators = _operators(observable)
        self._check_gradient(circuit, operators)
        rows, batched = bind_parameters(circuit, parameters)
        self._check(circuit, copies=3)
        steps = plan(circuit, self._dtype, self._tile_bits)
        values: Array = np.zeros((len(rows), len(operators)))
        slopes: list[list[dict[str, Any]]] = []
        for k, row in enumerate(rows):
            slopes.append([])
            with one_part(k, len(rows)):
                state = self._state(circuit, row)
                for j, operator in enumerate(operators):
                    with one_part(j, len(operators)):
                        values[k, j], slope = value_and_gradient(steps, state, operator, row, self.threads)
                    slopes[k].append(named(circuit, slope))
        picked: list[Any] = [of_set[0] for of_set in slopes] if single else slopes
        shaped = values[:, 0] if single else values
        if batched:
            return shaped, picked
        return (float(shaped[0]) if single else shaped[0]), picked[0]


def _visible(circuit: Circuit) -> tuple[list[int], list[Register]]:
    """The classical bits that counts show, and the registers of these: bits in no register (of measurements whose outcome
    a program keeps to itself) are not shown."""
    visible = [bit for register in circuit.clbit_registers for bit in register.indices]
    registers, at = [], 0
    for register in circuit.clbit_registers:
        registers.append(Register(register.name, tuple(range(at, at + len(register)))))
        at += len(register)
    return visible, registers


def _checked_shots(shots: Any) -> int:
    if isinstance(shots, (bool, np.bool_)) or not isinstance(shots, (int, np.integer)) or not 1 <= shots <= MAX_SHOTS:
        raise QsimError(f"The number of shots is a whole number from 1 to 2**40, got {shots!r}.")
    return int(shots)


def _checked_seed(seed: Any) -> int:
    """A seed as it is given, or a new one."""
    if seed is None:
        return secrets.randbits(63)
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 1 << 64:
        raise QsimError(f"A seed is a whole number from 0 to 2**64 - 1, got {seed!r}.")
    return int(seed)


def _operators(observable: Any) -> tuple[bool, list[Any]]:
    """Whether it is a single observable, and a list of it or of them, whose items are yet to be checked."""
    if isinstance(observable, SparsePauliOp):
        return True, [observable]
    try:
        return False, list(observable)
    except TypeError:
        name = type(observable).__name__
        raise QsimError(f"An observable is a SparsePauliOp or a list of them, got {name}.") from None


def _checked_rounds(rounds: Any) -> int:
    if isinstance(rounds, (bool, np.bool_)) or not isinstance(rounds, (int, np.integer)) or rounds < 1:
        raise QsimError(f"max_loop_rounds is a whole number of at least 1, got {rounds!r}.")
    return int(rounds)


def _names(circuit: Circuit) -> set[str]:
    """What parameters of a circuit are given by: names of single ones and of arrays."""
    return {p.name if p.array is None else p.array.name for p in circuit.parameters}


def _check_circuit(circuit: Any) -> None:
    if not isinstance(circuit, Circuit):
        raise CircuitError(f"A simulator runs a Circuit, got {type(circuit).__name__}.")


def _check_measured(circuit: Circuit) -> None:
    if MEASURE not in circuit._rows[::ROW] and not circuit.is_dynamic:
        raise CircuitError("Sampling needs a measurement, and the circuit has none. Add circuit.measure_all().")


def _measurements(circuit: Circuit) -> Iterator[tuple[int, int]]:
    """Each measured qubit and its bit; of those that write to one bit the last."""
    rows, operands = circuit._rows, circuit._operands
    pairs: dict[int, int] = {}
    for at in range(0, len(rows), ROW):
        if rows[at] == MEASURE:
            clbit = operands[rows[at + 1] + 1]
            pairs.pop(clbit, None)
            pairs[clbit] = operands[rows[at + 1]]
    for clbit, qubit in pairs.items():
        yield qubit, clbit
