"""Which gates are Clifford, and as which simple ones they can be written. Nothing here needs stim.

A gate is Clifford when it takes every Pauli to a Pauli. That is checked on its matrix, once for each distinct gate, so
it does not matter how the gate is written: by name, with modifiers, as a rotation, a definition or a matrix.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from qsim.circuit import GATE_OBJECT, ROW, Circuit
from qsim.compiler.lowering import MATRIX, Lowered, lower_gate
from qsim.errors import CircuitError, QsimError
from qsim.gates import GATES, Gate, row_by_code
from qsim.linalg import controlled_matrix

ComplexMatrix = npt.NDArray[np.complex128]

#: How far an entry of U P U^dagger may be from a Pauli's. A gate that is off by d changes every probability of a circuit
#: by at most 2 d, so that 100,000 of them stay invisible below 10^7 shots; angles written with ten digits pass.
TOLERANCE = 1e-9
#: Definitions and matrices on more qubits are not looked at as a whole.
MAX_QUBITS = 6

#: Simple gates by number; their operands are local qubits of the gate that they make up.
H, S, S_DAG, SQRT_X, SQRT_X_DAG, X, Y, Z, CX, CZ, SWAP = range(11)
STIM_NAMES = ("H", "S", "S_DAG", "SQRT_X", "SQRT_X_DAG", "X", "Y", "Z", "CX", "CZ", "SWAP")
PAULIS = frozenset((X, Y, Z))
_TABLE: dict[str, tuple[tuple[int, int, int], ...]] = {
    "id": (), "u0": (), "gphase": (), "h": ((H, 0, 0),), "s": ((S, 0, 0),), "sdg": ((S_DAG, 0, 0),),
    "sx": ((SQRT_X, 0, 0),), "sxdg": ((SQRT_X_DAG, 0, 0),), "x": ((X, 0, 0),), "y": ((Y, 0, 0),), "z": ((Z, 0, 0),),
    "cx": ((CX, 0, 1),), "cz": ((CZ, 0, 1),), "cy": ((S_DAG, 1, 1), (CX, 0, 1), (S, 1, 1)), "swap": ((SWAP, 0, 1),),
}  # fmt: skip

#: Simple gates: (gate, first local qubit, second local qubit or the first again).
Ops = tuple[tuple[int, int, int], ...]


class Image(NamedTuple):
    """A Pauli product with a sign: where a gate takes a generator."""

    x_mask: int
    z_mask: int
    negative: bool


class NotClifford(QsimError):
    """A gate that a stabiliser engine cannot run; the message names it and its place."""


class Recognizer:
    """Turns the gates of circuits into simple Clifford gates, remembering what it has seen.

    >>> recognizer = Recognizer()
    >>> circuit = Circuit(2).rz(np.pi / 2, 0).t(1)
    >>> recognizer.operations(circuit, 0), recognizer.operations(circuit, 1)
    (((1, 0, 0),), None)
    """

    def __init__(self) -> None:
        self._rows: dict[Any, Ops | None] = {}
        for name, ops in _TABLE.items():
            self._rows[GATES[name].code, 0, 0] = ops
        #: Codes of gates that are in the table as they stand.
        self.plain = {GATES[name].code: ops for name, ops in _TABLE.items()}
        self._gates: dict[int, tuple[Gate, Ops | None]] = {}  # by identity; the gate is kept so that it stays its own

    def operations(self, circuit: Circuit, index: int) -> Ops | None:
        """Operation `index`, a gate without parameters, as simple gates on its own qubits; None if it is not Clifford."""
        code, _, _, first, controls, bits = circuit._rows[index * ROW : index * ROW + ROW]
        if code != GATE_OBJECT:
            count = row_by_code(code).num_params
            key = (code, controls, bits, *circuit._values[first : first + count]) if count else (code, controls, bits)
            found = self._rows.get(key, 0)
            if found == 0:
                found = self._rows[key] = self._row(code, circuit._values[first : first + count], controls, bits)
            return found  # type: ignore[return-value]
        gate = circuit._objects[first]
        assert isinstance(gate, Gate)
        known = self._gates.get(id(gate))
        if known is None:
            known = self._gates[id(gate)] = (gate, self._object(gate))
        return known[1]

    def _row(self, code: int, values: Sequence[float], controls: int, bits: int) -> Ops | None:
        row = row_by_code(code)
        base = row.base_matrix(*values)
        return _controlled(base, tuple((bits >> k) & 1 for k in range(controls)) + (1,) * row.controls)

    def _object(self, gate: Gate) -> Ops | None:
        """A gate with modifiers, a definition or a matrix: gate by gate, or else as one matrix."""
        try:
            lowered = lower_gate(gate)
        except QsimError:
            return None
        result = self._lowered(lowered)
        if result is None and gate.num_qubits <= MAX_QUBITS and len(lowered.rows) <= 1000 and not gate.is_symbolic:
            result = _whole(gate.matrix())
        return result

    def _lowered(self, lowered: Lowered) -> Ops | None:
        result: list[tuple[int, int, int]] = []
        for code, first, count, value, controls, bits in lowered.rows.tolist():
            if code == MATRIX:
                values = tuple((bits >> k) & 1 for k in range(controls))
                ops = _controlled(lowered.matrices[value], values)
            else:
                params = tuple(lowered.values[value : value + row_by_code(code).num_params].tolist())
                key = (code, controls, bits, *params)
                if key not in self._rows:
                    self._rows[key] = self._row(code, params, controls, bits)
                ops = self._rows[key]
            if ops is None:
                return None
            qubits = lowered.operands[first : first + count].tolist()
            result.extend((op, qubits[a], qubits[b]) for op, a, b in ops)
        return tuple(result)


def describe_gate(circuit: Circuit, index: int) -> str:
    """A gate and its place, for messages.

    >>> describe_gate(Circuit(2).h(0).cp(0.1, 0, 1), 1)
    "operation 1, 'cp(0.1)' on qubits 0, 1"
    """
    instruction = circuit[index]
    gate = instruction.operation
    assert isinstance(gate, Gate)
    name = "ctrl @ " * len(gate.controls) + gate.name + (f"({', '.join(map(str, gate.params))})" if gate.params else "")
    name = f"pow({gate.powers[0]:g}) @ {name}" if gate.powers else name
    shown = ", ".join(map(str, instruction.qubits[:6])) + (", …" if len(instruction.qubits) > 6 else "")
    return f"operation {index}, '{name}' on qubit{'s' * (len(instruction.qubits) > 1)} {shown}"


def images(matrix: ComplexMatrix) -> list[Image] | None:
    """Where a unitary takes X of qubits 0, 1, ... and then Z of them, or None if one of these is no Pauli product.

    >>> images(np.diag([1, 1j]))  # S: X to Y, Z to Z
    [Image(x_mask=1, z_mask=1, negative=False), Image(x_mask=0, z_mask=1, negative=False)]
    """
    size = len(matrix)
    index, adjoint = np.arange(size), matrix.conj().T
    found = []
    for is_x in (True, False):
        for qubit in range(size.bit_length() - 1):
            bit = 1 << qubit
            moved = matrix[:, index ^ bit] if is_x else matrix * np.where(index & bit, -1, 1)
            image = _as_pauli(moved @ adjoint)
            if image is None:
                return None
            found.append(image)
    return found


def _as_pauli(matrix: ComplexMatrix) -> Image | None:
    """The Pauli product that a matrix is: i**|x & z| X**x Z**z takes k to k ^ x with the sign of the parity of k & z."""
    size = len(matrix)
    index = np.arange(size)
    x_mask = int(np.argmax(np.abs(matrix[:, 0])))
    entries = matrix[index ^ x_mask, index]
    first = entries[0]
    z_mask = sum(1 << k for k in range(size.bit_length() - 1) if (entries[1 << k] * np.conj(first)).real < 0)
    unit = 1j ** ((x_mask & z_mask).bit_count() % 4)
    sign = (first / unit).real
    signs = np.array([-1.0 if (int(k) & z_mask).bit_count() & 1 else 1.0 for k in index])
    expected = np.zeros_like(matrix)
    expected[index ^ x_mask, index] = (unit if sign > 0 else -unit) * signs
    if not np.abs(matrix - expected).max() <= TOLERANCE:
        return None
    return Image(x_mask, z_mask, bool(sign < 0))


def _controlled(base: ComplexMatrix, values: tuple[int, ...]) -> Ops | None:
    """A matrix under controls.

    Two controls or more leave a Clifford gate only when the base is a phase, which is then a phase gate on the controls:
    1 always, -1 on two of them. (C C U takes X of a control to itself times C U, up to signs, which would have to be a
    Pauli.)
    """
    if len(values) < 2:
        if len(base) > 1 << MAX_QUBITS - len(values):
            return None
        return _whole(controlled_matrix(base, values))
    phase = complex(base[0, 0])
    if np.abs(base - phase * np.eye(len(base))).max() > TOLERANCE:
        return None
    if abs(phase - 1) <= TOLERANCE:
        return ()
    if abs(phase + 1) > TOLERANCE or len(values) > 2:
        return None
    flips = tuple((X, k, k) for k, value in enumerate(values) if not value)
    return (*flips, (CZ, 0, 1), *flips)


def _whole(matrix: ComplexMatrix) -> Ops | None:
    found = images(matrix)
    if found is None:
        return None
    return _named().get(tuple(found)) or synthesize(found)


@functools.cache
def _named() -> dict[tuple[Image, ...], Ops]:
    """The gates of the table by what they do, so that a rotation by a quarter is one gate."""
    rows = [(GATES[name].matrix(), ops) for name, ops in _TABLE.items() if name not in ("gphase", "u0")]
    return {tuple(images(matrix) or ()): ops for matrix, ops in rows}


def synthesize(found: Sequence[Image]) -> Ops:
    """Simple gates that take the generators there, in the order in which they are applied.

    The tableau is reduced to the identity by Gaussian elimination (Aaronson and Gottesman, Phys. Rev. A 70, 052328,
    section VI), and the gates undone in reverse.

    >>> synthesize([Image(0, 1, False), Image(1, 0, False)])
    ((0, 0, 0),)
    """
    count = len(found) // 2
    rows = [list(image) for image in found]
    done: list[tuple[int, int, int]] = []

    def apply(op: int, a: int, b: int) -> None:
        done.append((op, a, b))
        for row in rows:
            _conjugate(row, op, a, b)

    for q in range(count):
        _clear(rows[q], q, count, apply)  # X_q's image becomes X_q
        image = rows[count + q]  # anticommutes with X_q: has a Z there
        if image[0] or image[1] != 1 << q:
            apply(H, q, q)  # now Z_q, and the other begins with X on q
            _clear(rows[count + q], q, count, apply)
            apply(H, q, q)
    for q in range(count):
        if rows[q][2]:
            apply(Z, q, q)
        if rows[count + q][2]:
            apply(X, q, q)
    inverse = {S: S_DAG, S_DAG: S, SQRT_X: SQRT_X_DAG, SQRT_X_DAG: SQRT_X}
    return tuple((inverse.get(op, op), a, b) for op, a, b in reversed(done))


def _clear(row: list[Any], q: int, count: int, apply: Any) -> None:
    """Turn a row's Pauli into X on qubit q by gates on qubits q and above; Z_q, if it is another row, stays Z_q."""
    for k in range(q, count):
        if row[1] >> k & 1:
            apply(S if row[0] >> k & 1 else H, k, k)
    if not row[0] >> q & 1:
        other = next(k for k in range(q + 1, count) if row[0] >> k & 1)
        apply(SWAP, q, other)
    for k in range(q + 1, count):
        if row[0] >> k & 1:
            apply(CX, q, k)


def _conjugate(row: list[Any], op: int, a: int, b: int) -> None:
    """Apply a simple gate to a Pauli product [x mask, z mask, negative], in place."""
    xa, za, xb, zb = row[0] >> a & 1, row[1] >> a & 1, row[0] >> b & 1, row[1] >> b & 1
    if op == H:
        row[2] ^= bool(xa & za)
        row[0] ^= (xa ^ za) << a
        row[1] ^= (xa ^ za) << a
    elif op in (S, S_DAG):
        row[2] ^= bool(xa & za) if op == S else bool(xa & (za ^ 1))
        row[1] ^= xa << a
    elif op in (SQRT_X, SQRT_X_DAG):
        row[2] ^= bool(za & (xa ^ 1)) if op == SQRT_X else bool(za & xa)
        row[0] ^= za << a
    elif op == CX:
        row[2] ^= bool(xa & zb & (xb ^ za ^ 1))
        row[0] ^= xa << b
        row[1] ^= zb << a
    elif op == CZ:
        row[2] ^= bool(xa & xb & (za ^ zb))
        row[1] ^= (xb << a) ^ (xa << b)
    elif op == SWAP:
        row[0] ^= (xa ^ xb) << a ^ (xa ^ xb) << b
        row[1] ^= (za ^ zb) << a ^ (za ^ zb) << b
    else:
        row[2] ^= bool((za if op in (X, Y) else 0) ^ (xa if op in (Y, Z) else 0))


def check_numbers(circuit: Circuit) -> None:
    """Raise when a circuit has parameters that have no numbers yet."""
    if circuit.parameters:
        names = ", ".join(p.name for p in circuit.parameters[:5])
        raise CircuitError(f"Whether a circuit is Clifford depends on its parameters {names}: bind them first.")
