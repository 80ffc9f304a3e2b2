"""Circuits in the gates of a target, with exactly the same unitary, global phase included.

One-qubit gates are gathered into runs, each of which becomes the shortest sequence that the target has for its product.
Gates that the target takes stay as they are; others become CX or two-qubit rotations between one-qubit gates. Where
qubits are is left as it is: connectivity is the vendor's compiler's part, or Qiskit's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from qsim.circuit import Barrier, Circuit, Delay, Instruction, Measure, Reset
from qsim.classical import FeedForward, WithValues, rebuilt
from qsim.gates import GATES, Gate, GateRow
from qsim.linalg import controlled_matrix
from qsim.parameters import Expression
from session.preparation import controls as many
from session.preparation import unitaries
from session.preparation.blocks import gather
from session.preparation.euler import ZERO, Matrix
from session.preparation.euler import Step as Turn
from session.preparation.expansions import expansion
from session.preparation.flat import FlatGate, flat_gates
from session.preparation.gate_sets import GateSet, GateSetError, gate_set, make_gate
from session.preparation.two_qubit import Piece, TwoQubit
from session.preparation.weyl import phase_between

#: (base without controls, number of controls) -> the row that this is.
_NAMES = {
    ("x", 1): "cx", ("x", 2): "ccx", ("x", 3): "c3x", ("x", 4): "c4x", ("y", 1): "cy", ("z", 1): "cz", ("z", 2): "ccz",
    ("h", 1): "ch", ("s", 1): "cs", ("sdg", 1): "csdg", ("sx", 1): "csx", ("sxdg", 1): "csxdg", ("sx", 3): "c3sqrtx",
    ("sxdg", 3): "c3sqrtxdg", ("p", 1): "cp", ("rx", 1): "crx", ("ry", 1): "cry", ("rz", 1): "crz", ("u", 1): "cu3",
    ("swap", 1): "cswap", ("gphase", 1): "p",
}  # fmt: skip
_BASES = {row: (base, count) for (base, count), row in _NAMES.items() if row != "p"}
#: (controls, base) of two-qubit gates with a usual circuit, and its CX.
_USUAL = {
    **{(1, base): 2 for base in ("s", "sdg", "t", "sx", "sxdg", "p", "rx", "ry", "rz", "u", "cu")},
    **{(0, name): 2 for name in ("rxx", "ryy", "rzz", "rzx", "dcx")},
    (0, "swap"): 3,
}
_EYE: Matrix = np.eye(2, dtype=np.complex128)
#: Ranges that ion traps take a rotation's angle in.
_SMALL = ("rxx", "ryy", "rzz", "rzx")


def rebase(circuit: Circuit, gates: Iterable[str], *, small_angles: bool = False, merge: bool = True) -> Circuit:
    """The circuit in these gates alone: the same unitary to rounding, global phase included.

    Definitions, powers and matrices are expanded. Measurements, resets, barriers, delays and branches stay where they are,
    and the bodies of branches are rebased too. Every gate of the result is a row of the gate table or one of `gpi`, `gpi2`
    and `ms` (`native_gate`), all in radians and without modifiers.

    Args:
        circuit: with numbers for all parameters.
        gates: names, this package's or a vendor's (`canonical_name`).
        small_angles: two-qubit rotations have angles in (0, pi/2], as ion traps take them, and r(theta, phi) has theta in
            [0, pi] and phi in [0, 2 pi).
        merge: put runs of one-qubit gates, and neighbouring gates on the same two qubits, together where that makes them
            fewer; False keeps each gate that the target takes.

    Raises:
        GateSetError: the gates do not make what the circuit needs, or a gate's angles are known while it runs only.
        SessionError: a parameter has no value yet.

    >>> bell = Circuit(2).h(0).cx(0, 1)
    >>> made = rebase(bell, {"rz", "sx", "x", "cz"})
    >>> sorted(made.count_ops())
    ['cz', 'rz', 'sx']
    >>> from qsim import Simulator
    >>> bool(np.allclose(Simulator().unitary(made), Simulator().unitary(bell)))
    True
    """
    chosen = gate_set(gates)
    phase = circuit.global_phase
    if isinstance(phase, Expression):
        names = ", ".join(parameter.name for parameter in phase.parameters)
        raise GateSetError(
            f"The global phase has no number yet for {names}. Bind the circuit first: circuit.bind({{...}})."
        )
    return _rebased(chosen, circuit, small_angles, merge)


def _rebased(gates: GateSet, circuit: Circuit, small_angles: bool, merge: bool) -> Circuit:
    made = _Rebaser(gates, circuit, small_angles, merge).run(circuit)
    if not merge or sum(len(i.qubits) == 2 and isinstance(i.operation, Gate) for i in made) < 2:
        return made
    again = _Rebaser(gates, made, small_angles, merge)
    return again.gathered(made)


def can_make(gate: Gate, gates: GateSet, num_qubits: int) -> str:
    """Why a gate cannot be written in a target's gates; empty when it can. Angles need no values.

    >>> can_make(Gate("h"), gate_set(["rz", "cx"]), 1)
    'its gates (cx, rz) do not make every one-qubit gate.'
    """
    entangles = bool(gates.rotations) or _two_qubit(gates).has_cx
    if num_qubits > 1 and not entangles:
        return f"none of its gates ({gates.text()}) entangles two qubits."
    if not gates.one_qubit:
        return f"its gates ({gates.text()}) do not make every one-qubit gate."
    return ""


@lru_cache(maxsize=64)
def _two_qubit(gates: GateSet) -> TwoQubit:
    return TwoQubit(gates)


class _Run:
    """One-qubit gates that wait: their product, and themselves while the target takes all of them."""

    __slots__ = ("kept", "matrix")

    def __init__(self) -> None:
        self.matrix: Matrix = _EYE
        self.kept: list[Turn] | None = []


class _Rebaser:
    """Rebases one circuit; a `controls.Sink`."""

    def __init__(self, gates: GateSet, circuit: Circuit, small_angles: bool, merge: bool) -> None:
        self.gates, self.small, self.merge = gates, small_angles, merge
        self.synthesis = _two_qubit(gates)
        self.num_qubits = circuit.num_qubits
        self.out = circuit.block()
        self.runs: dict[int, _Run] = {}
        self.pieces: dict[Any, Piece] = {}
        self.turns: dict[bytes, tuple[list[Turn], float]] = {}
        self.costs: dict[Any, int] = {}
        self.matrices: dict[tuple[str, tuple[Any, ...]], Matrix] = {}
        self.angle = 0.0

    def run(self, circuit: Circuit) -> Circuit:
        """The circuit in the target's gates."""
        phase = circuit.global_phase
        assert not isinstance(phase, Expression)
        self.phase(phase)
        for number, instruction in enumerate(circuit):
            try:
                self.instruction(instruction)
            except GateSetError as error:
                error.operation = number if error.operation is None else error.operation
                raise
        self.flush(range(self.num_qubits))
        self.out.global_phase = self.angle
        return self.out

    def gathered(self, made: Circuit) -> Circuit:
        """A circuit in the target's gates once more, with neighbours on the same qubits put together."""
        assert not isinstance(made.global_phase, Expression)
        self.phase(made.global_phase)
        gather(made, self, self.gate_matrix)
        self.flush(range(self.num_qubits))
        self.out.global_phase = self.angle
        return self.out

    def in_fewer(self, matrix: Matrix, qubits: Sequence[int], entangling: int) -> bool:
        """A two-qubit unitary, if it takes fewer entangling gates than that; else nothing, and False."""
        if self.cost(matrix.tobytes(), lambda: matrix) >= entangling:
            return False
        self.two(matrix, qubits)
        return True

    def cost(self, key: Any, make: Any) -> int:
        """How many of the target's two-qubit gates a unitary takes; kept, as `key`."""
        known = self.costs.get(key)
        if known is None:
            known = self.costs[key] = self.synthesis.cost(make())
        return known

    def gate_matrix(self, gate: Gate) -> Matrix:
        """The matrix of one of the target's gates; kept, because there are few."""
        key = (gate.name, gate.params)
        known = self.matrices.get(key)
        if known is None:
            known = self.matrices[key] = gate.matrix()
        return known

    def instruction(self, instruction: Instruction) -> None:
        """One operation of any kind."""
        operation = instruction.operation
        if isinstance(operation, Gate):
            for flat in flat_gates(operation, instruction.qubits):
                self.flat(flat)
            return
        if isinstance(operation, (Measure, Reset, Barrier, Delay)):
            self.flush(instruction.qubits)
        else:
            self.flush(range(self.num_qubits))
            operation = self.branch(operation)
        self.out._append(operation, instruction.qubits, instruction.clbits)

    def branch(self, node: FeedForward) -> FeedForward:
        """A feed-forward node with its bodies rebased."""
        if isinstance(node, WithValues):
            raise GateSetError(
                "A gate whose angle is measured while the circuit runs cannot be written in a target's gates before it does."
            )
        return rebuilt(node, lambda body: _rebased(self.gates, body, self.small, self.merge))

    # gates --------------------------------------------------------------------------------------------------
    def flat(self, gate: FlatGate) -> None:
        """A base under controls; what must be 0 is turned before and after."""
        zeros = [qubit for qubit, value in zip(gate.qubits, gate.controls, strict=False) if not value]
        for qubit in zeros:
            self.named("x", (qubit,))
        if gate.row is None:
            self.matrix(gate)
        else:
            base, own = _BASES.get(gate.row.name, (gate.row.name, gate.row.controls))
            self.base(GATES.get(base, gate.row), gate, len(gate.controls) + own)
        for qubit in zeros:
            self.named("x", (qubit,))

    def base(self, base: GateRow, gate: FlatGate, count: int) -> None:
        """A row without controls of its own (or, as `cu`, whose name says nothing without them) under `count` controls."""
        assert gate.row is not None
        name, qubits, params = base.name, gate.qubits, gate.params
        joined = _NAMES.get((name, count), name if not count else gate.row.name if not gate.controls else "")
        if joined in self.gates.names and len(qubits) > 1 and self.keeps(joined, params):
            self.emit(joined, params, qubits)
            return
        targets = qubits[count:]
        if len(qubits) == 1:
            self.single(joined or name, params, qubits[0])
        elif not qubits:
            self.phase(params[0])
        elif not targets:
            many.controlled_phase(self, params[0], qubits)
        elif len(qubits) == 2 and not (self.spells_out(name, count) and self.spell_out(gate, name, count)):
            self.pair((name, params, count), lambda: self.full(gate, count), qubits, f"Gate '{joined or name}'")
        elif len(qubits) == 2:
            return
        elif len(targets) == 1:
            many.controlled_unitary(self, gate.row.base_matrix(*params), qubits[:count], targets[0])
        else:
            for row, angles, on in expansion(name, params, qubits[:count], targets):
                self.flat(FlatGate(GATES[row], angles, (1,) * (len(on) - GATES[row].num_qubits), on))

    def spells_out(self, name: str, count: int) -> bool:
        """Whether a two-qubit gate has a usual circuit of CX, with simpler one-qubit gates than the general one."""
        return not self.gates.rotations and self.synthesis.cx_cost == 1 and (count, name) in _USUAL

    def spell_out(self, gate: FlatGate, name: str, count: int) -> bool:
        """The usual circuit of a two-qubit gate; False where the general one has fewer CX, and nothing has been done."""
        assert gate.row is not None
        if self.cost((name, gate.params, count), lambda: self.full(gate, count)) < _USUAL[count, name]:
            return False
        if count:
            many.controlled_unitary(self, gate.row.base_matrix(*gate.params), gate.qubits[:1], gate.qubits[1])
        else:
            for row, angles, on in expansion(name, gate.params, (), gate.qubits):
                self.flat(FlatGate(GATES[row], angles, (), on))
        return True

    def keeps(self, name: str, params: Sequence[float]) -> bool:
        """Whether the target takes a gate with these angles."""
        return not (self.small and name in _SMALL) or 0 < params[0] <= math.pi / 2

    def full(self, gate: FlatGate, count: int) -> Matrix:
        """The matrix of a gate on two qubits."""
        assert gate.row is not None
        return controlled_matrix(gate.row.base_matrix(*gate.params), (1,) * count)

    def matrix(self, gate: FlatGate) -> None:
        """A matrix under controls."""
        assert gate.matrix is not None
        width = len(gate.matrix).bit_length() - 1
        count = len(gate.qubits) - width
        if not width:
            many.controlled_phase(self, float(np.angle(gate.matrix[0, 0])), gate.qubits)
        elif len(gate.qubits) == 1:
            self.one(gate.matrix, gate.qubits[0])
        elif len(gate.qubits) == 2:
            self.two(controlled_matrix(gate.matrix, (1,) * count), gate.qubits)
        elif width == 1:
            many.controlled_unitary(self, gate.matrix, gate.qubits[:count], gate.qubits[-1])
        elif count:
            unitaries.controlled(self, gate.matrix, gate.qubits[:count], gate.qubits[count:])
        else:
            unitaries.unitary(self, gate.matrix, gate.qubits)

    # the sink -----------------------------------------------------------------------------------------------
    def phase(self, angle: float) -> None:
        """A global phase; kept small, because what rounding takes of a large sum adds up."""
        self.angle = math.remainder(self.angle + angle, 2 * math.pi)

    def takes(self, name: str) -> bool:
        """Whether a table gate goes out as it is."""
        return name in self.gates.names

    def named(self, name: str, qubits: Sequence[int]) -> None:
        """A table gate without parameters."""
        row = GATES[name]
        base, own = _BASES.get(name, (name, 0))
        self.base(GATES[base], FlatGate(row, (), (), tuple(qubits)), own)

    def one(self, matrix: Matrix, qubit: int) -> None:
        """A one-qubit unitary, into the run that waits on its qubit."""
        run = self.waiting(qubit, False)
        run.matrix = matrix @ run.matrix
        run.kept = None

    def two(self, matrix: Matrix, qubits: Sequence[int]) -> None:
        """A two-qubit unitary; the first qubit is the least significant bit."""
        self.pair(matrix.tobytes(), lambda: matrix, qubits, "A unitary of two qubits")

    def single(self, name: str, params: tuple[float, ...], qubit: int) -> None:
        """A one-qubit gate with a name."""
        plain = name in self.gates.names and not (self.small and name == "r")
        if name in ("id", "u0") and not plain:
            return
        run = self.waiting(qubit, plain)
        run.matrix = GATES[name].matrix(*params) @ run.matrix
        if not plain:
            run.kept = None
        elif run.kept is not None:
            run.kept.append((name, params))

    def waiting(self, qubit: int, plain: bool) -> _Run:
        """The run of a qubit; without merging, gates that the target takes and others have runs of their own."""
        run = self.runs.setdefault(qubit, _Run())
        if not self.merge and run.kept != [] and (run.kept is not None) != plain:
            self.flush((qubit,))
            run = self.runs[qubit] = _Run()
        return run

    def pair(self, key: Any, make: Any, qubits: Sequence[int], what: str) -> None:
        """A two-qubit unitary; `key` stands for it."""
        piece = self.pieces.get(key)
        if piece is None:
            piece = self.pieces[key] = self.synthesis.synthesize(make(), what)
        self.phase(piece.phase)
        for step in piece.steps:
            if step.matrix is not None:
                self.one(step.matrix, qubits[step.places[0]])
            else:
                self.emit(step.name, step.angles, [qubits[k] for k in step.places])

    # out ----------------------------------------------------------------------------------------------------
    def emit(self, name: str, angles: Sequence[float], qubits: Sequence[int]) -> None:
        """A gate of the target, after what waits on its qubits."""
        self.flush(qubits)
        self.out._append(make_gate(name, angles), tuple(qubits), ())

    def flush(self, qubits: Iterable[int]) -> None:
        """Write what waits on some qubits."""
        for qubit in qubits:
            run = self.runs.pop(qubit, None)
            if run is None:
                continue
            if run.kept is not None and (not self.merge or len(run.kept) <= 1):
                steps, phase = run.kept, None
            else:
                steps, phase = self.shortest(run.matrix)
                if run.kept is not None and len(run.kept) <= len(steps):
                    steps, phase = run.kept, None
            self.phase(phase or 0.0)
            for name, angles in steps:
                self.out._append(make_gate(name, angles), (qubit,), ())

    def shortest(self, matrix: Matrix) -> tuple[list[Turn], float]:
        """The shortest sequence for a one-qubit unitary, and the phase by which it falls short of it."""
        key = matrix.tobytes()
        known = self.turns.get(key)
        if known is None:
            if len(self.turns) > 10_000:
                self.turns.clear()
            known = self.turns[key] = self.find_shortest(matrix)
        return known

    def find_shortest(self, matrix: Matrix) -> tuple[list[Turn], float]:
        scalar = matrix[0, 0] / abs(matrix[0, 0]) if abs(matrix[0, 0]) > 0.5 else 1.0
        if np.abs(matrix - scalar * _EYE).max() < ZERO:
            return [], float(np.angle(scalar))
        for name, fixed in self.gates.fixed_one_qubit:
            phase = phase_between(matrix, fixed)
            if np.abs(matrix - np.exp(1j * phase) * fixed).max() < ZERO:
                return [(name, ())], phase
        if not self.gates.one_qubit:
            raise self.gates.no_one_qubit("A one-qubit gate")
        steps = min((recipe(matrix) for recipe in self.gates.one_qubit), key=len)
        made = _EYE
        for name, angles in steps:
            made = make_gate(name, angles).matrix() @ made
        return steps, phase_between(matrix, made)
