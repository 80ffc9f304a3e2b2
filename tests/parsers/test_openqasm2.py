"""OpenQASM 2: each construct against a circuit built by hand."""

import itertools
import math

import numpy as np
import pytest
from programs import H2, assert_outcomes, assert_same, unitary

from parsers import QasmError, loads
from parsers.library import QELIB1_EXTRAS, QELIB1_NAMES
from qsim import Circuit, Gate
from qsim.gates import GATES


def test_registers_in_order_of_declaration():
    circuit = loads(H2 + "qreg b[2]; creg y[1]; qreg a[1]; creg x[3];")
    assert [(r.name, r.indices) for r in circuit.qubit_registers] == [("b", (0, 1)), ("a", (2,))]
    assert [(r.name, r.indices) for r in circuit.clbit_registers] == [("y", (0,)), ("x", (1, 2, 3))]


def test_registers_may_be_declared_late():
    assert loads(H2 + "qreg a[1]; h a; qreg b[1]; cx a, b;").count_ops() == {"h": 1, "cx": 1}


@pytest.mark.parametrize("name", [*QELIB1_NAMES, *QELIB1_EXTRAS])
def test_every_library_gate(name):
    row = GATES[{**QELIB1_NAMES, **QELIB1_EXTRAS}[name]]
    angles = [0.3, -1.1, 2.5, 0.7][: row.num_params]
    call = name + (f"({','.join(map(str, angles))})" if angles else "")
    qubits = ", ".join(f"q[{k}]" for k in range(row.num_qubits))
    expected = Circuit(row.num_qubits).append(Gate(row, *angles), range(row.num_qubits))
    assert_same(f"{H2}qreg q[{row.num_qubits}]; {call} {qubits};", expected)


def test_builtin_gates_need_no_include():
    assert_same(
        "OPENQASM 2.0; qreg q[2]; U(0.1, 0.2, 0.3) q[0]; CX q[0], q[1];", Circuit(2).u(0.1, 0.2, 0.3, 0).cx(0, 1)
    )


def test_broadcasting():
    circuit = Circuit(5).h([0, 1]).cx([0, 1], [2, 3]).cx(4, [0, 1]).cx([0, 1], 4).ccx([0, 1], 4, [2, 3])
    assert_same(H2 + "qreg a[2]; qreg b[2]; qreg c[1]; h a; cx a, b; cx c[0], a; cx a, c[0]; ccx a, c[0], b;", circuit)


def test_a_register_of_one_is_a_register():
    with pytest.raises(QasmError, match="one size"):
        loads(H2 + "qreg a[1]; qreg b[2]; cx a, b;")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pi/2", math.pi / 2), ("-pi", -math.pi), ("1/2", 0.5), ("2^3", 8.0), ("-2^2", -4.0), ("2^3^2", 512.0),
        ("2^-1", 0.5), ("(1+2)*3-4/8", 8.5), ("sin(pi/6)", 0.5), ("cos(0)", 1.0), ("tan(0.3)", math.tan(0.3)),
        ("exp(1)", math.e), ("ln(2)", math.log(2)), ("sqrt(2)", math.sqrt(2)), ("1e-3", 1e-3), (".5", 0.5),
        ("2.", 2.0), ("1.5E+1", 15.0), ("- - 1", 1.0), ("+2", 2.0), ("asin(1)", math.pi / 2), ("6/2/3", 1.0),
        ("2-3-4", -5.0), ("3*-1", -3.0), ("((((1))))", 1.0),
    ],
)  # fmt: skip
def test_expressions(text, value):
    assert loads(f"{H2}qreg q[1]; rx({text}) q[0];")[0].operation.params == (pytest.approx(value, abs=1e-15),)


def test_definitions_nest_and_have_parameters():
    text = (
        H2
        + """
    gate rot(a, b) x { rz(a + b/2) x; ry(-b) x; }
    gate pair(t) u, v { rot(t, 2*t) u; cx u, v; barrier u, v; rot(-t, sin(t)) v; }
    gate nothing(t) a { }
    qreg q[2];
    pair(0.4) q[1], q[0];
    nothing(1) q[0];
    """
    )
    t = 0.4
    expected = Circuit(2).rz(2 * t, 1).ry(-2 * t, 1).cx(1, 0).rz(-t + math.sin(t) / 2, 0).ry(-math.sin(t), 0)
    assert_same(text, expected)


def test_a_definition_overrides_the_library():
    assert_same(H2 + "gate h a { x a; } qreg q[1]; h q[0];", Circuit(1).x(0))
    assert_same(
        'OPENQASM 2.0; gate iswap a, b { CX a, b; } include "qelib1.inc"; qreg q[2]; iswap q[0], q[1];',
        Circuit(2).cx(0, 1),
    )


def test_a_later_definition_leaves_earlier_calls_alone():
    assert_same(H2 + "qreg q[1]; h q[0]; gate h a { x a; } h q[0];", Circuit(1).h(0).x(0))
    assert_same(H2 + "qreg q[1]; gate g a { h a; } gate h a { x a; } g q[0];", Circuit(1).h(0))


def test_formal_names_hide_others():
    assert_same(H2 + "gate g(pi) q { rx(pi) q; } qreg q[1]; g(0.5) q[0];", Circuit(1).rx(0.5, 0))


def test_opaque_is_accepted_until_it_is_used():
    assert len(loads(H2 + "opaque magic(a, b) x, y; qreg q[2]; h q;")) == 2


def test_names_of_version_3_are_plain_names_here():
    circuit = Circuit(2).h(0).x(1)
    assert_same(H2 + "qreg input[1]; qreg angle[1]; h input[0]; x angle[0];", circuit)
    assert_same(H2 + "gate let a { h a; } qreg bit[2]; let bit[0]; x bit[1];", circuit)


def test_measure_reset_barrier():
    circuit = loads(
        H2 + "qreg q[2]; creg c[2]; h q; barrier q; barrier q[0], q[1]; reset q[0]; measure q -> c; reset q;"
    )
    assert circuit.count_ops() == {"reset": 3, "h": 2, "barrier": 2, "measure": 2}
    assert [i.clbits for i in circuit if i.clbits] == [(0,), (1,)]


def test_condition_reads_the_whole_register_first_bit_lowest():
    text = H2 + "qreg q[3]; creg c[2]; creg d[1]; x q[1]; measure q[0] -> c[0]; measure q[1] -> c[1];"
    assert_outcomes(text + "if (c == 2) x q[2]; measure q[2] -> d[0];", {0b110: 1.0})
    assert_outcomes(text + "if (c == 1) x q[2]; measure q[2] -> d[0];", {0b010: 1.0})
    assert_outcomes(text + "if(c==99999999999999999999) x q[2]; measure q[2] -> d[0];", {0b010: 1.0})


def test_condition_on_measure_reset_and_register():
    text = (
        H2
        + "qreg q[3]; creg c[1]; creg d[2]; x q; measure q[0] -> c[0]; if (c == 1) reset q[1]; if (c == 1) measure q[1] -> d[0]; "
    )
    assert_outcomes(text + "if (c == 0) x q[2]; measure q[2] -> d[1];", {0b101: 1.0})
    assert_outcomes(H2 + "qreg q[2]; creg c[2]; if (c == 0) x q; measure q -> c;", {0b11: 1.0})


def test_condition_is_read_once_before_a_whole_definition():
    text = H2 + "gate two a, b { x a; x b; } qreg q[2]; creg c[2]; if (c == 0) two q[0], q[1]; measure q -> c;"
    assert_outcomes(text, {0b11: 1.0})


def test_rz_and_controlled_rotations_are_told_apart():
    crz, cp = unitary(H2 + "qreg q[2]; crz(0.7) q[0], q[1];"), unitary(H2 + "qreg q[2]; cu1(0.7) q[0], q[1];")
    np.testing.assert_allclose(np.diag(crz), [1, np.exp(-0.35j), 1, np.exp(0.35j)])
    np.testing.assert_allclose(np.diag(cp), [1, 1, 1, np.exp(0.7j)])


def test_comments_and_layout():
    text = '// first\nOPENQASM 2.0 ;include"qelib1.inc";/* a\n; */qreg\nq [ 2 ] ;h\tq[0];cx q[ 0 ] ,\n q[1]// x\n;;'
    assert_same(text, Circuit(2).h(0).cx(0, 1))


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends(newline):
    assert_same((H2 + "qreg q[1];\n// note\nh q[0];\n").replace("\n", newline), Circuit(1).h(0))


def test_byte_order_mark():
    assert_same("\ufeff" + H2 + "qreg q[1]; h q[0];", Circuit(1).h(0))


def test_no_version_line():
    assert_same('include "qelib1.inc"; qreg q[1]; h q[0];', Circuit(1).h(0))


def test_long_names_and_many_definitions():
    names = [f"gate_{k}_" + "a" * 180 for k in range(300)]
    body = "gate " + names[0] + " a { x a; }\n"
    body += "".join(f"gate {name} a {{ {before} a; }}\n" for before, name in itertools.pairwise(names))
    assert_same(H2 + body + f"qreg q[1]; {names[-1]} q[0];", Circuit(1).x(0))
