"""Stabiliser tableaus, by stim: the reference shot of a program, and the state of one history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.errors import QsimError
from qsim.kernels import frames as codes
from qsim.stabilizer.clifford import STIM_NAMES, NotClifford, Recognizer, describe_gate
from qsim.stabilizer.program import Choose, Paulis, Program, Segment, Store, segment_text


def stim_module() -> Any:
    """`stim`, which is an extra.

    Raises:
        QsimError: it is not installed; the message names the extra.
    """
    try:
        import stim
    except ImportError:
        raise QsimError(
            'The stabiliser engine needs stim: pip install "qsim-session[clifford]". The other methods do without.'
        ) from None
    return stim


def has_stim() -> bool:
    """Whether stim can be imported, without importing it."""
    from importlib.util import find_spec

    return find_spec("stim") is not None


class Reference:
    """One shot of a program without noise, in which every outcome that is open is 0.

    Attributes:
        outcomes: of the measurements in order, shape (measurements,), uint8.
        chosen: for each place where the program decides, whether the reference passed that case's test.
    """

    def __init__(self, program: Program) -> None:
        stim = stim_module()
        self.chosen: dict[int, list[bool]] = {}
        if program.is_static:
            sample = stim.Circuit(program.text()).reference_sample()
            self.outcomes = np.asarray(sample, np.uint8)
            return
        self._simulator = stim.TableauSimulator()
        self._outcomes: list[int] = []
        self._memory = 0
        self._run(program.steps)
        self.outcomes = np.array(self._outcomes, np.uint8)

    def _run(self, steps: Sequence[Any]) -> None:
        for step in steps:
            if isinstance(step, Segment):
                self._segment(step.ops)
            elif isinstance(step, Paulis):
                for qubit, x, z in step.factors:
                    (self._simulator.y if x and z else self._simulator.x if x else self._simulator.z)(qubit)
            elif isinstance(step, Store):
                self._memory = stored(self._memory, step.clbits, int(step.value.evaluate(self._memory)))
            else:
                self._choose(step)

    def _choose(self, step: Choose) -> None:
        value, passed = step.value.evaluate(self._memory), False
        flags = []
        for test, body in step.cases:
            taken = not passed and test(value)
            flags.append(taken)
            if taken:
                passed = True
                self._run(body)
            else:
                self._skip(body)
        self.chosen[id(step)] = flags

    def _skip(self, steps: Sequence[Any]) -> None:
        for step in steps:
            if isinstance(step, Choose):
                self.chosen[id(step)] = [False] * len(step.cases)
                for _, body in step.cases:
                    self._skip(body)

    def _segment(self, ops: npt.NDArray[Any]) -> None:
        stim = stim_module()
        special = np.flatnonzero((ops[:, 0] > 10) & (ops[:, 0] < codes.NOISE))
        begin = 0
        for at in (*special.tolist(), len(ops)):
            if at > begin:
                self._simulator.do(stim.Circuit(segment_text(ops[begin:at])))
            begin = at + 1
            if at == len(ops):
                return
            code, qubit, clbit, _ = ops[at].tolist()
            outcome = definite(self._simulator, qubit)
            if code == codes.RESET:
                if outcome:
                    self._simulator.x(qubit)
            else:
                self._outcomes.append(outcome)
                self._memory = self._memory & ~(1 << clbit) | outcome << clbit


def definite(simulator: Any, qubit: int) -> int:
    """Make the outcome of a qubit certain, 0 if it is open, and return it."""
    z = simulator.peek_z(qubit)
    if z == 0:
        simulator.postselect_z(qubit, desired_value=False)
    return int(z < 0)


def stored(memory: int, clbits: Sequence[int], number: int) -> int:
    """Classical bits with a number stored into some, least significant first."""
    for k, clbit in enumerate(clbits):
        memory = memory & ~(1 << clbit) | ((number >> k) & 1) << clbit
    return memory


class TableauState:
    """The state of one history; see `qsim.branching`."""

    def __init__(self, simulator: Any, recognizer: Recognizer, circuits: dict[Any, Any]) -> None:
        self._simulator, self._recognizer, self._circuits = simulator, recognizer, circuits

    @staticmethod
    def zero(num_qubits: int) -> TableauState:
        """All qubits in |0>."""
        simulator = stim_module().TableauSimulator()
        simulator.set_num_qubits(num_qubits)
        return TableauState(simulator, Recognizer(), {})

    def copy(self) -> TableauState:
        """A state of its own."""
        return TableauState(self._simulator.copy(), self._recognizer, self._circuits)

    def apply(self, circuit: Circuit, start: int, stop: int) -> None:
        """Run operations [start, stop), which are gates, barriers and delays."""
        if start == stop:
            return
        key = (id(circuit), start, stop)
        known = self._circuits.get(key)
        if known is None:
            made = stim_module().Circuit(gates_text(circuit, start, stop, self._recognizer))
            known = self._circuits[key] = (circuit, made)  # the circuit is kept, so that its identity stays its own
        self._simulator.do(known[1])

    def chance_of_one(self, qubit: int) -> float:
        """The probability that measuring a qubit gives 1: 0, 1/2 or 1."""
        return (1 - int(self._simulator.peek_z(qubit))) / 2

    def project(self, qubit: int, value: int) -> None:
        """Keep the part of the state in which a qubit is `value`, which has to be possible."""
        self._simulator.postselect_z(qubit, desired_value=bool(value))

    def flip(self, qubit: int) -> None:
        """Apply X."""
        self._simulator.x(qubit)

    def pauli(self, letters: str, qubits: Sequence[int]) -> None:
        """Apply Paulis, the rightmost letter on the first qubit."""
        for letter, qubit in zip(reversed(letters), qubits, strict=True):
            if letter != "I":
                getattr(self._simulator, letter.lower())(qubit)


def gates_text(circuit: Circuit, start: int, stop: int, recognizer: Recognizer) -> str:
    """Operations [start, stop) of a circuit, gates and barriers, as a stim circuit."""
    from qsim.circuit import BARRIER, DELAY, ROW

    lines = []
    for index in range(start, stop):
        code, first, count = circuit._rows[index * ROW : index * ROW + 3]
        if code in (BARRIER, DELAY):
            continue
        ops = recognizer.operations(circuit, index)
        if ops is None:
            raise NotClifford(
                f'method="stabilizer" runs Clifford gates; {describe_gate(circuit, index)}, is none. Use '
                'method="automatic", "statevector" or "mps".'
            )
        qubits = circuit._operands[first : first + count]
        for op, a, b in ops:
            lines.append(f"{STIM_NAMES[op]} {qubits[a]}" if op < 8 else f"{STIM_NAMES[op]} {qubits[a]} {qubits[b]}")
    return "\n".join(lines)
