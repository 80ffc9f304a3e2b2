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
        ("const int n = 1; n = 2;", "is a constant", 18),
        ("gate g a { g a; }", "cannot use itself", 12),
        ("gate g a { } gate g a { }", "declared already", 14),
        ("int q;", "declared already", 1),
        ("for int i in [0:0:3] { }", "not 0", 17),
        ("ctrl(0) @ x q[0];", "1 to 62 controls", 6),
        ("pow(c) @ x q[0];", "real number", 5),
        ("break;", "outside loop", 1),
        ("return 1;", "", 1),
        ("h q[0]\nx q[1];", "A ';' seems to be missing", 7),
        ("x q[0]; }", "closes nothing", 9),
        ("switch (1) { case 1 { } case 1 { } }", "occurs once", 30),
        ('include "/etc/passwd";', "No file is read", 1),
        ("let a = q[{0, 0}];", "picked twice", 9),
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


def errors_of(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(QasmError) as caught:
        loads(HEADER + text)
    return [(error.line, error.message) for error in caught.value.errors]


def test_several_errors_are_reported_in_one_go() -> None:
    found = errors_of("hh q[0];\nh q[0];\nint n = zeta;\nrx(n) q[0];\nx q[5];\nif (c[0]) { yy q[0]; }\nx q[0];")
    assert [line for line, _ in found] == [
        3,
        5,
        7,
        8,
    ]  # the use of n, whose declaration is wrong, is no error of its own
    with pytest.raises(QasmError) as caught:
        loads(HEADER + "hh q[0];\nx q[5];")
    assert str(caught.value).count("^") == 2 and caught.value.errors[0] is caught.value


def test_errors_of_syntax_are_reported_together() -> None:
    found = errors_of("int = 3;\nh q[0];\nif c[0] { x q[0]; }\nx q[0];\nrx(1 q[0];")
    assert [line for line, _ in found] == [3, 5, 7] or found[0][0] == 7  # unbalanced brackets come first, alone
    found = errors_of("int = 3;\nh q[0];\nif c[0] { x q[0]; } else { y q[1]; }\nwhile true { }\nx q[0];")
    assert [line for line, _ in found] == [3, 5, 6]


def test_the_number_of_errors_is_limited() -> None:
    found = errors_of("hh q[0];\n" * 1000)
    assert len(found) == 20


def test_what_follows_from_an_error_is_not_reported() -> None:
    text = "gate g a { hh a; }\ng q[0];\ng q[1];\nqubit[200000] r;\nh r;\nlet part = r[0];\nx part;\ndef f() -> int { return zeta; }\nint k = f();\nrx(k) q[0];"
    assert [line for line, _ in errors_of(text)] == [3, 6, 10]


@pytest.mark.parametrize(
    "text",
    [
        "if (true) { " * 60 + "x q[0];" + "}" * 60,
        "rx(" + "sin(" * 198 + "1" + ")" * 198 + ") q[0]; int n = 0; n = " + "(" * 199 + "1" + ")" * 199 + ";",
        "for int i in [0:0] { " * 55 + "x q[0];" + "}" * 55,
    ],
)
def test_deep_nesting_is_read_or_an_error_and_the_recursion_limit_stays(text: str) -> None:
    before = sys.getrecursionlimit()
    try:
        loads(HEADER + text)
    except QasmError as error:
        assert "nested" in error.message and error.line == 3
    assert sys.getrecursionlimit() == before


def test_blocks_40_deep_and_calls_90_deep_are_read() -> None:
    assert len(loads(HEADER + "if (true) { " * 40 + "x q[0];" + "}" * 40)) == 1
    text = (
        "def f(int n, qubit a) -> int { if (n == 0) { x a; return 1; } return 1 + f(n - 1, a); } rx(f(90, q[0])) q[1];"
    )
    assert len(loads(HEADER + text)) == 2


def test_a_loop_that_never_ends_is_stopped_by_a_limit_that_is_named() -> None:
    found = errors_of("int n = 0; while (n < 10) { x q[0]; n = n * 2; }")
    assert "at most 10,000 rounds" in found[0][1]


def test_division_of_integers_in_an_angle_warns_once_for_a_place() -> None:
    from parsers import QasmWarning

    with pytest.warns(QasmWarning, match=r"<string>:3:\d+: .*1/2 is 0") as caught:
        circuit = loads(HEADER + "for int i in [0:5] { rx(1/2 * pi) q[0]; }")
    assert len(caught) == 1 and len(circuit) == 6
    loads(HEADER + "rx(4/2 * pi) q[0]; rx(pi/2) q[0];")


@pytest.mark.parametrize(
    "use", ["h e;", "cx q[0], e;", "barrier e;", "n = measure q;", "if (n == 0) x q[0];", "let b = q ++ e;"]
)
def test_an_empty_register_is_declared_as_exporters_do_but_not_used(use: str) -> None:
    declared = HEADER + "qubit[0] e; bit[0] n;"
    assert len(loads(declared + " h q[0];")) == 1
    with pytest.raises(QasmError, match=r"Register '[en]' has no elements"):
        loads(declared + use)


def test_a_constant_is_made_of_constants() -> None:
    for text in ("int k = 3; const int n = k;", "c[0] = measure q[0]; const int n = c[0];", "const float x = sin(yy);"):
        with pytest.raises(QasmError, match="made of constants only|not declared"):
            loads(HEADER + text)
    loads(HEADER + "const int k = 2; const uint[4] n = uint[4](k) + sizeof(c); rx(n * pi) q[0];")


def test_declarations_that_differ_in_name_and_numbers() -> None:
    circuit = loads(HEADER + "int[4] a = 3; int[4] b10 = 12; input float s; input float t; float[64] e = a; float[64] d = b10;"
                    "rx(s + 2 * t) q[0]; rx(e) q[0]; rx(d) q[0];")  # fmt: skip
    assert [p.name for p in circuit.parameters] == ["s", "t"]
    assert [step.operation.params[0] for step in list(circuit)[1:]] == [3.0, -4.0]
    found = errors_of("int a = 3; int b = b; int @ = 4; int a = 5; int if = 6;")
    assert len(found) == 2 and all("cannot stand here" in message for _, message in found)
    found = errors_of("int a = 3; int b = b; int a = 5; int pi = 6;")
    assert [message.split(";")[0] for _, message in found] == [
        "'b' is not declared.", "'a' is declared already, as a variable", "'pi' is built in and cannot be declared."]  # fmt: skip


def test_a_delay_too_long_for_a_number_has_its_place() -> None:
    for text in ("delay[1e308s] q[0];", "duration d = -1e308s; box[d] { x q[0]; }"):
        with pytest.raises(QasmError, match="less than 1e308 nanoseconds") as info:
            loads(HEADER + text)
        assert info.value.line == 3


@pytest.mark.parametrize("text", ["", " \n", "// nothing"])
def test_an_empty_program_has_a_place(text: str) -> None:
    with pytest.raises(QasmError, match="empty") as info:
        loads(text)
    assert (info.value.line, info.value.column) == (1, 1)
