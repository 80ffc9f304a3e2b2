"""Wrong programs: one clear error each, with the rule, the place, the line and a caret."""

import pytest

from parsers import QasmError, load, loads

V2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg c[2];\n'
V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nbit[2] c;\n'

#: (program after the header of 4 lines, words of the message, column of the error or None)
BOTH = [
    ("hh q[0];", "no gate called 'hh'. Did you mean 'h'?", 1),
    ("cnot q[0], q[1];", "Did you mean 'cx'", 1),
    ("cx q[0];", "'cx' acts on 2 qubits, got 1", None),
    ("h q[0], q[1];", "'h' acts on 1 qubit, got 2", None),
    ("cx q[1], q[1];", "different qubits", None),
    ("ccx q[0], q[1], q;", "different qubits", None),
    ("h q[3];", "elements 0 to 2; there is no q[3]", None),
    ("h qq[0];", "qq", None),
    ("measure q[0] -> d[0];", "'d", None),
    ("measure q -> c;", "", None),
    ("rx q[0];", "'rx' takes 1 parameter, got 0", None),
    ("rx(1, 2) q[0];", "'rx' takes 1 parameter, got 2", None),
    ("rx(theta) q[0];", "theta", None),
    ("rx(1/0.0) q[0];", "divided by zero", None),
    ("rx(sqrt(-1.0)) q[0];", "sqrt", None),
    ("rx(1e999) q[0];", "finite", None),
    ("h c[0];", "c", None),
    ("h q[0]", "", None),
    ("rx(1 q[0];", "", None),
    ("rx(.) q[0];", "", None),
    ("rx(.pi/4) q[0];", "", None),
    ("rx(²) q[0];", "", None),
    ("rx(٣) q[0];", "", None),
    ("h q[٣];", "", None),
    ("gate g a { g a; } g q[0];", "g", None),
    ("gate g a { measure a; } g q[0];", "measure", None),
    ("gate g a { h b; } g q[0];", "b", None),
    ("gate g(x, x) a { rx(x) a; } g(1, 2) q[0];", "", None),
    ("gate g a { h a; } gate g a { x a; }", "g", None),
    ("/* h q[0];", "no end", 1),
    ("h q[0]; \x00", "control character", None),
    ("x q[0]; €", "", None),
]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("body", "words", "column"), BOTH, ids=[body[:30] for body, _, _ in BOTH])
def test_error_shows_rule_and_place(version, body, words, column):
    text = (V2 if version == 2 else V3) + body + "\n"
    with pytest.raises(QasmError) as info:
        loads(text, filename="a.qasm")
    error = info.value
    assert words in error.message
    assert error.filename == "a.qasm"
    assert error.line == 5
    assert error.source_line == body.replace("\x00", "\x00")
    if column is not None:
        assert error.column == column
    first, shown, caret = str(error).split("\n")
    assert first == f"a.qasm:5:{error.column}: {error.message}"
    assert caret.strip() == "^"
    assert len(caret) - 2 == error.column
    assert shown[2:] == body.replace("\x00", "?")


ONLY_2 = [
    ("qubit r;", "OpenQASM 3"),
    ("ctrl @ x q[0], q[1];", "OpenQASM 3"),
    ("qreg q[2];", "declared already"),
    ("qreg r[0]; h r;", "no elements"),
    ("if (c == -1) x q[0];", ""),
    ("if (q == 1) x q[0];", "classical register"),
    ("if (c == 1) barrier q;", ""),
    ("if (c == 1) if (c == 2) x q[0];", ""),
    ("opaque noisy a; noisy q[0];", "opaque"),
    ('include "stdgates.inc";', "OpenQASM 3"),
    ("OPENQASM 2.0;", "first statement"),
    ("rx(sin) q[0];", "("),
    ("h q[-1];", ""),
    ("c = measure q;", ""),
]
ONLY_3 = [
    ("qubit[2] q;", "q"),
    ("qubit[-1] r;", ""),
    ("qubit[2.5] r;", ""),
    ("int n = 1; n = q;", "q"),
    ("const int n = 1; n = 2;", "n"),
    ("rx(q) q[0];", "q"),
    ("h q[-4];", "q[-4]"),
    ("let r = q[0:7];", ""),
    ("u q[0];", "stdgates.inc"),
    ("sxdg q[0];", "stdgates.inc"),
    ("ctrl(0) @ x q[0], q[1];", "controls"),
    ("ctrl(-1) @ x q[0], q[1];", ""),
    ("ctrl(2.5) @ x q[0], q[1];", ""),
    ("ctrl @ x q[0];", "2 qubits, got 1"),
    ("pow(1e999) @ x q[0];", "finite"),
    ("for int i in [0:0:3] { }", "step"),
    ("int[8] n = 1 / 0;", "zero"),
    ("int[8] n = 1 % 0;", "zero"),
    ("extern f(float) -> float; rx(f(1.0)) q[0];", "extern"),
    ('defcalgrammar "openpulse";', "defcalgrammar"),
    ("cal { }", "cal"),
    ("defcal x $0 { }", "defcal"),
    ("switch (1) { case 1 { } case 1 { } }", ""),
    ("break;", "break"),
    ("continue;", "continue"),
    ("return 1;", "return"),
    ("def f() { return 1; } f();", ""),
    ('{ include "stdgates.inc"; }', "include"),
    ("{ qubit r; }", ""),
    ("rx(1/0) q[0];", "zero"),
    ("int n = 5; int n = 6;", "declared already"),
    ("pi = 3;", "pi"),
    ("measure q;  h q[0] q[1];", ""),
    ("if (c == 1 { x q[0]; }", ""),
    ("while (true { x q[0]; }", ""),
    ("rx(log(0.0)) q[0];", "log"),
    ("rx(arccos(2.0)) q[0];", "arccos"),
    ("rx(ln(2.0)) q[0];", "log"),
    ("input float a; a = 2.0;", "a"),
]


@pytest.mark.parametrize(("body", "words"), ONLY_2)
def test_error_of_openqasm_2(body, words):
    with pytest.raises(QasmError) as info:
        loads(V2 + body)
    assert words in info.value.message
    assert info.value.line == 5


@pytest.mark.parametrize(("body", "words"), ONLY_3)
def test_error_of_openqasm_3(body, words):
    with pytest.raises(QasmError) as info:
        loads(V3 + body)
    assert words in info.value.message
    assert info.value.line == 5


def test_missing_include_is_suggested():
    with pytest.raises(QasmError, match=r"Add 'include \"qelib1\.inc"):
        loads("OPENQASM 2.0; qreg q[1]; h q[0];")
    with pytest.raises(QasmError, match=r"Add 'include \"stdgates\.inc"):
        loads("OPENQASM 3.0; qubit q; h q;")


def test_misspelt_register_is_suggested():
    for text in ("OPENQASM 2.0; qreg data[2]; U(0,0,0) dota[0];", "OPENQASM 3.0; qubit[2] data; U(0,0,0) dota[0];"):
        with pytest.raises(QasmError, match="Did you mean 'data'"):
            loads(text)


@pytest.mark.parametrize("version", ["1.0", "2.1", "4.0", "3.7"])
def test_unknown_version(version):
    with pytest.raises(QasmError, match=version):
        loads(f"OPENQASM {version};\nqubit q;")


def test_directory(tmp_path):
    with pytest.raises(QasmError, match="directory"):
        load(tmp_path)


def test_missing_file(tmp_path):
    with pytest.raises(QasmError, match="no such file"):
        load(tmp_path / "none.qasm")


def test_binary_file(tmp_path):
    path = tmp_path / "binary.qasm"
    path.write_bytes(b"\x7fELF\x02\x01\x01\x00\xff\xfe\x80")
    with pytest.raises(QasmError, match="binary"):
        load(path)


def test_binary_file_that_is_valid_utf8(tmp_path):
    path = tmp_path / "binary.qasm"
    path.write_bytes(bytes(1000))
    with pytest.raises(QasmError, match="binary"):
        load(path)


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "// only a comment\n", "/* only\na comment */"])
def test_empty_program(content, tmp_path):
    path = tmp_path / "empty.qasm"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(QasmError, match="program is empty"):
        load(path)


def test_not_a_string():
    with pytest.raises(QasmError, match="string"):
        loads(b"OPENQASM 2.0;")


def test_place_counts_comments_and_lines_of_statements():
    text = V3 + "/* a\n b */ h q[0]; // x\n  cx q[0],\n     q[9];\n"
    with pytest.raises(QasmError) as info:
        loads(text)
    assert (info.value.line, info.value.source_line) in [(7, "  cx q[0],"), (8, "     q[9];")]


def test_error_shows_the_comment_of_its_line():
    with pytest.raises(QasmError) as info:
        loads(V2 + "hh q[0]; // why not")
    assert info.value.source_line == "hh q[0]; // why not"
