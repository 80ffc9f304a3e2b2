"""What the simulator asks of the stabiliser engine: samples, expectation values and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim import branching
from qsim.bits import as_integers, from_integers
from qsim.circuit import ROW, Circuit
from qsim.errors import CircuitError, MemoryLimitError, QsimError
from qsim.kernels import frames as kernels
from qsim.memory import check_bytes
from qsim.pauli import SparsePauliOp
from qsim.stabilizer import frames
from qsim.stabilizer.clifford import NotClifford, Recognizer, check_numbers
from qsim.stabilizer.program import NeedsBranches, Program, Segment, build, check_clifford, check_pauli
from qsim.stabilizer.tableau import TableauState, definite, gates_text, stim_module

if TYPE_CHECKING:
    from qsim.noise import NoiseModel

Array = npt.NDArray[Any]
#: Probabilities are given of at most so many qubits, and a variance of at most so many terms.
MAX_PROBABILITY_QUBITS, MAX_VARIANCE_TERMS = 24, 3_000


class StabilizerEngine:
    """Runs Clifford circuits; see `qsim.methods` for when it is chosen.

    Args:
        threads: of sampling; results do not depend on it.
        memory_limit: in bytes, or None.
        noise: Pauli channels and readout errors, or None.
        max_loop_rounds: how often one history may go round `while` loops.
    """

    method = "stabilizer"

    def __init__(
        self,
        threads: int = 1,
        memory_limit: int | None = None,
        noise: NoiseModel | None = None,
        max_loop_rounds: int = 100_000,
    ) -> None:
        check_pauli(noise)
        self.max_loop_rounds = max_loop_rounds
        self.threads, self.memory_limit, self.noise = threads, memory_limit, noise

    def sample(
        self, circuit: Circuit, clbits: Sequence[int], shots: int, seed: int, initial: Circuit | None = None
    ) -> tuple[Array, Array, dict[str, Any]]:
        """Distinct outcomes of some bits as packed rows, ascending, how often each came, and facts about the run."""
        stim_module()
        check_numbers(circuit)
        if initial is not None:
            circuit = joined(initial, circuit)
        needed = frames.sampling_bytes(circuit.num_qubits, circuit.num_clbits, shots, self.threads)
        needed += circuit.num_qubits**2 // 2  # two tableaus of 2 n by 2 n bits
        advice = "Take fewer shots, or measure fewer bits."
        check_bytes(needed, self.memory_limit, f"Sampling {shots:,} shots of {circuit.num_clbits:,} bits", advice)
        try:
            with named(circuit):
                program = build(circuit, self.noise)
        except NeedsBranches:
            return self._by_branches(circuit, clbits, shots, seed)
        rows, frequencies = frames.sample(program, clbits, shots, seed, self.threads)
        return rows, frequencies, {"engine": "Pauli frames"}

    def _by_branches(
        self, circuit: Circuit, clbits: Sequence[int], shots: int, seed: int
    ) -> tuple[Array, Array, dict[str, Any]]:
        brancher: branching.Brancher[TableauState] = branching.Brancher(seed, self.noise, None, self.max_loop_rounds)
        totals = brancher.sample(TableauState.zero(circuit.num_qubits), circuit, shots)
        shown: dict[int, int] = {}
        for value, count in totals.items():
            key = sum(((value >> bit) & 1) << k for k, bit in enumerate(clbits))
            shown[key] = shown.get(key, 0) + count
        values = sorted(shown)
        frequencies = np.array([shown[value] for value in values], np.int64)
        return from_integers(values, len(clbits)), frequencies, {"engine": "tableaus, branch by branch"}

    def expectations(
        self, circuit: Circuit, operators: Sequence[SparsePauliOp], initial: Circuit | None, spread: bool
    ) -> tuple[list[float], list[float], dict[str, Any]]:
        """Expectation values and, with `spread`, variances (else zeros), exactly: a Pauli's mean is -1, 0 or 1."""
        if self.noise is not None and not self.noise.is_ideal:
            return self._noisy_expectations(circuit, operators, initial, spread)
        state = self._final(circuit, initial)
        means = [self._mean(state, operator) for operator in operators]
        variances = [0.0] * len(operators)
        if spread:
            squares = [self._mean(state, squared(operator)) for operator in operators]
            variances = [max(s - m * m, 0.0) for s, m in zip(squares, means, strict=True)]
        return means, variances, {}

    def probabilities(
        self, circuit: Circuit, qubits: Sequence[int], initial: Circuit | None
    ) -> tuple[Array, dict[str, Any]]:
        """Outcome probabilities of a few qubits, shape (2**k,), exactly: all possible outcomes are equally likely.

        These are an affine space over GF(2): one outcome, and what the coins of the frames (Z on a qubit that starts
        in |0>) add to it.
        """
        if self.noise is not None and not self.noise.is_ideal:
            raise QsimError(
                'The stabiliser engine gives probabilities without noise. Sample them, or use method="density_matrix".'
            )
        count = len(qubits)
        if count > MAX_PROBABILITY_QUBITS:
            raise MemoryLimitError(
                f"The stabiliser engine gives the probabilities of at most {MAX_PROBABILITY_QUBITS} qubits (2**k numbers), "
                f"got {count}. Name fewer, or sample."
            )
        state = self._final(circuit, initial)
        outcome = sum(definite(state, qubit) << k for k, qubit in enumerate(qubits))
        basis = _reduced(_flips(self._program(circuit, initial), qubits))
        result: Array = np.zeros(1 << count)
        places = np.array([outcome], np.int64)
        for vector in basis:
            places = np.concatenate([places, places ^ vector])
        result[places] = 1.0 / len(places)
        return result, {}

    def statevector(self, circuit: Circuit, initial: Circuit | None) -> tuple[Array, dict[str, Any]]:
        """An error: a tableau keeps no amplitudes."""
        raise QsimError(
            'method="stabilizer" keeps the Paulis that leave a state as it is, and no amplitudes: its global phase is not '
            'known. Ask for samples, expectation values or the probabilities of a few qubits, or use method="statevector".'
        )

    # how ----------------------------------------------------------------------------------------------------
    def _program(self, circuit: Circuit, initial: Circuit | None) -> Program:
        whole = gates_of(circuit) if initial is None else joined(initial, gates_of(circuit))
        with named(whole):
            return build(whole)

    def _final(self, circuit: Circuit, initial: Circuit | None) -> Any:
        """A stim simulator with the state of a circuit of gates."""
        stim = stim_module()
        check_numbers(circuit)
        check_bytes(circuit.num_qubits**2 // 2, self.memory_limit, f"A tableau of {circuit.num_qubits} qubits", "")
        simulator = stim.TableauSimulator()
        simulator.set_num_qubits(circuit.num_qubits)
        recognizer = Recognizer()
        for one in (initial, gates_of(circuit)):
            if one is not None:
                simulator.do(stim.Circuit(gates_text(one, 0, len(one), recognizer)))
        return simulator

    @staticmethod
    def _mean(simulator: Any, operator: SparsePauliOp) -> float:
        total = 0.0
        for paulis, coefficient in operator.terms:
            total += coefficient.real * (simulator.peek_observable_expectation(_pauli_string(paulis)) if paulis else 1)
        return total

    def _noisy_expectations(
        self, circuit: Circuit, operators: Sequence[SparsePauliOp], initial: Circuit | None, spread: bool
    ) -> tuple[list[float], list[float], dict[str, Any]]:
        from qsim.stabilizer.backwards import noisy_means

        if spread:
            operators = [*operators, *map(squared, operators)]
        whole = gates_of(circuit) if initial is None else joined(initial, gates_of(circuit))
        with named(whole):
            program = build(whole, self.noise)
        means = noisy_means(program, operators)
        if not spread:
            return means, [0.0] * len(means), {}
        half = len(means) // 2
        return means[:half], [max(s - m * m, 0.0) for m, s in zip(means[:half], means[half:], strict=True)], {}


class named:
    """Makes `NotClifford` of a circuit the error that a user sees."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, NotClifford) and not str(error).startswith("method="):
            raise NotClifford(
                f'method="stabilizer" runs Clifford gates only, and {error}. '
                'Use method="automatic", "statevector" or "mps".'
            ) from None


def squared(operator: SparsePauliOp) -> SparsePauliOp:
    """The operator's square, of at most so many terms as a variance is worth."""
    if operator.num_terms > MAX_VARIANCE_TERMS:
        raise QsimError(
            f"A variance takes the square of the operator: at most {MAX_VARIANCE_TERMS:,} terms here, got "
            f"{operator.num_terms:,}. Ask for expectation alone."
        )
    return (operator * operator).simplify()


def gates_of(circuit: Circuit) -> Circuit:
    """A circuit of gates and final measurements without the latter."""
    from qsim.circuit import MEASURE

    if MEASURE not in circuit._rows[::ROW]:
        return circuit
    copy = circuit.copy()
    del copy._rows[:]
    rows = circuit._rows
    for at in range(0, len(rows), ROW):
        if rows[at] != MEASURE:
            copy._rows.extend(rows[at : at + ROW])
    return copy


def joined(first: Circuit, second: Circuit) -> Circuit:
    """Gates of `first`, then `second`, on the qubits and bits of `second`."""
    whole = second._empty_like()
    for circuit in (first, second):
        for instruction in circuit:
            whole._append(instruction.operation, instruction.qubits, instruction.clbits)
    return whole


def check_circuit(circuit: Circuit) -> None:
    """Raise `NotClifford` with the gate and its place, unless a circuit is Clifford throughout."""
    check_numbers(circuit)
    check_clifford(circuit)


def _pauli_string(paulis: Any) -> Any:
    letters = {"X": "X", "Y": "Y", "Z": "Z"}
    return stim_module().PauliString({qubit: letters[letter] for qubit, letter in paulis})


def _flips(program: Program, qubits: Sequence[int]) -> list[int]:
    """For the coin of each qubit of a program: which of `qubits` it flips, as an integer."""
    count = len(program.qubits)
    states: Array = np.zeros((2, count, -(-count // 64)), np.uint64)
    for k in range(count):
        states[1, k, k // 64] = np.uint64(1) << np.uint64(k % 64)
    for step in program.steps:
        assert isinstance(step, Segment)
        kernels.move_through(step.ops, states)
    columns = np.zeros((count, len(qubits)), np.uint8)
    for k, qubit in enumerate(qubits):
        if qubit in program.qubits:
            columns[:, k] = frames.unpack_words(states[:1, program.qubits[qubit]])[0, :count]
    from qsim.bits import pack

    return sorted(set(as_integers(pack(columns)))) if len(qubits) else []


def _reduced(vectors: Sequence[int]) -> list[int]:
    """A basis over GF(2) of the space that vectors span."""
    basis: list[int] = []
    for vector in vectors:
        for known in basis:
            vector = min(vector, vector ^ known)
        if vector:
            basis.append(vector)
    return basis


def check_probability_qubits(qubits: Sequence[int]) -> None:
    """Raise for more qubits than probabilities are made of."""
    if len(qubits) > MAX_PROBABILITY_QUBITS:
        raise CircuitError(f"Probabilities are given of at most {MAX_PROBABILITY_QUBITS} qubits, got {len(qubits)}.")
