"""Wrong OpenQASM 3 programs: the message and the place."""

from __future__ import annotations

import sys

import pytest

from parsers import QasmError, loads

HEADER = 'OPENQASM 3.0; include "stdgates.inc";\nqubit[2] q; bit[2] c;\n'


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("hh q[0];", "Did you mean", 1),
        ("cnot q[0], q[1];", "Did you mean 'cx'", 1),
        ("rxx(0.1) q[0], q[1];", "not in stdgates.inc", 1),
        ("  h q[2];", "elements 0 to 1", 7),
        ("cx q[0], q[0];", "qubit 0 twice", 1),
        ("cx q[0];", "acts on 2 qubits, got 1", 1),
        ("rx q[0];", "takes 1 parameter, got 0", 1),
        ("rx(1/0) q[0];", "divided by zero", 4),
        ("rx(sqrt(-1)) q[0];", "no finite real value", 4),
        ("rx(1e999) q[0];", "finite", 4),
        ("rx(zeta) q[0];", "'zeta' is not declared", 4),
        ("h c;", "'c' is a bit register", 3),
        ("extern f(int) -> int;", "'extern f' is not supported", 1),
        ("cal { x }", "pulses", 1),
        ("stretch a;", "stretch a", 1),
        ("const int n = 1; n = 2;", "is a constant", 18),
        ("gate g a { g a; }", "cannot use itself", 12),
        ("gate g a { } gate g a { }", "declared already", 14),
        ("int q;", "declared already", 1),
        ("for int i in [0:0:3] { }", "not 0", 17),
        ("ctrl(0) @ x q[0];", "1 to 62 controls", 6),
        ("pow(c) @ x q[0];", "real number", 5),
        ("break;", "outside loop", 1),
        ("return 1;", "", 1),
        ("h q[0]\nx q[1];", "';' missing", 1),
        ("x q[0]; }", "closes nothing", 9),
        ("switch (1) { case 1 { } case 1 { } }", "occurs once", 30),
        ('include "/etc/passwd";', "No file is read", 1),
        ("let a = q[{0, 0}];", "picked twice", 9),
        ("int n; rx(n) q[0];", "before it has a value", 11),
        ("def f(qubit a) { } f(q);", "is 1 qubit, got 2", 22),
    ],
)
def test_message_and_place(text: str, message: str, column: int, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(QasmError) as caught:
        loads(HEADER + text)
    assert message in caught.value.message
    assert caught.value.line is not None and caught.value.line >= 3
    assert caught.value.column == column
    assert capfd.readouterr() == ("", "")


def test_missing_include() -> None:
    with pytest.raises(QasmError, match=r'Add .include "stdgates.inc"'):
        loads("OPENQASM 3.0; qubit q; h q;")


def test_flat_programs_need_no_grammar() -> None:
    import subprocess

    text = HEADER.replace("\n", " ") + "h q; cx q[0], q[1]; rz(pi/2) q; c = measure q;"
    code = f"import sys; from parsers import loads; loads({text!r}); print('antlr4' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
