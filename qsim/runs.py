"""How a simulator runs circuits on statevectors and density matrices: what its public methods are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim import first_runs
from qsim.arguments import as_operators, check_circuit, checked_seed, checked_shots, last_measurements, visible_bits
from qsim.circuit import MEASURE, ROW, Circuit
from qsim.counts import Counts
from qsim.engines import LastRun
from qsim.errors import CircuitError, QsimError
from qsim.initial import initial_amplitudes
from qsim.measured import move_bits, sampling_bytes
from qsim.memory import available_memory, check_bytes, check_memory
from qsim.noise import NoiseModel
from qsim.parameter_binding import bind_parameters
from qsim.pauli import check_observable
from qsim.pool import part as one_part
from qsim.pool import report

Array = npt.NDArray[Any]
#: `qsim.compiler.run_directly`, once it is imported: the statement alone takes a microsecond.
run_directly: Any = None
#: A batch's states are held in parts of about this size; a run of less than the second is not checked against memory.
_BATCH_BYTES, _SMALL_BYTES = 1 << 26, 1 << 24


class Runs:
    """One run, or a batch of them, with a simulator's settings; the settings are those of `qsim.simulator.Simulator`."""

    precision: str
    threads: int
    memory_limit: int | None
    max_loop_rounds: int
    noise: NoiseModel | None
    method: str
    _dtype: Any
    _tile_bits: int | None
    _last: LastRun
    _options: Any

    @property
    def _noisy(self) -> NoiseModel | None:
        """The model to run under, if a run is no plain one."""
        if self.noise is not None and not self.noise.is_ideal:
            return self.noise
        return NoiseModel() if self.method == "density_matrix" else None

    @property
    def _amplitude(self) -> int:
        return int(np.dtype(self._dtype).itemsize)

    def estimate_memory(self, circuit: Circuit) -> int:
        """Bytes that running a circuit takes: one state and each thread's tile, and a copy a branch if it branches."""
        copies = 1 if not circuit.is_dynamic else 2 + circuit._rows[::ROW].count(MEASURE)
        tile = self._amplitude << min(circuit.num_qubits, 16)
        return copies * (self._amplitude << circuit.num_qubits) + self.threads * tile

    def _check(self, circuit: Circuit, copies: int = 1) -> None:
        if self.memory_limit is None and copies * self._amplitude << circuit.num_qubits < _SMALL_BYTES:
            return
        needed = self.estimate_memory(circuit) + (copies - 1) * (self._amplitude << circuit.num_qubits)
        check_memory(needed, circuit.num_qubits, self._amplitude, self.memory_limit)

    def _check_shots(self, circuit: Circuit, shots: int, dynamic: bool, kept: int) -> None:
        """Refuse more shots than there is memory for; those of `kept` results are kept one by one."""
        pairs = [] if dynamic else list(last_measurements(circuit))
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

    def _relevant(self, circuit: Circuit, operators: list[Any], initial_state: Any = None) -> tuple[Circuit, list[Any]]:
        """A circuit and operators on it without the parts that no operator touches."""
        if not self._falls_apart(circuit, initial_state):
            return circuit, operators
        from qsim.parts import relevant

        return relevant(circuit, operators)

    def _check_parts(self, circuit: Circuit, qubits: Iterable[int]) -> None:
        """Refuse a circuit whose largest part, of those that hold any of these qubits, does not fit."""
        from qsim.parts import widest

        width = widest(circuit, list(qubits))
        tile = self.threads * (self._amplitude << min(width, 16))
        if self.memory_limit is not None or self._amplitude << width >= _SMALL_BYTES:
            check_memory((self._amplitude << width) + tile, width, self._amplitude, self.memory_limit)

    def _only_gates(self, circuit: Circuit, what: str) -> None:
        check_circuit(circuit)
        if circuit.is_dynamic:
            raise CircuitError(
                f"A circuit that resets, branches or uses qubits after measuring them has no single {what}. "
                "Use sample, or leave those operations out."
            )

    def _noiseless(self, what: str, instead: str) -> None:
        if self._noisy is not None:
            raise QsimError(f"Under noise, or with density matrices, there is no {what}. Use {instead}.")

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

    def _thin_state(self, circuit: Circuit) -> Array | None:
        """The state of a larger circuit without parameters that has few amplitudes or little entanglement all the time."""
        from qsim.compiler import DIRECT_QUBITS, compile_thin

        if circuit.num_qubits <= DIRECT_QUBITS or circuit.parameters or self._tile_bits is not None:
            return None
        thin = compile_thin(circuit)
        if thin is None:
            return None
        from qsim.state import write_thin

        state = write_thin(thin, self._dtype, self.threads)
        self._note_compiled()
        return state

    def _note_compiled(self) -> None:
        if self.precision not in first_runs.compiled:
            first_runs.remember_compiled(self.precision)

    def _state(self, circuit: Circuit, row: Array, initial: Array | None = None) -> Array:
        """The final state, in natural order; `initial` is overwritten by it when given."""
        from qsim.state import evolve

        if initial is None:
            small = self._small_state(circuit)
            if small is None:
                small = self._thin_state(circuit)
            if small is not None:
                return small
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
                own = (int(seed) + k) % (1 << 64)
                counts = self._counts(circuit, row, int(shots), own, dynamic, memory, begin, sets=len(rows))
            results.append(counts)
        return results if batched else results[0]

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

    def _counts(
        self,
        circuit: Circuit,
        row: Array,
        shots: int,
        seed: int,
        dynamic: bool,
        memory: bool,
        start: Any,
        sets: int = 1,
    ) -> Counts:
        """Counts of one run from `start`: amplitudes, which are overwritten, or, for a dynamic one, what the user gave."""
        visible, registers = visible_bits(circuit)
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
            pairs = [(qubit, place[clbit]) for qubit, clbit in last_measurements(circuit) if clbit in place]
            if first_runs.worth_it(circuit, self.precision, sets, shots=shots):
                state = first_runs.state(circuit, row, self._dtype, start)
                values, frequencies = first_runs.sample_bits(state, pairs, shots, seed)
            else:
                from qsim.sampling import sample_bits

                values, frequencies = sample_bits(self._state(circuit, row, start), pairs, shots, seed, self.threads)
        return Counts(values, frequencies, len(visible), registers, seed, memory=memory)

    def _named(self, circuit: Circuit, values: Any, frequencies: Any, seed: int, memory: bool) -> Counts:
        """Counts from values of all classical bits."""
        visible, registers = visible_bits(circuit)
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
        check_circuit(circuit)
        single, operators = as_operators(observable)
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
        single, operators = as_operators(observable)
        check_circuit(circuit)
        for operator in operators:
            check_observable(operator, circuit.num_qubits)
        shots, seed = checked_shots(shots), checked_seed(seed)
        if shots < 2:
            raise QsimError("A standard error takes at least two shots, got 1.")
        rows, batched = bind_parameters(circuit, parameters)
        results = []
        for k, (one, begin) in enumerate(self._noisy_circuits(circuit, rows, initial_state, density=False)):
            found = one.estimate(operators, shots, (seed + k) % (1 << 64), begin)
            results.append(found[0] if single else found)
        return results if batched else results[0]
