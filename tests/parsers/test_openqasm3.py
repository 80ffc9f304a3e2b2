"""OpenQASM 3, what is known while the program is read: each construct against a circuit built by hand."""

import math

import numpy as np
import pytest
from programs import H3, assert_outcomes, assert_same, unitary

from parsers import QasmError, loads
from parsers.library import STDGATES_NAMES
from qsim import Circuit, Gate
from qsim.gates import GATES
from qsim.parameters import Expression

pytestmark = pytest.mark.filterwarnings("ignore::parsers.QasmWarning")


def angle_of(declarations, text):
    """The number that an expression gives as a gate's parameter."""
    (value,) = loads(f"{H3}qubit q;\n{declarations}\nrx({text}) q;")[-1].operation.params
    return value


# gates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STDGATES_NAMES)
def test_every_standard_gate(name):
    row = GATES[STDGATES_NAMES[name]]
    angles = [0.3, -1.1, 2.5, 0.7][: row.num_params]
    call = name + (f"({','.join(map(str, angles))})" if angles else "")
    qubits = ", ".join(f"q[{k}]" for k in range(row.num_qubits))
    expected = Circuit(row.num_qubits).append(Gate(row, *angles), range(row.num_qubits))
    assert_same(f"{H3}qubit[{row.num_qubits}] q; {call} {qubits};", expected)


def test_builtin_u_follows_the_specification():
    a, b, c = 0.7, 0.3, 1.1
    half = np.exp(0.5j * a) * np.array(
        [
            [math.cos(a / 2), -np.exp(1j * c) * math.sin(a / 2)],
            [np.exp(1j * b) * math.sin(a / 2), np.exp(1j * (b + c)) * math.cos(a / 2)],
        ]
    )
    np.testing.assert_allclose(unitary("OPENQASM 3; qubit q; U(0.7, 0.3, 1.1) q;"), half, atol=1e-12)
    np.testing.assert_allclose(
        unitary("OPENQASM 3; qubit[2] q; ctrl @ U(0.7, 0.3, 1.1) q[0], q[1];")[1::2, 1::2], half, atol=1e-12
    )


def test_u3_has_determinant_one_and_cx_alias_is_cx():
    assert abs(np.linalg.det(unitary(H3 + "qubit q; u3(0.7, 0.3, 1.1) q;")) - 1) < 1e-12
    assert_same(H3 + "qubit[2] q; CX q[0], q[1];", Circuit(2).cx(0, 1))


@pytest.mark.parametrize(
    ("call", "gate"),
    [
        ("ctrl @ x q[2], q[0]", (Gate("x").control(), [2, 0])),
        ("ctrl(2) @ x q[2], q[0], q[1]", (Gate("x").control(2), [2, 0, 1])),
        ("negctrl @ rx(0.3) q[1], q[0]", (Gate("rx", 0.3).control(1, 0), [1, 0])),
        ("ctrl @ negctrl @ h q[2], q[1], q[0]", (Gate("h").control(1, 0).control(), [2, 1, 0])),
        ("negctrl(2) @ x q", None),
        ("inv @ s q[1]", (Gate("sdg"), [1])),
        ("inv @ ctrl @ t q[1], q[2]", (Gate("tdg").control(), [1, 2])),
        ("pow(3) @ t q[0]", (Gate("p", 0.75 * math.pi), [0])),
        ("pow(-2) @ rx(0.4) q[0]", (Gate("rx", -0.8), [0])),
        ("pow(0.5) @ x q[0]", (Gate("sx"), [0])),
        ("pow(0.5) @ rx(7.0) q[0]", (Gate("rx", 3.5), [0])),
        ("pow(1/2.0) @ swap q[0], q[2]", (Gate("swap").power(0.5), [0, 2])),
        ("pow(0) @ h q[0]", (Gate("id"), [0])),
        ("ctrl @ inv @ pow(0.5) @ x q[0], q[1]", (Gate("sxdg").control(), [0, 1])),
        ("ctrl @ gphase(0.3) q[1]", (Gate("p", 0.3), [1])),
        ("ctrl(2) @ gphase(0.3) q[1], q[0]", (Gate("cp", 0.3), [1, 0])),
        ("negctrl @ gphase(0.3) q[1]", (Gate("gphase", 0.3).control(1, 0), [1])),
        ("ctrl(n) @ x q[0], q[1], q[2]", (Gate("x").control(2), [0, 1, 2])),
    ],
)
def test_modifiers(call, gate):
    if gate is None:
        with pytest.raises(QasmError, match="3 qubits, got 1"):
            loads(f"{H3}qubit[3] q; {call};")
        return
    assert_same(f"{H3}const int n = 2; qubit[3] q; {call};", Circuit(3).append(*gate))


def test_global_phase_counts_under_control():
    assert_same(
        H3 + "gate g a { gphase(pi/4); rz(pi/2) a; } qubit[2] q; ctrl @ g q[0], q[1];", Circuit(2).cp(math.pi / 2, 0, 1)
    )
    assert_same(H3 + "qubit q; gphase(0.4); inv @ gphase(0.1); pow(2) @ gphase(0.1);", Circuit(1).gphase(0.5))


def test_definitions_nest_and_take_modifiers():
    text = (
        H3
        + """
    gate inner(a) x { rx(a) x; s x; }
    gate outer(a, b) x, y { inner(a * b) x; ctrl @ inner(b) x, y; inv @ inner(a) y; }
    qubit[3] q;
    outer(0.3, 0.5) q[0], q[1];
    inv @ outer(0.3, 0.5) q[1], q[2];
    ctrl @ pow(2) @ outer(0.3, 0.5) q[2], q[1], q[0];
    """
    )
    inner = Circuit(1).rx(0.15, 0).s(0)
    outer = Circuit(2).append(Gate(inner.to_gate("a")), [0])
    outer.append(Gate(Circuit(1).rx(0.5, 0).s(0).to_gate("b")).control(), [0, 1])
    outer.append(Gate(Circuit(1).rx(0.3, 0).s(0).to_gate("c")).inverse(), [1])
    gate = Gate(outer.to_gate("outer"))
    expected = Circuit(3).append(gate, [0, 1]).append(gate.inverse(), [1, 2]).append(gate.power(2).control(), [2, 1, 0])
    assert_same(text, expected)


def test_names_outside_stdgates_may_be_defined():
    assert_same(
        H3 + "gate sxdg a { inv @ sx a; } gate u(a, b, c) q { U(a, b, c) q; } qubit q; sxdg q;", Circuit(1).sxdg(0)
    )


def test_broadcasting():
    expected = Circuit(6).h(range(6)).cx([0, 1], [2, 3]).cx([4, 4], [0, 1]).cp(0.3, [0, 1], 5).cx([0, 2], [1, 3])
    text = "qubit[2] a; qubit[2] b; qubit c; qubit d; h a; h b; h c; h d; cx a, b; cx c, a; cp(0.3) a, d;"
    assert_same(H3 + text + "let ab = a ++ b; cx ab[{0, 2}], ab[{1, 3}];", expected)
    assert_same(H3 + "qubit[4] q; ctrl @ x q[0:1], q[2:3];", Circuit(4).cx([0, 1], [2, 3]))
    with pytest.raises(QasmError, match="one size"):
        loads(H3 + "qubit[2] a; qubit[3] b; cx a, b;")


def test_aliases():
    head = H3 + "qubit[5] q; qubit[2] r;"
    assert_same(head + "let a = q[1:3]; x a[0]; h a[-1];", Circuit(7).x(1).h(3))
    assert_same(head + "let a = q[0:2:4] ++ r; let b = a[{4, 1}]; x b[0]; h b[1];", Circuit(7).x(6).h(2))
    assert_same(head + "let a = q[3:-1:1]; x a[0]; let s = q[2]; h s;", Circuit(7).x(3).h(2))
    assert_same(head + "let a = q[-2:-1]; x a;", Circuit(7).x([3, 4]))


def test_classical_alias():
    assert_outcomes(H3 + "qubit[2] q; bit[3] c; let d = c[1:2]; x q[1]; d = measure q;", {0b100: 1.0})


def test_physical_qubits():
    circuit = loads('OPENQASM 3; include "stdgates.inc"; h $5; cx $5, $0; bit c; c = measure $0;')
    assert circuit.num_qubits == 2


def test_qreg_and_creg_and_qelib1_in_version_3():
    assert_same(
        'OPENQASM 3.0; include "qelib1.inc"; qreg q[2]; creg c[2]; u1(0.3) q[0]; sxdg q[1];',
        Circuit(2).p(0.3, 0).sxdg(1),
    )


def test_barrier_delay_box_annotations_and_pragmas_change_nothing():
    text = (
        H3
        + """pragma vendor something (
    qubit[2] q;
    @keep this
    h q[0];
    barrier q; barrier; barrier q[0], q[1];
    delay[100ns] q[0]; delay[2us] q;
    duration d = 50ns;
    box { cx q[0], q[1]; }
    box[d] { delay[d] q[0]; }
    #pragma other thing
    """
    )
    assert_same(text, Circuit(2).h(0).cx(0, 1))


# values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declarations", "text", "value"),
    [
        ("", "pi/2", math.pi / 2), ("", "π", math.pi), ("", "τ/4", math.pi / 2), ("", "euler", math.e), ("", "ℇ", math.e),
        ("", "1/2*pi", 0.0), ("", "pi*1/2", math.pi / 2), ("", "7/2", 3.0), ("", "-7/2", -3.0), ("", "7/2.0", 3.5),
        ("", "2**3", 8.0), ("", "2**3**2", 512.0), ("", "-2**2", -4.0), ("", "2**-1", 0.5), ("", "7 % 4", 3.0),
        ("", "5 ^ 3", 6.0), ("", "5 & 6 | 8", 12.0), ("", "1 << 4 >> 1", 8.0), ("", "0x1f + 0b11 + 0o17 + 1_000", 1049.0),
        ("", "sin(pi/6)", 0.5), ("", "arccos(0.0)", math.pi / 2), ("", "log(euler)", 1.0), ("", "sqrt(2)", math.sqrt(2)),
        ("", "ceiling(1.2) + floor(-1.2)", 0.0), ("", "mod(7, 4)", 3.0), ("", "popcount(\"1011\")", 3.0),
        ("", "exp(1)", math.e), ("", "-(-1.5)", 1.5), ("", "1.5e1", 15.0), ("", ".5", 0.5), ("", "tan(0.3)", math.tan(0.3)),
        ("const int n = 7;", "n/2", 3.0), ("const float v = 7;", "v/2", 3.5), ("float v = 1; v += 0.5; v *= 2;", "v", 3.0),
        ("int[8] a = 127; a += 1;", "a", -128.0), ("uint[4] a = 17;", "a", 1.0), ("uint[8] a = 3; a = a - 5;", "a", 254.0),
        ("int[4] a = 9;", "a", -7.0), ("int n = 7; n /= 2; n <<= 3; n |= 1;", "n", 25.0),
        ("bool b = true; int k = 0; if (b && !false) { k = 4; }", "k", 4.0), ("int k = 5;", "int(k > 3) + 1", 2.0),
        ("bit[4] b = \"0110\";", "int[4](b)", 6.0), ("bit[4] b = \"0110\";", "uint[2](b[1:2])", 3.0),
        ("bit[8] b = \"00001111\";", "uint[8](b << 2)", 60.0), ("bit[4] b = \"0011\"; b[3] = 1;", "uint[4](~b)", 4.0),
        ("", "uint[8](rotl(\"10000001\", 1))", 3.0), ("uint[8] a = 5; bit[8] b = bit[8](a);", "int(b[0]) + 2*int(b[1])", 1.0),
        ("array[int[8], 3] a = {4, 5, 6};", "a[1] + a[-1]", 11.0), ("array[int[8], 3] a = {4, 5, 6}; a[0] = 9;", "a[0]", 9.0),
        ("array[float[64], 2, 2] a = {{1, 2}, {3, 4}};", "a[1, 0] + a[0][1]", 5.0),
        ("array[int[8], 2, 3] a = {{1, 2, 3}, {4, 5, 6}};", "sizeof(a) + 10*sizeof(a, 1)", 32.0),
        ("array[int[8], 4] a = {1, 2, 3, 4}; array[int[8], 2] e = {7, 8}; a[1:2] = e;", "a[0] + a[1] + a[2] + a[3]", 20.0),
        ("complex[float] w = 2.0 + 3.0im;", "real(w * w) + imag(w)", -2.0), ("angle[8] a = pi;", "a", math.pi),
        ("angle a = 0.3;", "2 * a", 0.6), ("const angle[4] a = pi/8; angle[4] b = 2 * a;", "b", math.pi / 4),
        ("int v = 3; { int v = 4; v = 5; }", "v", 3.0), ("int v = 3; if (true) { v = 4; }", "v", 4.0),
        ("float f = 3;", "int(f / 2)", 1.0), ("", "float(7) / 2", 3.5), ("", "bool(3) == true ? 1 : 2", None),
        ("const float theta = 0.1 + 0.2;", "theta", 0.1 + 0.2), ("uint n = 3;", "n * pi / 4", 0.75 * math.pi),
        ("int n = 0; for int i in [1:4] { n += i; }", "n", 10.0), ("int n = 0; for int i in [4:-2:0] { n = 10*n + i; }", "n", 420.0),
        ("int n = 0; for int i in {5, 1, 3} { n = 10*n + i; }", "n", 513.0), ("int n = 9; while (n > 4) { n -= 2; }", "n", 3.0),
        ("int n = 0; for int i in [0:9] { if (i == 2) continue; if (i == 5) break; n += i; }", "n", 8.0),
        ("array[int[8], 3] a = {4, 5, 6}; int n = 0; for int i in a { n = 10*n + i; }", "n", 456.0),
        ("bit[3] b = \"011\"; int n = 0; for bit i in b { n = 2*n + int(i); }", "n", 6.0),
        ("int n = 2; int r = 0; switch (n) { case 1 { r = 10; } case 2, 3 { r = 20; } default { r = 30; } }", "r", 20.0),
        ("int n = 7; int r = 0; switch (n) { case 1 { r = 10; } default { r = 30; } }", "r", 30.0),
        ("def f(int a, float b) -> float { float c = a * b; return c + 1; }", "f(2, 1.5)", 4.0),
        ("def f(int n) -> int { if (n <= 1) { return 1; } return n * f(n - 1); }", "f(5)", 120.0),
        ("def f(mutable array[int[8], 3] a) { a[1] = 9; } array[int[8], 3] b = {1, 2, 3}; f(b);", "b[1]", 9.0),
        ("def f(readonly array[int[8], #dim = 1] a) -> int { return sizeof(a); } array[int[8], 3] b = {1, 2, 3};", "f(b)", 3.0),
    ],
)  # fmt: skip
def test_values(declarations, text, value):
    if value is None:
        with pytest.raises(QasmError):
            angle_of(declarations, text)
        return
    assert angle_of(declarations, text) == pytest.approx(value, abs=1e-12)


def test_loops_over_qubits():
    text = (
        H3 + "const int n = 4; qubit[n] q; h q[0]; for uint i in [0:n-2] { cx q[i], q[i+1]; rz(pi / 2**(i+1)) q[i]; }"
    )
    circuit = Circuit(4).h(0)
    for i in range(3):
        circuit.cx(i, i + 1).rz(math.pi / 2 ** (i + 1), i)
    assert_same(text, circuit)


def test_loop_body_without_braces():
    assert_same(
        H3 + "qubit[3] q; for int i in [0:2] h q[i]; if (true) x q[0]; else y q[0];", Circuit(3).h([0, 1, 2]).x(0)
    )


def test_static_else():
    assert_same(H3 + "qubit q; if (1 > 2) { x q; } else if (2 > 1) { y q; } else { z q; }", Circuit(1).y(0))


def test_end_stops_the_program():
    assert_same(H3 + "qubit q; x q; end; h q;", Circuit(1).x(0))
    assert_same(H3 + "qubit q; for int i in [0:3] { x q; if (i == 1) { end; } } h q;", Circuit(1).x(0).x(0))


def test_subroutines_on_qubits():
    text = (
        H3
        + """
    const int n = 3;
    def entangle(qubit[n] a, qubit b, float t) { for int i in [0:n-1] { cx a[i], b; } rx(t) b; }
    def twice(qubit a) { x a; inner(a); }
    def inner(qubit a) { h a; }
    qubit[4] q;
    entangle(q[0:2], q[3], 0.3);
    twice(q[1]);
    """
    )
    assert_same(text, Circuit(4).cx([0, 1, 2], 3).rx(0.3, 3).x(1).h(1))


def test_subroutine_returns_a_measurement():
    text = H3 + "def flip(qubit a) -> bit { x a; return measure a; } qubit q; bit c; bit d; c = flip(q); d = flip(q);"
    assert_outcomes(text, {0b01: 1.0})


# inputs ---------------------------------------------------------------------------------------------------------


def test_inputs_stay_symbolic():
    circuit = loads(H3 + "input float a; input angle[32] b; qubit q; rx(2 * a + b / 2) q; rz(sin(a)) q; p(a - pi) q;")
    assert [p.name for p in circuit.parameters] == ["a", "b"]
    (value,) = circuit[0].operation.params
    assert isinstance(value, Expression)
    assert value.evaluate({"a": 0.3, "b": 0.4}) == pytest.approx(0.8)
    assert circuit[1].operation.params[0].evaluate({"a": 0.3}) == pytest.approx(math.sin(0.3))


def test_inputs_come_in_order_used_or_not():
    circuit = loads(H3 + "input float zz; input float a; input angle m; qubit q; rx(a) q;")
    assert [p.name for p in circuit.parameters] == ["zz", "a", "m"]


def test_inputs_through_definitions_variables_and_subroutines():
    text = (
        H3
        + """
    input float t;
    gate g(a) x { rx(a / 2) x; }
    def f(qubit a, float s) { ry(s * 2) a; }
    qubit[2] q;
    float u = t + 1;
    g(t) q[0]; ctrl @ g(u) q[0], q[1]; f(q[0], t); pow(2) @ rz(t) q[1]; inv @ p(t) q[0]; gphase(t);
    """
    )
    t = 0.7
    expected = Circuit(2).rx(t / 2, 0).crx((t + 1) / 2, 0, 1).ry(2 * t, 0).rz(2 * t, 1).p(-t, 0).gphase(t)
    values = {"t": t}
    np.testing.assert_allclose(unitary(text, values), unitary_of(expected), atol=1e-12)


def unitary_of(circuit):
    from oracle import circuit_unitary

    return circuit_unitary(circuit)


def test_array_input():
    circuit = loads(H3 + "input array[float[64], 3] p; qubit[3] q; for int i in [0:2] { rx(p[i]) q[i]; }")
    assert [p.name for p in circuit.parameters] == ["p[0]", "p[1]", "p[2]"]
    assert circuit.parameters[0].array.name == "p"


@pytest.mark.parametrize("body", ["pow(a) @ x q;", "qubit[a] s;", "ctrl(int(a)) @ x r[0], q;", "const float b = a;"])
def test_inputs_cannot_decide_what_must_be_known(body):
    with pytest.raises(QasmError) as info:
        loads(H3 + "input float a; qubit q; qubit[2] r;\n" + body)
    assert info.value.line == 4


def test_output_is_accepted():
    assert_outcomes(H3 + "output bit c; qubit q; x q; c = measure q;", {1: 1.0})


# scopes ---------------------------------------------------------------------------------------------------------


def test_a_variable_hides_a_gate_name():
    assert angle_of("float v = 0; if (true) { float h = 0.25; v = h; }", "v") == 0.25


def test_definitions_see_only_constants():
    with pytest.raises(QasmError, match="not visible"):
        loads(H3 + "float a = 1; gate g x { rx(a) x; } qubit q; g q;")
    with pytest.raises(QasmError, match="not visible"):
        loads(H3 + "qubit q; def f() { x q; } f();")
    assert_same(H3 + "const float a = 1; gate g x { rx(a) x; } qubit q; g q;", Circuit(1).rx(1, 0))


@pytest.mark.parametrize("header", ["OPENQASM 3;", "OPENQASM 3.0;", "OPENQASM 3.1;", ""])
def test_version_lines(header):
    assert_same(f'{header}\ninclude "stdgates.inc"; qubit q; h q;', Circuit(1).h(0))


def test_unicode_names():
    assert_same(
        H3 + "qubit[2] ψ; const float δ = 0.5; rx(δ) ψ[0]; gate Ω(θ) a { rz(θ) a; } Ω(0.2) ψ[1];",
        Circuit(2).rx(0.5, 0).rz(0.2, 1),
    )


def test_flat_statements_keep_their_order_among_the_others():
    text = (
        H3
        + "qubit[2] q; h q[0]; float a = 0.5; rx(a) q[0]; a = 0.25; rx(a) q[0]; for int i in [0:1] { x q[i]; } rx(a) q[1];"
    )
    assert_same(text, Circuit(2).h(0).rx(0.5, 0).rx(0.25, 0).x([0, 1]).rx(0.25, 1))
