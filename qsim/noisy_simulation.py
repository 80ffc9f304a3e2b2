"""What `Simulator` does under a noise model: which method, and results from density matrices or trajectories.

Exact results (probabilities, expectation values, variances, density matrices, superoperators) come from density matrices.
Samples come from them or from trajectories, whichever takes less by estimate; estimates come from trajectories.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.density import CompiledSegment, populations, run_segment, trace_with
from qsim.density_flow import HistoryRun, averaged
from qsim.errors import CircuitError, QsimError
from qsim.estimation import Estimate, group_seed
from qsim.measured import move_bits
from qsim.memory import available_memory, check_memory
from qsim.noise import NoiseModel
from qsim.noisy import Measurement, Segment, Step, is_static, noisy_steps
from qsim.noisy_runs import Leaf, NoisyProgram, uniform
from qsim.pauli import SparsePauliOp
from qsim.readout_noise import misread, misread_bits, observed
from qsim.sampling import marginal_probabilities, sample_state
from qsim.state import operator_means
from qsim.superops import unvec
from qsim.trajectories import GROUP, MOST_CUT_BYTES, PauliTrajectories, estimate_pauli, outcomes_of, sample_pauli

if TYPE_CHECKING:
    from qsim.runs import Runs

Array = npt.NDArray[Any]
#: Work by measured ratios, in amplitudes of a run with Pauli noise: an amplitude of a density matrix; a run besides its
#: amplitudes; how many times as long a run takes with other channels.
_DENSITY, _RUN, _KRAUS = 3.8, 1600, 8
#: Density matrices of no more qubits than this are made unless they are asked for.
MAX_AUTOMATIC = 13


@dataclass(frozen=True)
class NoisyCircuit:
    """A circuit with numbers for its parameters, under a simulator's noise model."""

    simulator: Runs
    circuit: Circuit
    model: NoiseModel
    steps: list[Step]

    @classmethod
    def of(cls, simulator: Runs, circuit: Circuit, row: Array) -> NoisyCircuit:
        """Bind a circuit and check that the model fits."""
        model = simulator._noisy
        assert model is not None
        model.check(circuit.num_qubits)
        if circuit.parameters:
            circuit = circuit.bind({p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)})
        return cls(simulator, circuit, model, noisy_steps(circuit, model))

    # exact --------------------------------------------------------------------------------------------------
    def density(self, start: Array | None = None) -> Array:
        """vec(rho) before the final measurements; measurements midway are averaged over."""
        simulator, n = self.simulator, self.circuit.num_qubits
        dtype, threads, tile_bits = simulator._dtype, simulator.threads, simulator._tile_bits
        if self.circuit.has_feed_forward:
            run = HistoryRun(self.circuit, self.model, dtype, threads, self._room(), tile_bits)
            return np.asarray(np.sum(list(run.run(start).values()), axis=0))
        return run_segment(averaged(self._unmeasured()), n, dtype, threads, start, tile_bits)

    def superoperator(self) -> Array:
        """The matrix on vec(rho), column by column."""
        if self.circuit.has_feed_forward:
            raise CircuitError("A circuit that branches on outcomes has no superoperator here. Use density_matrix.")
        simulator, n = self.simulator, self.circuit.num_qubits
        compiled = CompiledSegment(averaged(self.steps), n, simulator._dtype, simulator._tile_bits, natural_start=True)
        result: Array = np.empty((1 << 2 * n, 1 << 2 * n), dtype=simulator._dtype)
        for column in range(1 << 2 * n):
            start: Array = np.zeros(1 << 2 * n, dtype=simulator._dtype)
            start[column] = 1
            result[:, column] = compiled.run(simulator.threads, start)
        return result

    def _unmeasured(self) -> list[Step]:
        """The steps without the measurements at the end."""
        steps = list(self.steps)
        while steps and isinstance(steps[-1], Measurement):
            steps.pop()
        return steps

    def check_density(self, copies: int = 1) -> None:
        """Refuse a density matrix that does not fit, or that nobody asked for by name and that is large."""
        check_density(self.simulator, self.circuit.num_qubits, copies)

    def _room(self) -> int:
        limit = self.simulator.memory_limit
        free = available_memory()
        return (free if limit is None else min(limit, free)) // 4

    def probabilities(self, qubits: Sequence[int], start: Array | None) -> Array:
        """What is read when `qubits` are measured."""
        diagonal = populations(self.density(start))
        amplitudes: Array = np.sqrt(diagonal).astype(np.complex128)
        marginal = marginal_probabilities(amplitudes, qubits, self.simulator.threads)
        return misread(marginal, qubits, self.model)

    def moments(self, operators: Sequence[SparsePauliOp], start: Array | None) -> list[tuple[float, float]]:
        """Expectation value and variance of what is read."""
        state = self.density(start)
        found = []
        for operator in operators:
            value = trace_with(state, observed(operator, self.model))
            square = trace_with(state, observed((operator * operator).simplify(), self.model))
            found.append((value, max(square - value * value, 0.0)))
        return found

    def means(self, operators: Sequence[SparsePauliOp], start: Array | None) -> list[float]:
        """Expectation values of what is read."""
        state = self.density(start)
        return [trace_with(state, observed(operator, self.model)) for operator in operators]

    # samples ------------------------------------------------------------------------------------------------
    def sample(self, shots: int, seed: int, start: Array | None) -> tuple[Any, Any]:
        """Values of all classical bits, ascending, and how often each came."""
        pairs = [(step.qubit, step.clbit) for step in self.steps if isinstance(step, Measurement)]
        if not is_static(self.steps):
            if self.sampling_method(shots) == "density_matrix":
                return self._sample_histories(shots, seed, start)
            return self._sample_program(shots, seed, start)
        if self.sampling_method(shots) == "density_matrix":
            return self._sample_density(pairs, shots, seed, start)
        segment = self.steps[0]
        assert isinstance(segment, Segment)
        if not all(place.channel.pauli_probabilities is not None for place in segment.places):
            return self._sample_program(shots, seed, start)
        random = _generator(seed)
        trajectories = self._pauli(segment, start)
        qubits = [qubit for qubit, _ in pairs]
        values, frequencies = np.zeros(0, np.int64), np.zeros(0, np.int64)
        for outcomes in sample_pauli(trajectories, shots, random):
            found, counts = np.unique(misread_bits(outcomes, qubits, self.model, random), return_counts=True)
            values, frequencies = np.concatenate([values, found]), np.concatenate([frequencies, counts])
        return move_bits(values, frequencies, pairs)

    def sampling_method(self, shots: int) -> str:
        """Which method samples are taken by: "density_matrix" or "trajectories"."""
        simulator, n = self.simulator, self.circuit.num_qubits
        if simulator.method != "automatic":
            return "density_matrix" if simulator.method == "density_matrix" else "trajectories"
        if n > MAX_AUTOMATIC or 3 * simulator._amplitude << 2 * n > self._room():
            return "trajectories"
        places = [place for step in self.steps if isinstance(step, Segment) for place in step.places]
        static = is_static(self.steps)
        pauli = static and all(place.channel.pauli_probabilities is not None for place in places)
        runs = float(shots)
        if pauli:
            quiet = 0.0
            for place in places:
                chances = place.channel.pauli_probabilities
                assert chances is not None
                quiet += math.log(max(chances["I" * len(place.qubits)], 1e-30))
            runs = 1 + shots * -math.expm1(quiet)
        histories = 1.0 if static else min(2.0 ** min(self.circuit.num_clbits, 60), float(shots))
        per_run = ((1 << n) + _RUN) * (1 if pauli else _KRAUS)
        return "density_matrix" if histories * _DENSITY * 4.0**n <= runs * per_run else "trajectories"

    def facts(self, shots: int) -> dict[str, str]:
        """What `Simulator.last_run` says of samples."""
        return noise_facts(self.sampling_method(shots))

    def _sample_density(
        self, pairs: list[tuple[int, int]], shots: int, seed: int, start: Array | None
    ) -> tuple[Any, Any]:
        qubits = [qubit for qubit, _ in sorted(pairs, key=lambda pair: pair[1])]
        found = self.probabilities(qubits, as_density(start))
        values, frequencies = sample_state(np.sqrt(found).astype(np.complex128), shots, seed, self.simulator.threads)
        return move_bits(values, frequencies, list(enumerate(sorted(clbit for _, clbit in pairs))))

    def _sample_histories(self, shots: int, seed: int, start: Array | None) -> tuple[Any, Any]:
        values, chances = self.distribution(as_density(start))
        frequencies = _generator(seed).multinomial(shots, chances)
        kept = [k for k, count in enumerate(frequencies.tolist()) if count]
        return [values[k] for k in kept], frequencies[kept]

    def outcomes(self, start: Array | None) -> tuple[Any, Array]:
        """Values of all classical bits that can be reported, ascending, and their exact probabilities."""
        if not is_static(self.steps):
            return self.distribution(start)
        pairs = [(step.qubit, step.clbit) for step in self.steps if isinstance(step, Measurement)]
        chances = self.probabilities([qubit for qubit, _ in sorted(pairs, key=lambda pair: pair[1])], start)
        values = np.flatnonzero(chances > 0)
        moved = list(enumerate(sorted(clbit for _, clbit in pairs)))
        wide = self.circuit.num_clbits > 62
        result = np.zeros(len(values), dtype=object if wide else np.int64)
        for bit, clbit in moved:
            part = (values >> bit) & 1
            result |= (part.astype(object) if wide else part) << clbit
        return result, chances[values]

    def distribution(self, start: Array | None = None) -> tuple[list[int], Array]:
        """Values of all classical bits, ascending, and their exact probabilities."""
        simulator = self.simulator
        run = HistoryRun(
            self.circuit, self.model, simulator._dtype, simulator.threads, self._room(), simulator._tile_bits
        )
        size = 1 << self.circuit.num_qubits
        found = {value: float(matrix[:: size + 1].real.sum()) for value, matrix in run.run(start).items()}
        values = sorted(found)
        chances = np.array([max(found[value], 0.0) for value in values])
        return values, chances / chances.sum()

    def _sample_program(self, shots: int, seed: int, start: Array | None) -> tuple[Any, Any]:
        """Counts of trajectories of any program."""
        wide, totals = self.circuit.num_clbits > 62, Counter[int]()
        program = self._program()
        for first in range(0, shots, GROUP):
            count = min(GROUP, shots - first)
            values: Array = np.zeros(count, dtype=object if wide else np.int64)
            program.run(count, seed, start, _Reported(values, first, seed, self.model), first)
            found, frequencies = np.unique(values, return_counts=True)
            totals.update(dict(zip(found.tolist(), frequencies.tolist(), strict=True)))
        ordered = sorted(totals)
        return ordered, [totals[value] for value in ordered]

    def _program(self) -> NoisyProgram:
        simulator = self.simulator
        return NoisyProgram(self.circuit, self.model, simulator._dtype, simulator.threads, simulator._tile_bits)

    def _pauli(self, segment: Segment, start: Array | None) -> PauliTrajectories:
        simulator = self.simulator
        return PauliTrajectories(
            segment, self.circuit.num_qubits, simulator._dtype, simulator.threads, simulator._tile_bits, start,
            min(MOST_CUT_BYTES, self._room()),
        )  # fmt: skip

    # estimates ----------------------------------------------------------------------------------------------
    def estimate(
        self, operators: Sequence[SparsePauliOp], shots: int, seed: int, start: Array | None
    ) -> list[Estimate]:
        """Means over trajectories of the expectation value of each one's state, with standard errors."""
        steps = self._unmeasured()
        wanted = [observed(operator, self.model) for operator in operators]
        segment = steps[0] if steps else Segment()
        pauli = len(steps) == 1 and isinstance(segment, Segment)
        if pauli and isinstance(segment, Segment) and _all_pauli(segment):
            means, variances = estimate_pauli(self._pauli(segment, start), wanted, shots, _generator(seed))
        else:
            means, variances = self._program_moments(wanted, shots, seed, start)
        return [
            Estimate(float(mean), float(variance), math.sqrt(float(variance) / shots), shots, 1)
            for mean, variance in zip(means, variances, strict=True)
        ]

    def _program_moments(
        self, operators: Sequence[SparsePauliOp], shots: int, seed: int, start: Array | None
    ) -> tuple[Array, Array]:
        """Means and variances over trajectories of any program."""
        total, squares = np.zeros((2, len(operators)))
        program = self._program()
        for first in range(0, shots, GROUP):
            values = np.zeros((min(GROUP, shots - first), len(operators)))
            program.run(len(values), seed, start, _Measured(values, first, operators), first)
            total, squares = total + values.sum(axis=0), squares + (values**2).sum(axis=0)
        mean = total / shots
        return mean, np.maximum(squares / shots - mean**2, 0.0) * shots / (shots - 1)


@dataclass(frozen=True)
class _Reported:
    """Writes down what is reported of leaves' shots, from shot `first` on."""

    values: Array
    first: int
    seed: int
    model: NoiseModel

    def __call__(self, leaf: Leaf) -> None:
        self.values[leaf.shots - self.first] = _bits(leaf, self.seed, self.model, self.values.dtype == object)


@dataclass(frozen=True)
class _Measured:
    """Writes down the expectation values of leaves' states, from shot `first` on."""

    values: Array
    first: int
    operators: Sequence[SparsePauliOp]

    def __call__(self, leaf: Leaf) -> None:
        state = leaf.state.reshape(1, -1)
        found = [float(operator_means(state, operator, 1)[0]) for operator in self.operators]
        self.values[leaf.shots - self.first] = found


def _all_pauli(segment: Segment) -> bool:
    return all(place.channel.pauli_probabilities is not None for place in segment.places)


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=group_seed(seed, 0)))


def _bits(leaf: Leaf, seed: int, model: NoiseModel, wide: bool) -> Array:
    """The classical bits of a leaf's shots, once what is left has been measured."""
    outcomes = outcomes_of(leaf.state, uniform(seed, leaf.shots, leaf.drawn)) if leaf.measured else None
    values: Array = np.full(len(leaf.shots), leaf.memory, dtype=object if wide else np.int64)
    for number, step in enumerate(leaf.measured):
        assert outcomes is not None
        bit = (outcomes >> step.qubit) & 1
        error = model.readout_error(step.qubit)
        if error is not None:
            drawn = uniform(seed, leaf.shots, leaf.drawn + 1 + number)
            bit = bit ^ (drawn < np.where(bit == 1, error.p10, error.p01))
        values = values & ~(1 << step.clbit) | (bit.astype(object) if wide else bit) << step.clbit
    return values


def as_density(start: Array | None) -> Array | None:
    """vec(|psi><psi|)."""
    return None if start is None else np.multiply.outer(start.conj(), start).reshape(-1)


def noise_facts(method: str) -> dict[str, str]:
    """What `Simulator.last_run` says of a run under noise."""
    exact = "exact, for a state of twice as many qubits"
    return {
        "method": method,
        "reason": exact if method == "density_matrix" else "each shot is a run with its own errors",
    }


def sampling_facts(simulator: Runs, circuit: Circuit, shots: int) -> dict[str, str]:
    """How so many shots of a circuit would be sampled, whatever its parameters."""
    return NoisyCircuit.of(simulator, circuit, np.ones(len(circuit.parameters))).facts(shots)


def check_density(simulator: Runs, num_qubits: int, copies: int = 1) -> None:
    """Refuse what does not fit in memory, and large density matrices that were not asked for by name."""
    if simulator.method == "statevector":
        raise QsimError(
            'Trajectories (method="statevector" with noise) give samples and estimates; exact results take density '
            'matrices. Use sample or estimate, or method="automatic".'
        )
    if simulator.method == "automatic" and num_qubits > MAX_AUTOMATIC:
        raise QsimError(
            f"Exact results under noise take a density matrix, of at most {MAX_AUTOMATIC} qubits unless "
            f'method="density_matrix" asks for it; the circuit has {num_qubits}. Use sample, or estimate(..., shots), '
            "which gives a standard error."
        )
    amplitude = simulator._amplitude
    needed = (1 + copies) * amplitude << 2 * num_qubits if num_qubits < 40 else 1 << 90
    check_memory(
        needed, 2 * num_qubits, amplitude, simulator.memory_limit, f"density matrix of {num_qubits} qubits, as a state"
    )


def density_matrix(simulator: Runs, circuit: Circuit, row: Array, start: Array | None) -> Array:
    """rho, shape (2**n, 2**n)."""
    return np.ascontiguousarray(unvec(NoisyCircuit.of(simulator, circuit, row).density(as_density(start))))
