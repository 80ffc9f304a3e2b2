"""Random nestings of blocks, compared with dense matrices: control, invert, power, within_apply and conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Gate, Simulator
from session import Output, QArray, QBit, allocate, control, invert, power, qfunc, repeat, synthesize, within_apply
from session.builder.gates import GATE_FUNCTIONS

QUBITS = 4
ONE = ["X", "H", "S", "T", "SX", "RX", "RZ", "PHASE", "U"]
TWO = ["CX", "SWAP", "RXX", "CPHASE", "ISWAP"]

angles = st.floats(-3, 3).map(lambda a: round(a, 3))


@st.composite
def blocks(draw: Any, free: tuple[int, ...] = tuple(range(QUBITS)), depth: int = 3) -> Any:
    """A list of statements on the qubits that are free."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        kinds = ["gate", "gate"] + (["invert", "power", "within", "repeat"] if depth else [])
        kinds += ["control", "condition", "else"] if depth and len(free) > 1 else []
        kind = draw(st.sampled_from(kinds))
        if kind == "gate":
            name = draw(st.sampled_from(ONE + (TWO if len(free) > 1 else [])))
            count = 1 if name in ONE else 2
            qubits = draw(st.permutations(free))[:count]
            made.append((kind, name, [draw(angles) for _ in GATE_FUNCTIONS[name]._angles], qubits))
        elif kind in ("control", "condition", "else"):
            controls = draw(st.permutations(free))[: draw(st.integers(1, min(2, len(free) - 1)))]
            left = tuple(q for q in free if q not in controls)
            value = (1 << len(controls)) - 1 if kind == "control" else draw(st.integers(0, (1 << len(controls)) - 1))
            other = draw(blocks(left, depth - 1)) if kind == "else" else None
            made.append((kind, controls, value, draw(st.booleans()), draw(blocks(left, depth - 1)), other))
        elif kind == "within":
            made.append((kind, draw(blocks(free, 0)), draw(blocks(free, depth - 1))))
        else:
            made.append((kind, draw(st.integers(-2, 3)), draw(blocks(free, depth - 1))))
    return made


def trace(statements: Any, q: Any) -> None:
    """The statements, written with the builder."""
    for kind, *rest in statements:
        if kind == "gate":
            name, values, qubits = rest
            GATE_FUNCTIONS[name](*values, [q[k] for k in qubits])
        elif kind in ("control", "condition", "else"):
            controls, value, equal, body, other = rest
            subject = [q[k] for k in controls]
            if kind == "control":
                control(subject, lambda body=body: trace(body, q))
                continue
            within_one = [bool(value >> k & 1) for k in range(len(controls))]
            if len(controls) == 1:
                condition = subject[0] == value if equal else subject[0] != value
                orelse = None if other is None else lambda other=other: trace(other, q)
                control(condition, lambda body=body: trace(body, q), orelse)
            else:  # two scattered qubits: control on the first, and inside on the second
                control(
                    subject[0] == int(within_one[0]),
                    lambda: control(subject[1] == int(within_one[1]), lambda: trace(body, q)),  # noqa: B023
                )
        elif kind == "invert":
            invert(lambda body=rest[1]: trace(body, q))
        elif kind == "power":
            power(rest[0], lambda body=rest[1]: trace(body, q))
        elif kind == "repeat":
            repeat(max(rest[0], 0), lambda _, body=rest[1]: trace(body, q))
        else:
            within_apply(lambda body=rest[0]: trace(body, q), lambda body=rest[1]: trace(body, q))


def embedded(matrix: Any, qubits: Any) -> Any:
    """A matrix on some qubits as one on all of them; the first is its least significant."""
    full = np.zeros((1 << QUBITS,) * 2, dtype=complex)
    mask = sum(1 << q for q in qubits)
    for column in range(1 << QUBITS):
        inner = sum((column >> q & 1) << k for k, q in enumerate(qubits))
        for row in range(1 << len(qubits)):
            place = column & ~mask | sum((row >> k & 1) << q for k, q in enumerate(qubits))
            full[place, column] += matrix[row, inner]
    return full


def projector(controls: Any, value: int) -> Any:
    holds = [all((basis >> q & 1) == (value >> k & 1) for k, q in enumerate(controls)) for basis in range(1 << QUBITS)]
    return np.diag(np.array(holds, dtype=complex))


def dense(statements: Any) -> Any:
    """The statements as a matrix."""
    total = np.eye(1 << QUBITS, dtype=complex)
    for kind, *rest in statements:
        if kind == "gate":
            name, values, qubits = rest
            gate, phase = GATE_FUNCTIONS[name]._gate, 1.0
            if name == "U":
                phase, values = np.exp(1j * values[3]), values[:3]
            step = phase * embedded(Gate(gate, *values).matrix(), qubits)
        elif kind in ("control", "condition", "else"):
            controls, value, equal, body, other = rest
            if kind == "control" or len(controls) == 2:
                equal, other = True, None
            holds = projector(controls, value)
            elsewhere = np.eye(1 << QUBITS) - holds
            if not equal:
                holds, elsewhere = elsewhere, holds
            step = holds @ dense(body) + elsewhere @ (np.eye(1 << QUBITS) if other is None else dense(other))
        elif kind == "invert":
            step = dense(rest[1]).conj().T
        elif kind == "within":
            first = dense(rest[0])
            step = first.conj().T @ dense(rest[1]) @ first
        else:
            step = np.linalg.matrix_power(dense(rest[1]), max(rest[0], 0) if kind == "repeat" else rest[0])
        total = step @ total
    return total


@given(blocks())
@settings(max_examples=60)
def test_blocks_are_their_matrices(statements: Any) -> None:
    @qfunc
    def main(q: Output[QArray[QBit, QUBITS]]) -> None:
        allocate(q)
        trace(statements, q)

    found = Simulator().unitary(synthesize(main).circuit)
    np.testing.assert_allclose(found, dense(statements), atol=1e-10)
