"""What the simulator asks of the matrix-product-state engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim import branching
from qsim.bits import distinct, from_integers, pack
from qsim.circuit import MEASURE, ROW, Circuit
from qsim.compiler.lowering import Lowered, lower
from qsim.errors import QsimError
from qsim.memory import check_bytes
from qsim.mps import readout
from qsim.mps.blas import one_thread
from qsim.mps.gates import apply_circuit, apply_lowered
from qsim.mps.order import chain_order
from qsim.mps.state import MatrixProductState, Settings
from qsim.pauli import SparsePauliOp
from qsim.pool import check_cancelled

if TYPE_CHECKING:
    from qsim.noise import NoiseModel

Array = npt.NDArray[Any]
#: Terms of an operator whose square is taken for a variance.
MAX_VARIANCE_TERMS = 2_000


class ProductStateEngine:
    """Runs circuits of low entanglement; see `qsim.methods` for when it is chosen.

    Args:
        settings: how bonds are kept narrow.
        dtype: complex128 or complex64.
        noise: Pauli channels and readout errors, followed pattern by pattern, or None.
        max_loop_rounds: how often one history may go round `while` loops.
    """

    method = "mps"

    def __init__(
        self,
        settings: Settings,
        dtype: Any = np.complex128,
        noise: NoiseModel | None = None,
        max_loop_rounds: int = 100_000,
    ) -> None:
        self.settings, self.dtype, self.max_loop_rounds = settings, dtype, max_loop_rounds
        self.noise = None if noise is None or noise.is_ideal else noise
        if self.noise is not None and not self.noise.is_pauli:
            raise QsimError(
                'method="mps" takes noise that is a mixture of Paulis, and readout errors. Use method="statevector" or '
                '"density_matrix".'
            )

    @one_thread.during
    def sample(
        self, circuit: Circuit, clbits: Sequence[int], shots: int, seed: int, initial: Any = None
    ) -> tuple[Array, Array, dict[str, Any]]:
        """Distinct outcomes of some bits as packed rows, ascending, how often each came, and facts about the run."""
        state = self._start(circuit, initial)
        if circuit.is_dynamic or self.noise is not None:
            return self._by_branches(state, circuit, clbits, shots, seed)
        apply_circuit(state, circuit)
        rows, operands = circuit._rows, circuit._operands
        bit_of: dict[int, int] = {}
        for at in range(0, len(rows), ROW):
            if rows[at] == MEASURE:
                bit_of[operands[rows[at + 1]]] = operands[rows[at + 1] + 1]
        measured = [qubit for qubit, clbit in bit_of.items() if clbit in set(clbits)]
        needed = min(shots, 1 << min(len(measured), 62)) * (circuit.num_qubits + len(clbits))
        check_bytes(needed, self.settings.memory_limit, f"Sampling {shots:,} shots", "Take fewer shots.")
        random = np.random.Generator(np.random.Philox(key=seed))
        values, frequencies = readout.sample(state, measured, shots, random)
        columns = np.zeros((len(values), len(clbits)), np.uint8)
        column_of = {clbit: k for k, clbit in enumerate(clbits)}
        for k, qubit in enumerate(measured):
            check_cancelled()
            columns[:, column_of[bit_of[qubit]]] = values[:, k]
        found, totals = distinct(pack(columns), frequencies)
        return found, totals, facts([state])

    def _by_branches(
        self, state: MatrixProductState, circuit: Circuit, clbits: Sequence[int], shots: int, seed: int
    ) -> tuple[Array, Array, dict[str, Any]]:
        worst = [state]

        def ended(final: _History, _: int) -> None:
            if final.state.fidelity < worst[0].fidelity or final.state.widest > worst[-1].widest:
                worst[:] = sorted([worst[0], final.state], key=lambda one: one.fidelity)

        brancher: branching.Brancher[_History] = branching.Brancher(seed, self.noise, ended, self.max_loop_rounds)
        totals = brancher.sample(_History(state), circuit, shots)
        shown: dict[int, int] = {}
        for value, count in totals.items():
            key = sum(((value >> bit) & 1) << k for k, bit in enumerate(clbits))
            shown[key] = shown.get(key, 0) + count
        values = sorted(shown)
        frequencies = np.array([shown[value] for value in values], np.int64)
        return from_integers(values, len(clbits)), frequencies, facts(worst)

    @one_thread.during
    def expectations(
        self, circuit: Circuit, operators: Sequence[SparsePauliOp], initial: Any, spread: bool
    ) -> tuple[list[float], list[float], dict[str, Any]]:
        """Expectation values and, with `spread`, variances (else zeros) in the state that is kept."""
        state = self._final(circuit, initial)
        means = readout.expectation(state, operators)
        variances = [0.0] * len(means)
        if spread:
            squares = readout.expectation(state, [self._squared(operator) for operator in operators])
            variances = [max(s - m * m, 0.0) for s, m in zip(squares, means, strict=True)]
        return means, variances, facts([state])

    @one_thread.during
    def probabilities(self, circuit: Circuit, qubits: Sequence[int], initial: Any) -> tuple[Array, dict[str, Any]]:
        """Outcome probabilities of a few qubits, shape (2**k,)."""
        state = self._final(circuit, initial)
        return readout.probabilities(state, qubits, self.settings.memory_limit), facts([state])

    @one_thread.during
    def statevector(self, circuit: Circuit, initial: Any) -> tuple[Array, dict[str, Any]]:
        """All amplitudes, shape (2**n,)."""
        state = self._final(circuit, initial)
        return readout.amplitudes(state, self.settings.memory_limit), facts([state])

    @one_thread.during
    def facts_of(self, circuit: Circuit) -> dict[str, Any]:
        """What a run comes to, without results; of a circuit that branches, one shot of it."""
        if circuit.is_dynamic:
            return self._by_branches(self._start(circuit, None), circuit, (), 1, 0)[2]
        return facts([self._final(circuit, None)])

    # how ----------------------------------------------------------------------------------------------------
    def _start(self, circuit: Circuit, initial: Any) -> MatrixProductState:
        needed = 400 * circuit.num_qubits
        check_bytes(needed, self.settings.memory_limit, f"A chain of {circuit.num_qubits:,} tensors", "")
        vectors = np.tile([1.0, 0.0], (circuit.num_qubits, 1)) if initial is None else initial
        return MatrixProductState(vectors, self.settings, self.dtype, chain_order(circuit)[0])

    def _final(self, circuit: Circuit, initial: Any) -> MatrixProductState:
        if self.noise is not None:
            raise QsimError(
                'method="mps" samples with noise, and gives exact values without. Use method="density_matrix" for few '
                'qubits, or "stabilizer" for Clifford circuits.'
            )
        state = self._start(circuit, initial)
        apply_circuit(state, circuit)
        state.flush()
        return state

    @staticmethod
    def _squared(operator: SparsePauliOp) -> SparsePauliOp:
        if operator.num_terms > MAX_VARIANCE_TERMS:
            raise QsimError(
                f"A variance takes the square of the operator: at most {MAX_VARIANCE_TERMS:,} terms here, got "
                f"{operator.num_terms:,}. Ask for expectation alone."
            )
        return (operator * operator).simplify()


def facts(states: Sequence[MatrixProductState]) -> dict[str, Any]:
    """What a run reports: the worst of its histories."""
    return {
        "truncation_error": max(0.0, 1.0 - min(state.fidelity for state in states)),
        "max_bond": max(state.widest for state in states),
    }


class _History:
    """A matrix-product state as `qsim.branching` takes it."""

    def __init__(self, state: MatrixProductState, lowered: dict[Any, tuple[Circuit, Lowered]] | None = None) -> None:
        self.state = state
        self._lowered: dict[Any, tuple[Circuit, Lowered]] = {} if lowered is None else lowered

    def copy(self) -> _History:
        return _History(self.state.copy(), self._lowered)

    def apply(self, circuit: Circuit, start: int, stop: int) -> None:
        key = (id(circuit), start, stop)
        known = self._lowered.get(key)
        if known is None:  # the circuit is kept, so that its identity stays its own
            known = self._lowered[key] = (circuit, lower(circuit, start, stop))
        apply_lowered(self.state, known[1])

    def chance_of_one(self, qubit: int) -> float:
        tensor = self.state.tensors[self.state.settle(qubit)]
        weights = (np.abs(tensor.astype(np.complex128)) ** 2).sum(axis=(0, 2))
        return float(weights[1] / weights.sum())

    def project(self, qubit: int, value: int) -> None:
        one = self.chance_of_one(qubit)
        self.state.project(qubit, value, one if value else 1.0 - one)

    def flip(self, qubit: int) -> None:
        self.state.apply_one(qubit, np.array([[0, 1], [1, 0]]))

    def pauli(self, letters: str, qubits: Sequence[int]) -> None:
        for letter, qubit in zip(reversed(letters), qubits, strict=True):
            if letter != "I":
                self.state.apply_one(qubit, readout._PAULIS[letter])
