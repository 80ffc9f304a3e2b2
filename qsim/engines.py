"""Running a circuit by a method other than the statevector: parameter sets, initial states, and results in shape."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim import methods
from qsim.circuit import Circuit, Register
from qsim.counts import Counts
from qsim.errors import CircuitError, MemoryLimitError, QsimError
from qsim.initial import product_labels, product_vectors
from qsim.methods import Choice
from qsim.mps.state import BondLimit, Settings
from qsim.parameter_binding import bind_parameters
from qsim.pauli import SparsePauliOp, check_observable
from qsim.pool import part

if TYPE_CHECKING:
    from qsim.runs import Runs

Array = npt.NDArray[Any]


class LastRun(threading.local):
    """How this thread's last run was done: what `Simulator.last_run` shows."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}


class Runner:
    """Runs one call of a simulator; each parameter set may take another method.

    >>> from qsim import Simulator
    >>> runner = Runner(Simulator(method="mps"), Circuit(2).x(1), None, None)
    >>> runner.statevector().real
    array([0., 0., 1., 0.])
    """

    def __init__(self, simulator: Runs, circuit: Circuit, parameters: Any, initial_state: Any) -> None:
        self.simulator, self.initial_state = simulator, initial_state
        rows, self.batched = bind_parameters(circuit, parameters)
        self.num_sets = len(rows)
        self._circuit, self._rows = circuit, rows

    def sample(self, shots: int, seed: int, memory: bool) -> Any:
        """Counts, or a list of them."""
        results = []
        for k, circuit in self._bound():
            choice, engine = self._engine(circuit, "sample")
            own = (seed + k) % (1 << 64)
            if engine is None:
                results.append(
                    self.simulator._sample_statevector(circuit, shots, None, own, memory, self.initial_state)
                )
                continue
            visible = [bit for register in circuit.clbit_registers for bit in register.indices]
            initial = self._initial(choice.method, circuit)
            with self._within_limits(choice, circuit, "sample"):
                values, frequencies, facts = engine.sample(circuit, visible, shots, own, initial)
            registers, at = [], 0
            for register in circuit.clbit_registers:
                registers.append(Register(register.name, tuple(range(at, at + len(register)))))
                at += len(register)
            metadata = self._note(choice, facts)
            results.append(counts_of(values, frequencies, len(visible), registers, own, memory, metadata))
        return results if self.batched else results[0]

    def moments(self, observable: Any, spread: bool) -> tuple[Any, Any]:
        """Expectation values and variances (else zeros), in the simulator's shapes."""
        single = isinstance(observable, SparsePauliOp)
        operators: Sequence[SparsePauliOp] = [observable] if single else list(observable)
        for operator in operators:
            check_observable(operator, self._circuit.num_qubits)
        means, variances = np.zeros((2, self.num_sets, len(operators)))
        for k, circuit in self._bound():
            choice, engine = self._engine(circuit, "expectation")
            if engine is None:
                found = self.simulator._moments(circuit, list(operators), None, self.initial_state, spread)
                means[k], variances[k] = found
                continue
            initial = self._initial(choice.method, circuit)
            with self._within_limits(choice, circuit, "expectation"):
                means[k], variances[k], facts = engine.expectations(circuit, operators, initial, spread)
            self._note(choice, facts)

        def shaped(values: Array) -> Any:
            picked = values[:, 0] if single else values
            if self.batched:
                return picked
            return float(picked[0]) if single else picked[0]

        return shaped(means), shaped(variances)

    def probabilities(self, qubits: Sequence[int]) -> Array:
        """Of some qubits, shape (2**k,), or (sets, 2**k)."""
        results = []
        for _, circuit in self._bound():
            choice, engine = self._engine(circuit, "probabilities")
            if engine is None:
                results.append(self.simulator._probabilities(circuit, None, qubits, self.initial_state))
                continue
            initial = self._initial(choice.method, circuit)
            with self._within_limits(choice, circuit, "probabilities"):
                found, facts = engine.probabilities(circuit, qubits, initial)
            self._note(choice, facts)
            results.append(found)
        return np.array(results).reshape(self.num_sets, -1) if self.batched else results[0]

    def statevector(self) -> Array:
        """Amplitudes, shape (2**n,), or (sets, 2**n)."""
        results = []
        for _, circuit in self._bound():
            choice, engine = self._engine(circuit, "statevector")
            assert engine is not None  # only asked for by name
            found, facts = engine.statevector(circuit, self._initial(choice.method, circuit))
            self._note(choice, facts)
            results.append(found)
        return np.array(results) if self.batched else results[0]

    # how ----------------------------------------------------------------------------------------------------
    def _bound(self) -> Iterator[tuple[int, Circuit]]:
        """Each parameter set's number and circuit."""
        for k, row in enumerate(self._rows):
            circuit = self._circuit
            if circuit.parameters:
                circuit = circuit.bind({p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)})
            with part(k, self.num_sets):
                yield k, circuit

    def _engine(self, circuit: Circuit, purpose: str) -> tuple[Choice, Any]:
        """The choice for a circuit, and the engine of its method, None for the statevector's."""
        simulator = self.simulator
        choice = methods.choose(circuit, simulator, purpose)
        noise = simulator._noisy
        if noise is not None:
            noise.check(circuit.num_qubits)
        if choice.method == "stabilizer":
            from qsim.stabilizer.engine import StabilizerEngine

            return choice, StabilizerEngine(simulator.threads, simulator.memory_limit, noise, simulator.max_loop_rounds)
        if choice.method == "mps":
            from qsim.mps.engine import ProductStateEngine

            options = simulator._options
            own = options.is_automatic and options.max_bond is None
            settings = Settings(
                options.max_bond, options.truncation, simulator.memory_limit,
                methods.AUTOMATIC_WORK if own else None, methods.AUTOMATIC_BOND if own else None,
            )  # fmt: skip
            return choice, ProductStateEngine(settings, simulator._dtype, noise, simulator.max_loop_rounds)
        return choice, None

    @contextmanager
    def _within_limits(self, choice: Choice, circuit: Circuit, purpose: str) -> Iterator[None]:
        """Where a run ends at the limits of "automatic", say what speaks against the other methods too."""
        try:
            yield
        except BondLimit as error:
            against = {**choice.alternatives, "mps": str(error)}
            raise MemoryLimitError(methods.refusal(circuit, self.simulator, purpose, against)) from None

    def _initial(self, method: str, circuit: Circuit) -> Any:
        """The initial state as a method takes it."""
        if self.initial_state is None:
            return None
        if method == "mps":
            return product_vectors(self.initial_state, circuit.num_qubits)
        labels = product_labels(self.initial_state, circuit.num_qubits)
        prepared = Circuit(circuit.num_qubits)
        for qubit, label in enumerate(reversed(labels)):
            if label in "1-l":
                prepared.x(qubit)
            if label in "+-rl":
                prepared.h(qubit)
            if label in "rl":
                prepared.s(qubit)
        return prepared

    def _note(self, choice: Choice, facts: dict[str, Any]) -> dict[str, Any]:
        noted = {"method": choice.method, "reason": choice.reason, **facts}
        self.simulator._last.facts = noted
        return noted


def counts_of(
    rows: Array, frequencies: Array, num_bits: int, registers: Sequence[Register], seed: int, memory: bool,
    metadata: dict[str, Any],
) -> Counts:  # fmt: skip
    """Counts out of packed rows; narrow outcomes become integers."""
    from qsim.bits import NARROW, as_narrow_integers

    values: Any = rows if num_bits > NARROW else as_narrow_integers(rows)
    return Counts(values, frequencies, num_bits, registers, seed, memory=memory, metadata=metadata)


def wants_other(simulator: Runs, circuit: Any) -> bool:
    """Whether a call may go to another method than the statevector; quick, since every call asks."""
    options = simulator._options
    if options.method in ("statevector", "density_matrix") or not isinstance(circuit, Circuit):
        return False  # and under noise these two are told apart where it is run
    if not options.is_automatic or simulator.memory_limit is not None:
        return True
    if simulator._noisy is not None:
        return circuit.num_qubits >= methods.NOISY_CLIFFORD_FROM
    if circuit.num_qubits >= methods.CLIFFORD_FROM:
        return True
    return circuit.num_qubits >= methods.DYNAMIC_CLIFFORD_FROM and circuit.is_dynamic


def refuse_other(simulator: Runs, what: str) -> None:
    """Raise where a method was asked for that does not do this."""
    if simulator._options.method in methods.PURPOSES:
        able = ", ".join(sorted(methods.PURPOSES[simulator._options.method]))
        raise QsimError(
            f'method="{simulator._options.method}" gives {able}; a {what} takes method="statevector" or "automatic".'
        )


def check_static(circuit: Circuit, what: str) -> None:
    """Raise for a circuit that has no single state."""
    if circuit.is_dynamic:
        raise CircuitError(
            f"A circuit that resets, branches or uses qubits after measuring them has no single {what}. "
            "Use sample, or leave those operations out."
        )
