"""OpenQASM 2: where errors are placed and what they say, limits, includes, and hostile programs."""

import pytest
from programs import H2, assert_same

from parsers import Limits, QasmError, load, loads
from qsim import Circuit

HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\nqreg r[2];\ncreg c[3];\n'


def error_of(text, **options):
    with pytest.raises(QasmError) as info:
        loads(text, **options)
    return info.value


#: (program after the five lines of HEAD, line, column, words of the message)
ERRORS = [
    ("cx q[0],\n  q[7];", 7, 3, "elements 0 to 2; there is no q[7]"),
    ("cx q[0],q[0];", 6, 4, "different qubits"),
    ("cx q,r;", 6, 4, "2 and 3"),
    ("h q[0]\nx q[1];", 6, 7, "ends with ';'"),
    ("h q[0] q[1];", 6, 7, "separated by ','"),
    ("h q[0]", 6, 1, "ends with ';'"),
    ("measure q -> c", 6, 1, "'measure qubits -> bits;'"),
    ("h qq[0];", 6, 3, "Did you mean 'q'?"),
    ("h c[0];", 6, 3, "'c' is a classical one"),
    ("h q[-1];", 6, 3, "'q[-1]'"),
    ("h q[99999999999999999999];", 6, 3, "20 digits"),
    ("hh q[0];", 6, 1, "Did you mean 'h'?"),
    ("x q[0]; cnot q[0],q[1];", 6, 9, "Did you mean 'cx'?"),
    ("cx q[0];", 6, 4, "acts on 2 qubits, got 1"),
    ("rx q[0];", 6, 1, "takes 1 parameter, got 0"),
    ("rx(1,2) q[0];", 6, 4, "takes 1 parameter, got 2"),
    ("rx(1/0) q[0];", 6, 5, "divided by zero"),
    ("rx(0^-1) q[0];", 6, 5, "divided by zero"),
    ("rx(ln(0)) q[0];", 6, 4, "no finite real value"),
    ("rx(sqrt(-1)) q[0];", 6, 4, "no finite real value"),
    ("rx(asin(2)) q[0];", 6, 4, "no finite real value"),
    ("rx((-8)^(1/3)) q[0];", 6, 8, "finite real number"),
    ("rx(10^308*10) q[0];", 6, 10, "finite real number"),
    ("rx(1e400) q[0];", 6, 4, "too large"),
    ("rx(1+) q[0];", 6, 6, "not the end"),
    ("rx(1.2.3) q[0];", 6, 7, "not '.3'"),
    ("rx(2*(3) q[0];", 6, 8, "')' is expected"),
    ("rx(pi/2 q[0];\nh q[1];", 6, 3, "not closed"),
    ("rx(p) q[0];", 6, 4, "Did you mean 'pi'?"),
    ("qreg q[2];", 6, 6, "declared already"),
    ("creg q[2];", 6, 6, "declared already"),
    ("qreg z[0];h z;", 6, 13, "no elements"),
    ("creg z[0];if(z==0) x q[0];", 6, 14, "no elements"),
    ("qreg z[200000];", 6, 8, "at most 100,000 qubits"),
    ("creg z[2000000];", 6, 8, "at most 1,000,000 classical bits"),
    ("qubit[2] a;", 6, 1, "belongs to OpenQASM 3"),
    ("bit b;", 6, 1, "belongs to OpenQASM 3"),
    ("ctrl @ x q[0],q[1];", 6, 1, "belongs to OpenQASM 3"),
    ("c[0] = measure q[0];", 6, 1, "assignment belongs to OpenQASM 3"),
    ("if (c == 1) { x q[0]; }", 6, 12, "Braces belong to OpenQASM 3"),
    ("if (c[0] == 1) x q[0];", 6, 1, "'if (register == number) operation;'"),
    ("if (q == 1) x q[0];", 6, 5, "'q' is a quantum one"),
    ("if (c == 1) barrier q;", 6, 13, "not 'barrier'"),
    ("if (c == 1) if (c == 2) x q[0];", 6, 13, "not 'if'"),
    ("measure q[0];", 6, 1, "'measure qubits -> bits;'"),
    ("measure r -> c;", 6, 9, "2 and 3"),
    ("measure q[0] -> c;", 6, 9, "same size"),
    ("measure q -> r;", 6, 14, "'r' is a quantum one"),
    ("measure q[0] -> c[3];", 6, 17, "there is no c[3]"),
    ("reset c;", 6, 7, "'c' is a classical one"),
    ("barrier q, z;", 6, 12, "no quantum register 'z'"),
    ("gate g a { g a; }", 6, 12, "cannot use itself"),
    ("gate g a { k a; } gate k a { x a; }", 6, 12, "no gate called 'k'"),
    ("gate g a,a { }", 6, 10, "different names"),
    ("gate g(t,t) a { }", 6, 10, "different names"),
    ("gate g { }", 6, 6, "at least one qubit"),
    ("gate g a { x a }", 6, 12, "ending with ';'"),
    ("gate g a { x b; }", 6, 14, "no qubit 'b'"),
    ("gate g a { x a[0]; }", 6, 14, "no index"),
    ("gate g a,b { cx a,a; }", 6, 17, "different qubits"),
    ("gate g a { reset a; }", 6, 12, "no 'reset'"),
    ("gate g(t) a { rx(u) a; }", 6, 18, "'u' is no parameter"),
    ("gate g(t) a { rx(t/0) a; }", 6, 19, "divided by zero"),
    ("gate g(t) a { rx(1/t) a; } g(0) q[0];", 6, 30, "1.0 / 0.0 is not"),
    ("gate g(t) a { rx(ln(t)) a; } gate k(t) a { g(t-1) a; } k(2) q[0]; k(1) q[0];", 6, 69, "log(0.0) is not"),
    ("gate g a { x a; } gate g a { y a; }", 6, 24, "defined already"),
    ("gate CX a,b { }", 6, 6, "defined already"),
    ("opaque magic a; magic q[0];", 6, 17, "is opaque"),
    ("// note\n/* two\nlines */ hh q[0];", 8, 10, "Did you mean 'h'?"),
]


@pytest.mark.parametrize(("body", "line", "column", "words"), ERRORS, ids=[body[:40] for body, *_ in ERRORS])
def test_error_and_its_place(body, line, column, words):
    error = error_of(HEAD + body)
    assert words in error.message
    assert (error.line, error.column) == (line, column)
    assert error.source_line == (HEAD + body).split("\n")[line - 1]


@pytest.mark.parametrize("name", ["h", "u3", "swap", "rzz"])
def test_without_the_include_only_u_and_cx_exist(name):
    error = error_of(f"OPENQASM 2.0;\nqreg q[2];\n{name} q[0];")
    assert "Add 'include \"qelib1.inc\";'" in error.message
    assert (error.line, error.column) == (3, 1)


def test_a_repeated_call_means_what_its_name_means_then():
    text = "qreg q[2]; h q[0]; h q[0]; gate h a { x a; } h q[0]; h q[0]; h q[0];"
    assert_same(H2 + text, Circuit(2).h(0).h(0).x(0).x(0).x(0))
    assert "is opaque" in error_of(H2 + "qreg q[1]; h q[0]; opaque h a, b; h q[0];").message


def test_a_repeated_call_checks_its_parameters():
    assert "got 2" in error_of(H2 + "qreg q[1]; u2(1,2) q[0]; rx(1) q[0]; rx(1,2) q[0];").message
    assert "got 1" in error_of(H2 + "qreg q[1]; h q[0]; rx(1) q[0]; h(1) q[0];").message
    assert "got 0" in error_of(H2 + "qreg q[1]; rx(1) q[0]; rx q[0];").message


def test_operands_mean_the_same_after_another_register():
    assert_same(H2 + "qreg a[1]; h a; qreg b[2]; h a; cx a[0], b;", Circuit(3).h(0).h(0).cx(0, 1).cx(0, 2))


def test_a_barrier_takes_each_qubit_once():
    circuit = loads(HEAD + "barrier r[1], q, r; barrier r[1], q, r;")
    assert [i.qubits for i in circuit] == [(4, 0, 1, 2, 3)] * 2


# limits -------------------------------------------------------------------------------------------------------
REPEATED = ["h a;", "measure a -> b;", "reset a;", "barrier a;", "if (b == 0) h a;", "if (b == 0) reset a;",
            "if (b == 0) measure a -> b;", "g a;", "h a[0];"]  # fmt: skip


@pytest.mark.parametrize("statement", REPEATED)
def test_every_statement_counts(statement):
    times = 150 if "a[0]" in statement else 3
    text = H2 + "gate g x { h x; }\nqreg a[50]; creg b[50];\n" + f"{statement}\n" * times
    assert loads(text, limits=Limits(operations=151)).num_qubits == 50  # the body of g is one
    error = error_of(text, limits=Limits(operations=150))
    assert "at most 150 gates" in error.message
    assert error.line == 4 + times


def test_a_definition_of_definitions_is_counted_not_expanded():
    text = "gate g0 a { x a; }\n" + "".join(f"gate g{k} a {{ g{k - 1} a; g{k - 1} a; }}\n" for k in range(1, 60))
    error = error_of(H2 + text + "qreg q[1]; g59 q[0];")
    assert "at most 3,000,000 gates" in error.message


def test_nesting_is_limited():
    assert len(loads(HEAD + f"rx({'(' * 90}1{')' * 90}) q[0];", limits=Limits(nesting=100))) == 1
    assert (
        "at most 100 deep" in error_of(HEAD + f"rx({'(' * 110}1{')' * 110}) q[0];", limits=Limits(nesting=100)).message
    )


@pytest.mark.parametrize("text", ["rx({}) q[0];", "gate g(p{0}) a {{ }}", "gate g{0} a {{ }}", "qreg q{0}[1];"])
def test_names_and_numbers_have_a_longest_length(text):
    assert "at most 10 characters" in error_of(HEAD + text.format("1" * 11), limits=Limits(token_length=10)).message


# includes -----------------------------------------------------------------------------------------------------
@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.inc").write_text("gate secret a { U(0,0,1) a; }")
    return inside


def test_include_from_a_folder(folder):
    (folder / "mine.inc").write_text("gate mine a { U(pi,0,pi) a; }")
    text = 'OPENQASM 2.0; include "mine.inc"; qreg q[1]; mine q[0];'
    assert_same("OPENQASM 2.0; gate mine a { U(pi,0,pi) a; } qreg q[1]; mine q[0];", loads(text, include_dirs=[folder]))
    (folder / "program.qasm").write_text(text)
    assert len(load(folder / "program.qasm", include_dirs=[folder])) == 1
    assert "include_dirs" in error_of(text).message


def test_an_error_in_an_include_names_its_file(folder):
    (folder / "mine.inc").write_text('include "qelib1.inc";\ngate mine a { hh a; }')
    error = error_of('OPENQASM 2.0; include "mine.inc";', include_dirs=[folder])
    assert error.filename.endswith("mine.inc")
    assert (error.line, error.column) == (2, 15)


@pytest.mark.parametrize(
    "name", ["../secret.inc", "/etc/passwd", "..\\\\secret.inc", "a/../../secret.inc", "link.inc", ""]
)
def test_an_include_stays_in_its_folder(name, folder):
    (folder / "link.inc").symlink_to(folder.parent / "secret.inc")
    error = error_of(f'OPENQASM 2.0;\ninclude "{name}";', include_dirs=[folder])
    assert "secret" not in error.message.replace(name, "")
    assert error.line == 2


def test_an_include_beside_the_program_never_replaces_the_builtin(folder):
    (folder / "qelib1.inc").write_text("gate h a { U(0,0,0) a; }")
    assert_same(H2 + "qreg q[1]; h q[0];", loads(H2 + "qreg q[1]; h q[0];", include_dirs=[folder]))
    assert loads(H2 + "qreg q[1]; h q[0];", include_dirs=[folder]).count_ops() == {"h": 1}


def test_includes_end(folder):
    (folder / "self.inc").write_text('include "self.inc";')
    assert "includes itself" in error_of('OPENQASM 2.0; include "self.inc";', include_dirs=[folder]).message
    for k in range(20):
        (folder / f"{k}.inc").write_text(f'include "{k + 1}.inc";')
    assert "at most 16 deep" in error_of('OPENQASM 2.0; include "0.inc";', include_dirs=[folder]).message


# hostile programs ---------------------------------------------------------------------------------------------
HOSTILE = {
    "brackets": "rx(" + "(" * 100_000 + "1" + ")" * 100_000 + ") q[0];",
    "signs": "rx(" + "-" * 100_000 + "1) q[0];",
    "functions": "rx(" + "sin(" * 50_000 + "1) q[0];",
    "powers": "rx(" + "2^" * 100_000 + "1) q[0];",
    "terms": "rx(" + "1+" * 100_000 + "1) q[0];",
    "digits": "rx(" + "9" * 1_000_000 + ") q[0];",
    "long name": "x" * 1_000_000 + " q[0];",
    "operands": "h " + "q[0]," * 100_000 + "q[1];",
    "no semicolons": "h q[0]" * 100_000,
    "comment openers": "/*" * 500_000,
    "open brackets": "a(" * 300_000,
    "open braces": "{" * 500_000,
    "quotes": '"' * 500_000,
    "gate words": "gate " * 100_000,
    "conditions": "if(c==1) " * 100_000,
    "condition digits": "if (c==" + "9" * 100_000 + ") x q[0];",
    "blank lines": "h q[0] " + "\n" * 1_000_000 + ";",
    "formal parameters": "gate g(" + ",".join(f"p{k}" for k in range(20_000)) + ") a { }",
    "formal qubits": "gate g " + ",".join(f"p{k}" for k in range(20_000)) + " { }",
    "definitions": "\n".join(f"gate g{k} a {{ }}" for k in range(10_000)),
    "values": "gate g0(t) a { rx(1/t) a; }"
    + "".join(f"gate g{k}(t) a {{ g{k - 1}(t+1) a; g{k - 1}(t+2) a; }}" for k in range(1, 25))
    + "g24(1) q[0];",
    "barriers": "qreg z[20000];" + "barrier z;" * 1000,
    "conditions on a wide register": "creg z[20000];" + "if (z==1) x q[0];" * 2000,
    "similar names": "".join(f"gate {'a' * 900}{k} a {{ }}" for k in range(500)) + "a" * 901 + "x q[0];",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_program_is_answered_soon(name):
    try:
        circuit = loads(HEAD + HOSTILE[name])
    except QasmError as error:
        assert len(str(error)) < 1000
    else:
        assert circuit.num_qubits > 0


def test_a_hundred_thousand_statements():
    lines = [f"cx q[{k % 3}],q[{(k + 1) % 3}];\nrz(pi/{k % 64 + 1}) q[{k % 3}];" for k in range(50_000)]
    text = HEAD + "\n".join(lines)
    assert len(loads(text)) == 100_000
