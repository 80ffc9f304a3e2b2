"""What a newcomer is told about a wrong program: the rule, the place, and what was probably meant."""

import pytest
from programs import H2, H3

from parsers import QasmError, QasmWarning, loads

#: program, words of the message, column.
VERSION_2 = [
    ("CNOT q[0], q[1];", "Did you mean 'cx'?", 1),
    ("toffoli q[0], q[1], q[2];", "Did you mean 'ccx'?", 1),
    ("Hadamard q[0];", "Did you mean 'h'?", 1),
    ("H q[0];", "Did you mean 'h'?", 1),
    ("U3(1,2,3) q[0];", "Did you mean 'u3'?", 1),
    ("h qq[0];", "no quantum register 'qq'. Did you mean 'q'?", 3),
    ("q[0];", "'q' is a register, not a gate", 1),
    ("h(q[0]);", "without brackets", 8),
    ("barrier;", "an operand is missing", 8),
    ("barrier q[0],;", "an operand is missing", 14),
    ("x q[-1];", "An index is a number from 0, as in q[0]; got 'q[-1]'", 3),
    ("x q[0:1];", "Ranges and variables belong to OpenQASM 3", 3),
    ("measure q[0] -> c[0], c[1];", "one of each", 9),
    ("c = measure q;", "An assignment belongs to OpenQASM 3", 1),
    ("if (c[0] == 1) x q[0];", "single bits and other comparisons belong to OpenQASM 3", 1),
    ("if (c==1) { x q[0]; }", "Braces belong to OpenQASM 3", 10),
    ("switch (c) { case 1 { } }", "'switch' belongs to OpenQASM 3", 1),
    ("nop q;", "'nop' belongs to OpenQASM 3", 1),
    ("qubit[2] r;", "Write 'OPENQASM 3.0;' first", 1),
    ("gate h2 { h q[0]; }", "'gate h2 a { ... }'", 6),
    ("h q[0]\nx q[1];", "there is neither", 7),
]
VERSION_3 = [
    ("CNOT q[0], q[1];", "Did you mean 'cx'?", 1),
    ("toffoli q[0], q[1], q[2];", "Did you mean 'ccx'?", 1),
    ("H q[0];", "Did you mean 'h'?", 1),
    ("h qq[0];", "'qq' is not declared. Did you mean 'q'?", 3),
    ("h q[0]\nx q[1];", "A ';' seems to be missing here, before 'x'", 7),
    ("cx q[0] q[1];", "Operands are separated by ','", 9),
    ("rx(pi), q[0];", "No ',' stands between the parameters and the qubits", 7),
    ("x q;\nx;", "A gate is applied to qubits: 'x q;'.", 1),
    ("h(q[0]);", "without brackets: 'rx(pi) q;'", 1),
    ("gphase(pi) q[0];", "A phase of one qubit is p(angle) q.", 1),
    ("if (c = 1) x q[0];", "compared with '=='", 7),
    ("if c == 1 { x q[0]; }", "stands in brackets", 4),
    ("while c { x q[0]; }", "stands in brackets", 7),
    ("if (c == 1) then x q[0];", "There is no 'then'", 20),
    ("if (measure q[0]) x q[1];", "Measure into a bit first", 5),
    ("if (q[0] == 1) x q[1];", "Measure it into a bit first.", 5),
    ("for i in [0:2] { x q[i]; }", "has a type: 'for int i in [0:3]", 5),
    ("for (int i=0; i<3; i++) { x q[i]; }", "A loop has the form", 5),
    ("switch (int(c)) { case 1: x q[0]; }", "without ':'", 25),
    ("case 1 { }", "belongs inside 'switch", 1),
    ("gate g(float t) a { rx(t) a; }", "names without types", 8),
    ("def f(q) { x q; }", "The arguments of a subroutine have types", 7),
    ("def f() { return 1; } f();", "no '-> type', so it returns nothing", 11),
    ("qubit r[2];", "The size stands before the name", 8),
    ("int n[2];", "The size stands before the name", 6),
    ("inv x q[0];", "followed by '@'", 5),
    ("pow @ x q[0];", "pow has an exponent", 5),
    ("inv @ measure q[0];", "Modifiers belong to gates only", 7),
    ("ctrl @ q[0];", "After '@' come a gate and its qubits", 12),
    ("delay 100ns q[0];", "square brackets", 7),
    ("input qubit r;", "Inputs are classical", 7),
    ("output int x = 3;", "declared without a value", 14),
    ("include stdgates.inc;", "has no meaning here", 9),
    ("OPENQASM 3.0;", "there is one only", 1),
    ("opaque o a;", "'opaque' belongs to OpenQASM 2", 10),
    ("let a = {q[0], q[1]};", "joined with '++'", 9),
    ("int n = 0; n++;", "n += 1", 15),
    ("measure q[0], c[0];", "'c = measure q;'", 13),
    ("pi = 3;", "'pi' is built in", 1),
]  # fmt: skip


@pytest.mark.parametrize(("head", "body", "words", "column"), [
    *[(H2 + "qreg q[3]; creg c[3];\n", *case) for case in VERSION_2],
    *[(H3 + "qubit[3] q; bit[3] c;\n", *case) for case in VERSION_3],
])  # fmt: skip
def test_message(head, body, words, column):
    with pytest.raises(QasmError) as info:
        loads(head + body, filename="mine.qasm")
    error = info.value
    assert words in error.message
    lines = body.split("\n")
    found = 1 + next(k for k, line in enumerate(lines) if line == error.source_line)
    assert (error.line, error.column) == (3 + found, column)
    assert str(error).startswith(f"mine.qasm:{error.line}:{column}: ")


def messages(text):
    with pytest.raises(QasmError) as info:
        loads(text)
    return [(error.line, error.message) for error in info.value.errors]


def test_several_errors_of_version_2():
    found = messages(
        H2
        + """qreg q[2
creg c[2];
h q[0];
hh r[0];
if (c == 1) { x c; }
gate g a { foo a; }
cx c[0], c[1];
g c[0];
measure c -> c
rx(1/0) c;"""
    )
    assert [line for line, _ in found] == [3, 6, 7, 8, 9, 11]
    assert "'hh'" in found[1][1] and "Braces" in found[2][1] and "'foo'" in found[3][1]


def test_errors_that_follow_from_an_earlier_one_are_not_reported():
    text = (
        H2 + "qreg q[200000]; creg c[2];\nh q; cx q[0], q[1]; measure q -> c;\ngate g a { } gate g a { } opaque o; o q;"
    )
    assert len(messages(text)) == 3


def test_at_most_twenty_errors():
    assert len(messages(H2 + "qreg q[1];\n" + "foo q[0];\n" * 10_000)) == 20
    assert len(messages(H3 + "qubit q;\n" + "foo q;\n" * 10_000)) == 20


def test_errors_in_a_file_that_is_included(tmp_path):
    (tmp_path / "a.inc").write_text("gate g a { h a; }\nfoo q[0];\n")
    with pytest.raises(QasmError) as info:
        loads(H2 + 'qreg q[1];\ninclude "a.inc";\nbar q[0];', include_dirs=[tmp_path])
    assert [(error.filename.endswith("a.inc"), error.line) for error in info.value.errors] == [(True, 2), (False, 5)]


def test_opaque_gates_that_are_known_run():
    circuit = loads(
        H2
        + "opaque delay(t) a; opaque u0(n) a; opaque rzz(t) a, b; qreg q[2]; delay(100) q[0]; u0(1) q[1]; rzz(0.1) q[0], q[1];"
    )
    assert circuit.count_ops()["rzz"] == 1 and len(circuit) == 3
    assert "is opaque" in messages(H2 + "opaque cx(t) a; qreg q[1]; cx(1) q[0];")[0][1]


def test_what_was_never_set_is_zero_with_a_warning():
    with pytest.warns(QasmWarning, match="'n' is used before it has a value; 0 is taken"):
        assert len(loads(H3 + "qubit q; int n; for int i in [0:n] { x q; }")) == 1
