"""`DistributedSimulator`: one statevector over many ranks, with the results of one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.arguments import (
    check_circuit,
    check_measured,
    checked_basis_state,
    checked_seed,
    checked_shots,
)
from qsim.circuit import MEASURE, ROW, Circuit
from qsim.distributed import gradient, operators, readout
from qsim.distributed.ranked_runs import RankedRuns
from qsim.distributed.run import Part, together
from qsim.errors import CircuitError, QsimError
from qsim.gradients import named
from qsim.pool import part as one_part

Array = npt.NDArray[Any]


class DistributedSimulator(RankedRuns):
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
        method: "automatic" samples as `Simulator` does by default: where that takes another method than the statevector for a
            circuit that one process could run, such as the stabiliser engine for a wide Clifford circuit, rank 0 does so and all
            get its counts. "statevector" always takes the statevector. All else is always read from the statevector.
        chunk: amplitudes in a message at most.

    Raises:
        RankError: the number of ranks is no power of two, or they have different versions of the package or settings.

    >>> from qsim.distributed.threads import run_in_threads
    >>> bell = Circuit(2).h(0).cx(0, 1).measure_all()
    >>> run_in_threads(2, lambda transport: DistributedSimulator(transport).sample(bell, shots=100, seed=1))
    [{'00': 53, '11': 47}, {'00': 53, '11': 47}]
    """

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
        """Run a circuit `shots` times and count the outcomes of its classical bits, as `Simulator.sample` does.

        A circuit that branches, or falls apart into parts that fit on one rank, is run by rank 0, whose counts all get; so is
        one that `Simulator` samples by another method.

        Returns:
            `Counts`, or a list of them for a batch of parameter sets; on every rank.
        """

        def check() -> list[Any]:
            check_circuit(circuit)
            check_measured(circuit)
            checked_seed(seed)
            if not isinstance(memory, (bool, np.bool_)):
                raise QsimError(f"memory is True, to keep every shot, or False, got {memory!r}.")
            return [checked_shots(shots), seed, bool(memory)]

        with self._guarded():
            rows, batched, _ = self._enter("sample", circuit, parameters, check)
            first = int(self.ranks.from_first(checked_seed(seed)))
            found = []
            for k, row in enumerate(rows):
                with one_part(k, len(rows)):
                    found.append(self._counts(circuit, row, int(shots), (first + k) % (1 << 64), bool(memory)))
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

    def amplitudes(self, circuit: Circuit, basis_states: Sequence[Any], parameters: Any = None) -> Array:
        """The amplitudes of some basis states, by index or bitstring, before final measurements, on every rank.

        >>> from qsim.distributed.threads import run_in_threads
        >>> circuit = Circuit(3).h(0).cx(0, 2)
        >>> run_in_threads(2, lambda transport: DistributedSimulator(transport).amplitudes(circuit, [5]).round(3))[0]
        array([0.707+0.j])
        """

        def check() -> list[Any]:
            self._check_gates(circuit, [])
            wanted = [checked_basis_state(state, circuit.num_qubits) for state in basis_states]
            return [np.array(wanted, dtype=np.int64)]

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
                plan = self._plan(circuit, None)
            self._check_plan(plan)
            self.last_seconds = ()  # of a run there and back
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
