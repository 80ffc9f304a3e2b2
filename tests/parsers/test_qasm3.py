"""Each construct of OpenQASM 3 against the circuit it stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from parsers import loads
from qsim.circuit import Circuit, Measure
from qsim.classical import Assign, Bits, Break, ClassicalOperation, IfElse, Literal, Switch, WhileLoop
from qsim.gates import Gate
from qsim.linalg import apply_matrix
from qsim.parameters import Parameter

pytestmark = pytest.mark.filterwarnings("ignore::parsers.QasmWarning")

HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def unitary(circuit: Circuit) -> np.ndarray:
    """The matrix of a circuit of gates, with its global phase."""
    size = circuit.num_qubits
    result = np.exp(1j * circuit.global_phase) * np.eye(1 << size, dtype=np.complex128)
    for instruction in circuit:
        assert isinstance(instruction.operation, Gate), instruction
        result = apply_matrix(result, instruction.operation.matrix(), instruction.qubits, size)
    return result


C = Circuit
CASES = [
    ("qubit[2] q; cx q[0], q[1]; h q;", C(2).cx(0, 1).h([0, 1])),
    ("qubit[2] q; qubit a; cx q, a;", C(3).cx(0, 2).cx(1, 2)),
    ("qubit q; U(0.3, 0.2, 0.1) q;", C(1).append("U", [0], 0.3, 0.2, 0.1)),
    ("qubit q; gphase(0.3);", C(1).gphase(0.3)),
    ("qubit q; ctrl @ gphase(0.3) q;", C(1).p(0.3, 0)),
    (
        "qubit[2] q; u2(0.1, 0.2) q[0]; u3(0.1, 0.2, 0.3) q[1];",
        C(2).append("u2_su2", [0], 0.1, 0.2).append("u3_su2", [1], 0.1, 0.2, 0.3),
    ),
    ("qubit[3] q; ctrl @ negctrl @ x q[0], q[1], q[2];", C(3).append(Gate("x").control(1, 0).control(), [0, 1, 2])),
    ("qubit[3] q; ctrl(2) @ z q[0], q[1], q[2];", C(3).ccz(0, 1, 2)),
    ("const int n = 2; qubit[3] q; negctrl(n) @ x q[2], q[0], q[1];", C(3).append(Gate("x").control(2, 0), [2, 0, 1])),
    (
        "qubit q; inv @ s q; pow(0.5) @ x q; pow(-2) @ t q;",
        C(1).sdg(0).append(Gate("x").power(0.5), [0]).append(Gate("t").power(-2), [0]),
    ),
    ("qubit[2] q; inv @ ctrl @ sx q[0], q[1];", C(2).append(Gate("sx").inverse().control(), [0, 1])),
    (
        "qubit[2] q; gate g(t) a, b { rx(t / 2) a; gphase(t); for int i in [0:1] { cx a, b; h b; } } ctrl @ g(0.4) q[0], q[1], r; qubit r;",
        None,
    ),
    ("qubit[2] q; gate g(t) a { gphase(t); x a; } ctrl @ g(0.4) q[0], q[1];", C(2).p(0.4, 0).cx(0, 1)),
    ("qubit[5] q; let a = q[1:2:-1]; x a;", C(5).x([1, 3])),
    ("qubit[5] q; let a = q[{0, 4}] ++ q[2:2]; let b = a[-1]; z a; x b;", C(5).z([0, 4, 2]).x(2)),
    ("qubit[4] q; let r = q[-1:-1:0]; cx r[0], r[3];", C(4).cx(3, 0)),
    ("qubit q; rx(1/2*pi) q; ry(pi*1/2) q; rz(2**3 + 7 % 4) q;", C(1).rx(0, 0).ry(math.pi / 2, 0).rz(11, 0)),
    ("qubit q; rx(-2**2) q; ry(2^3) q; rz(2**3**0) q;", C(1).rx(-4, 0).ry(1, 0).rz(2, 0)),
    ("qubit q; rx(-π) q; ry(τ/4) q; rz(ℇ) q;", C(1).rx(-math.pi, 0).ry(math.pi / 2, 0).rz(math.e, 0)),
    ("qubit q; uint[4] n = 15; n += 2; int m = -7 / 2; rx(n) q; ry(m) q;", C(1).rx(1, 0).ry(-3, 0)),
    ("qubit q; int[4] n = 7; n += 1; rx(n) q;", C(1).rx(-8, 0)),
    (
        'qubit q; rx(sin(0.3) + arccos(0.1)) q; ry(mod(7, 4) + popcount("1011")) q;',
        C(1).rx(math.sin(0.3) + math.acos(0.1), 0).ry(6, 0),
    ),
    ("qubit q; uint[8] a = 129; rx(rotl(a, 1)) q; ry(rotr(a, 1)) q; rz(a >> 3) q;", C(1).rx(3, 0).ry(192, 0).rz(16, 0)),
    ("qubit[3] q; for uint i in [0:2:2] { x q[i]; } for int i in {1, 2} h q[i];", C(3).x([0, 2]).h([1, 2])),
    (
        "qubit[2] q; array[float, 2] a = {0.1, 0.2}; for float t in a { rx(t) q[0]; } a[1] += 1; ry(a[-1]) q[1];",
        C(2).rx(0.1, 0).rx(0.2, 0).ry(1.2, 1),
    ),
    ("qubit q; array[int, 2, 2] m = {{1, 2}, {3, 4}}; rx(m[1, 0] + sizeof(m, 1)) q;", C(1).rx(5, 0)),
    ('qubit[3] q; const bit[3] s = "110"; for int i in [0:2] { if (s[i]) { x q[i]; } }', C(3).x([1, 2])),
    (
        "qubit q; int i = 0; while (i < 5) { i += 1; if (i == 2) continue; if (i == 4) break; rx(i) q; }",
        C(1).rx(1, 0).rx(3, 0),
    ),
    ("qubit q; int i = 3; switch (i) { case 1, 3 { x q; } default { z q; } }", C(1).x(0)),
    ("qubit q; x q; end; z q;", C(1).x(0)),
    (
        "qubit[2] q; def f(qubit[2] a, float t) -> float { rx(t) a[1]; return 2 * t; } ry(f(q, 0.25)) q[0];",
        C(2).rx(0.25, 1).ry(0.5, 0),
    ),
    ("qubit q; def f(int n, qubit a) { if (n > 0) { x a; f(n - 1, a); } } f(3, q);", C(1).x(0).x(0).x(0)),
    (
        "qubit q; array[int, 2] v = {1, 2}; def f(mutable array[int, #dim = 1] a) { a[0] = 5; } f(v); rx(v[0]) q;",
        C(1).rx(5, 0),
    ),
    ("x $7; h $3;", C(2).x(1).h(0)),
    ("qubit q; box { x q; } nop q; @note here\nz q;\n#pragma any thing\n", C(1).x(0).z(0)),
    (
        "qubit q; angle[4] a = pi; angle[4] b = a + pi; rx(b) q; complex[float] z = 1 + 2im; ry(imag(z)) q;",
        C(1).rx(0, 0).ry(2, 0),
    ),
    ('qubit q; bit[4] b = "0110"; rx(int(b)) q; ry(uint[2](7)) q; rz(float(3)) q;', None),
    (
        "qubit[2] q; CX q[0], q[1]; phase(0.1) q[0]; cphase(0.2) q[0], q[1]; u1(0.3) q[0];",
        C(2).cx(0, 1).p(0.1, 0).cp(0.2, 0, 1).p(0.3, 0),
    ),
]


@pytest.mark.parametrize(("text", "expected"), [case for case in CASES if case[1] is not None])
def test_gates(text: str, expected: Circuit) -> None:
    circuit = loads(HEADER + text)
    assert circuit.num_qubits == expected.num_qubits
    np.testing.assert_allclose(unitary(circuit), unitary(expected), atol=1e-12)


def only(text: str) -> object:
    """The last operation of a program."""
    circuit = loads(HEADER + "qubit[2] q; bit[2] c; " + text)
    return circuit[len(circuit) - 1].operation


def test_measurement_forms() -> None:
    for text in ("c = measure q;", "measure q -> c;", "c[0] = measure q[0]; c[1] = measure q[1];"):
        circuit = loads(HEADER + "qubit[2] q; bit[2] c; " + text)
        assert [(type(i.operation), i.qubits, i.clbits) for i in circuit] == [
            (Measure, (0,), (0,)),
            (Measure, (1,), (1,)),
        ]
    assert loads(HEADER + "qubit q; bit b = measure q;").num_clbits == 1
    assert type(loads(HEADER + "qubit q; measure q;")[0].operation) is Measure


@pytest.mark.parametrize(
    ("condition", "true_for"),
    [
        ("c == 2", {2}), ('c == "10"', {2}), ("c[0]", {1, 3}), ("!c[0]", {0, 2}), ("c[0] && !c[1]", {1}),
        ("c[0] ^ c[1]", {1, 2}), ("(c[0] ^ c[1]) == true", {1, 2}), ("int(c) > 1", {2, 3}), ("int[2](c) < 0", {2, 3}),
        ("~c == 0", {3}), ("uint[2](c) + 1 == 0", set()), ("uint[2](c) + uint[2](1) == 0", {3}), ("c != 0 || false", {1, 2, 3}),
        ("bool(c[0:1])", {1, 2, 3}), ("c[{1}]  == 1", {2, 3}), ("popcount(c) == 1", {1, 2}), ("(c & \"01\") == 1", {1, 3}),
    ],
)  # fmt: skip
def test_conditions(condition: str, true_for: set[int]) -> None:
    node = only(f"c = measure q; if ({condition}) {{ x q[0]; }} else {{ z q[0]; }}")
    assert isinstance(node, IfElse) and node.orelse is not None
    assert {value for value in range(4) if node.condition.evaluate(value)} == true_for


def test_runtime_control_flow() -> None:
    node = only("c = measure q; while (c[0]) { c[0] = measure q[0]; if (c[1]) break; h q[0]; }")
    assert isinstance(node, WhileLoop)
    inner = node.body[1].operation
    assert isinstance(inner, IfElse) and isinstance(inner.body[0].operation, Break)
    node = only("c = measure q; switch (int(c)) { case 0 { x q[0]; } case 1, 2 { z q[0]; } default { h q[0]; } }")
    assert isinstance(node, Switch) and [labels for labels, _ in node.cases] == [(0,), (1, 2)]
    assert only("c = measure q; c[0] = c[0] ^ c[1];") == Assign((0,), ClassicalOperation("^", (Bits((0,)), Bits((1,)))))
    assert only("c[1] = true;") == Assign((1,), Literal(1))


def test_known_bits_are_decided_and_measured_ones_are_not() -> None:
    assert loads(HEADER + "qubit q; bit b; if (b) { x q; }").count_ops() == {}
    text = "qubit q; bit a; bit b; a = measure q; if (a) { b = 1; } if (b) { x q; }"
    assert [type(i.operation) for i in loads(HEADER + text)] == [Measure, IfElse, IfElse]
    text = "qubit q; bit a; while (!a) { a = measure q; }"
    assert [type(i.operation) for i in loads(HEADER + text)] == [WhileLoop]


def test_inputs() -> None:
    circuit = loads(
        HEADER + "input float a; input array[float, 2] p; input int n; qubit q; rx(2*a + p[1]) q; ry(n*pi/2) q;"
    )
    assert [p.name for p in circuit.parameters] == ["a", "p[0]", "p[1]", "n"]
    gate = circuit[0].operation
    assert isinstance(gate, Gate) and gate.params[0] == 2 * Parameter("a") + circuit.parameters[2]


def test_subroutine_returns_a_measurement() -> None:
    circuit = loads(HEADER + "qubit q; bit c; def f(qubit a) -> bit { h a; return measure a; } c = f(q);")
    assert [type(i.operation) for i in circuit][-2:] == [Measure, Assign]


def test_flat_and_other_statements_keep_their_order() -> None:
    circuit = loads(
        HEADER
        + "qubit q;\nx q;\nfor int i in [0:1] { y q; }\nz q; ctrl @ x q, r; qubit r;".replace(
            "ctrl @ x q, r; qubit r;", "h q;"
        )
    )
    assert [i.operation.name for i in circuit if isinstance(i.operation, Gate)] == ["x", "y", "y", "z", "h"]
    # Both ways give the same.
    flat = loads(HEADER + "qubit[2] q; rx(pi/3*2-1) q[0]; cx q[0], q[1];")
    slow = loads(HEADER + "qubit[2] q; { rx(pi/3*2-1) q[0]; cx q[0], q[1]; }")
    assert list(flat) == list(slow)
