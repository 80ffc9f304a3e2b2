"""Programs made to exhaust memory, time or the stack: each ends soon, read or refused with a QasmError."""

import contextlib

import pytest
from programs import H2, H3

from parsers import Limits, QasmError, loads

Q2, Q3 = H2 + "qreg q[2]; creg c[2];\n", H3 + "qubit[2] q; bit[2] c;\n"


def tower(version, levels, width=10):
    text = Q2 if version == 2 else Q3
    text += "gate g0 a { x a; }\n"
    text += "".join(f"gate g{k + 1} a {{ {f'g{k} a; ' * width}}}\n" for k in range(levels))
    return text + f"g{levels} q[0];"


def doubling(levels):
    text = Q2 + "gate g0(t) a { rx(t) a; }\n"
    return text + "".join(f"gate g{k + 1}(t) a {{ g{k}(t+t) a; }}\n" for k in range(levels)) + f"g{levels}(1e-9) q[0];"


REFUSED = {
    "include of a system file": Q2 + 'include "/etc/passwd";',
    "include of a system file, 3": Q3 + 'include "/etc/passwd";',
    "include upwards": Q2 + 'include "../../../../etc/passwd";',
    "include of a device": Q3 + 'include "/dev/zero";',
    "include of a folder": Q3 + 'include "/etc";',
    "definitions 10**12": tower(2, 12),
    "definitions 10**12, 3": tower(3, 12),
    "definitions 2**60": tower(2, 60, 2),
    "a gate that uses itself": Q2 + "gate g a { g a; } g q[0];",
    "a gate that uses itself, 3": Q3 + "gate g a { g a; } g q[0];",
    "gates that use one another": Q3 + "gate f a { g a; } gate g a { f a; } g q[0];",
    "brackets 1000 deep": Q2 + f"rx({'(' * 1000}1{')' * 1000}) q[0];",
    "brackets 1000 deep, 3": Q3 + f"rx({'(' * 1000}1{')' * 1000}) q[0];",
    "brackets 100000 deep": Q2 + f"rx({'(' * 100_000}1{')' * 100_000}) q[0];",
    "brackets 100000 deep, 3": Q3 + f"rx({'(' * 100_000}1{')' * 100_000}) q[0];",
    "brackets never closed": Q3 + "rx(" + "(" * 100_000,
    "signs 100000 deep": Q2 + f"rx({'-' * 100_000}1) q[0];",
    "signs 100000 deep, 3": Q3 + f"rx({'-' * 100_000}1) q[0];",
    "powers 100000 deep": Q2 + f"rx({'1^' * 100_000}1) q[0];",
    "powers 10000 deep, 3": Q3 + f"rx({'1**' * 10_000}1) q[0];",
    "calls of functions 5000 deep": Q3 + f"rx({'sin(' * 5000}1{')' * 5000}) q[0];",
    "blocks 5000 deep": Q3 + "{" * 5000 + "x q[0];" + "}" * 5000,
    "branches 1000 deep": Q3 + "if (true) {" * 1000 + "x q[0];" + "}" * 1000,
    "branches 3000 deep without braces": Q3 + "if (true) " * 3000 + "x q[0];",
    "else if, 3000 of them": Q3 + "if (c == 1) { x q[0]; } " + "else if (c == 2) { x q[0]; } " * 3000,
    "a million controls": Q3 + "ctrl(1000000) @ x q[0];",
    "power 1e308 of a definition": Q3 + "gate g a { x a; } pow(1000000000) @ g q[0];",
    "10**9 qubits": H2 + "qreg q[1000000000]; h q;",
    "10**9 qubits, 3": H3 + "qubit[1000000000] q; h q;",
    "2**64 qubits": H2 + "qreg q[18446744073709551616];",
    "10**10 bits": H3 + "bit[10000000000] c;",
    "array of 10**9": H3 + "array[float[64], 1000000000] a;",
    "array of 10**9, two dimensions": H3 + "array[float[64], 100000, 100000] a;",
    "loop of 10**12": Q3 + "for int i in [0:1000000000000] { x q[0]; }",
    "loop of 10**12, empty": Q3 + "for int i in [0:1000000000000] { }",
    "loops inside loops": Q3 + "for int i in [0:10000] { for int j in [0:10000] { x q[0]; } }",
    "endless loop": Q3 + "while (true) { x q[0]; }",
    "endless loop, empty": Q3 + "while (1 == 1) { }",
    "endless recursion": Q3 + "def f(qubit a) { f(a); } f(q[0]);",
    "endless mutual recursion": Q3 + "def f(qubit a) { g(a); } def g(qubit a) { f(a); } f(q[0]);",
    "branching recursion": Q3 + "def f(int n) -> int { return f(n - 1) + f(n - 1); } int k = f(90);",
    "2**(2**40)": Q3 + "const int n = 2**(2**40);",
    "10**10**10": Q3 + "rx(10**10**10) q[0];",
    "1 << 10**10": Q3 + "const int n = 1 << 10**10;",
    "9**9**9": Q3 + "rx(9**9**9) q[0];",
    "2^2^2^2^2^2": Q2 + "rx(2^2^2^2^2^2) q[0];",
    "integer of 10000 bits": Q3 + "int[10000000000] n = 1;",
    "literal of a million digits": Q2 + f"rx({'1' * 1_000_000}) q[0];",
    "literal of a million digits, 3": Q3 + f"rx({'1' * 1_000_000}) q[0];",
    "size of a million digits": H3 + f"qubit[{'1' * 1_000_000}] q;",
    "index of a million digits": Q3 + f"x q[{'1' * 1_000_000}];",
    "index of 5000 digits": Q2 + f"x q[{'1' * 5000}];",
    "name of a million characters": H2 + f"qreg {'a' * 1_000_000}[1];",
    "name of a million characters, 3": H3 + f"qubit {'a' * 1_000_000};",
    "condition of a million digits": Q2 + f"if (c == {'1' * 1_000_000}) x q[0];",
    "physical qubit $999999999999999999999999 indexed": Q3 + "x $0[1];",
    "nothing but brackets": Q3 + "}" * 1000,
    "nothing but semicolons and a quote": Q3 + ";" * 1000 + '"',
    "string never closed": 'OPENQASM 3.0;\ninclude "stdgates.inc;\nqubit q;',
    "comment never closed": Q2 + "/*" * 100_000,
    "registers broadcast": H2 + "qreg q[100000];" + "h q;" * 400,
    "registers broadcast, 3": H3 + "qubit[50000] q; qubit[50000] r;" + "cx q, r;" * 400,
    "registers reset": H3 + "qubit[100000] q;" + "reset q;" * 400,
    "registers delayed": H3 + "qubit[100000] q;" + "delay[1ns] q;" * 400,
    "a loop of measured branches": Q3 + "for int i in [0:99998] { c[0] = measure q[0]; if (c[0]) { x q[1]; } }",
    "a loop of measured integers": Q3 + "c = measure q; int m = int(c); for int i in [0:49999] { m = m * m + 1; }",
    "a loop of copies": Q3
    + "array[int[8], 1000, 1000] a; array[int[8], 1000, 1000] b; for int i in [0:1000] { b = a; }",
    "many large arrays": Q3 + "".join(f"array[int[8], 1000000] a{k};" for k in range(9)),
    "arrays that are measured": Q3
    + "c = measure q; "
    + "".join(f"array[bool, 60000] a{k}; a{k}[0] = c[0];" for k in range(30)),
    "qubits that are measured": H3
    + "qubit[1000] q; bit[10] m = measure q[0:9]; uint[10] i = m; ccx q[i], q[i+1], q[i+2];",
    "aliases that double": H3 + "bit[2] a0; " + "".join(f"let a{k + 1} = a{k} ++ a{k};" for k in range(40)),
    "durations that grow": Q3 + "duration d = 1ns; for int i in [0:20000] { d = d * 1.37; }",
    "measured recursion": Q3 + "def f(int n, bit b) -> int { if (b) { return n; } if (n == 0) { return 0; } "
    "return f(n - 1, b) + f(n - 1, b); } c = measure q; int k = f(60, c[0]);",
    "a long statement without an end": Q3 + "h " + "q[0]," * 100_000,
    "a square array": Q3 + "array[int[8], 1000, 1000, 1000] a;",
    "a call that makes operations": Q3 + "def f(int n) { for int i in [0:1000] { x q[0]; } }",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_soon(name):
    if name == "a call that makes operations":  # the subroutine is never called
        loads(REFUSED[name])
        return
    with pytest.raises(QasmError) as info:
        loads(REFUSED[name])
    assert len(str(info.value)) < 2000
    assert "root:" not in str(info.value)


READ = {
    "brackets 100 deep": (Q2 + f"rx({'(' * 100}1{')' * 100}) q[0];", 1),
    "brackets 100 deep, 3": (Q3 + f"rx({'(' * 100}1{')' * 100}) q[0];", 1),
    "sum of 9000 terms": (Q2 + f"rx({'1+' * 9000}1) q[0];", 1),
    "sum of 900 terms, 3": (Q3 + f"rx({'1+' * 900}1) q[0];", 1),
    "doubled angles": (doubling(40), 1),
    "inv @ 5000 times": (Q3 + "inv @ " * 5000 + "x q[0];", 1),
    "power 10**9 of x": (Q3 + "pow(1000000000) @ x q[0];", 1),
    "a million semicolons": (Q2 + ";" * 1_000_000 + "x q[0];", 1),
    "a comment of a megabyte": (Q3 + "/*" + "x q[0];\n" * 130_000 + "*/ x q[0];", 1),
    "one line of 2 megabytes": (Q3 + "x q[0];" * 100_000, 100_000),
    "a barrier of 100000 operands": (H2 + "qreg q[2]; barrier " + "q[0]," * 100_000 + "q[1];", 1),
    "20000 registers": (H2 + "".join(f"qreg r{k}[1];" for k in range(20_000)), 0),
    "20000 registers, 3": (H3 + "".join(f"bit r{k};\n" for k in range(2_000)), 0),
    "spaces": (Q2 + " " * 1_000_000 + "x q[0];", 1),
    "spaces, 3": (Q3 + " " * 1_000_000 + "x q[0];", 1),
    "empty lines": (Q3 + "\n" * 1_000_000 + "x q[0]; int n = 1;", 1),
}


@pytest.mark.parametrize("name", READ)
def test_read_soon(name):
    text, size = READ[name]
    assert len(loads(text)) == size


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(source_bytes=10), Q2), (Limits(qubits=1), Q2), (Limits(qubits=1), Q3), (Limits(clbits=1), Q2),
        (Limits(clbits=1), Q3), (Limits(operations=2), Q2 + "h q; h q;"), (Limits(operations=2), Q3 + "h q; h q;"),
        (Limits(nesting=5), Q2 + "rx(((((((1))))))) q;"), (Limits(nesting=5), Q3 + "rx(((((((1))))))) q;"),
        (Limits(loop_trips=5), Q3 + "for int i in [0:9] { }"), (Limits(call_depth=3), Q3 + "def f(int n) { if (n > 0) { f(n - 1); } } f(9);"),
        (Limits(array_elements=3), Q3 + "array[int[8], 4] a;"), (Limits(integer_bits=16), Q3 + "const int n = 2**20;"),
        (Limits(token_length=5), Q2 + "qreg abcdefgh[1];"), (Limits(token_length=5), Q3 + "qubit abcdefgh;"),
    ],
)  # fmt: skip
def test_limits_are_settable(limits, text):
    with pytest.raises(QasmError, match=r"at most|limit|too"):
        loads(text, limits=limits)


def test_text_of_a_program_is_never_run(tmp_path):
    path = tmp_path / "touched"
    payload = f"__import__('pathlib').Path('{path}').touch()"
    for text in (
        Q2 + f"rx({payload}) q[0];",
        Q3 + f"rx({payload}) q[0];",
        Q3 + f"pragma {payload}\n",
        Q2 + f"gate {payload} a {{ }}",
    ):
        with contextlib.suppress(QasmError):
            loads(text)
        assert not path.exists()


def test_includes_stay_in_their_folders(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "lib.inc").write_text("gate twist a { x a; }")
    (inner / "self.inc").write_text('include "self.inc";')
    (tmp_path / "secret.inc").write_text("secret words;")
    (inner / "link.inc").symlink_to(tmp_path / "secret.inc")
    for head in (Q2, Q3):
        assert len(loads(head + 'include "lib.inc"; twist q[0];', include_dirs=[inner])) == 1
        for name in ("link.inc", "../secret.inc", str(tmp_path / "secret.inc"), "self.inc", "none.inc", ".", ""):
            with pytest.raises(QasmError) as info:
                loads(head + f'include "{name}";', include_dirs=[inner])
            assert "secret words" not in str(info.value)
        with pytest.raises(QasmError, match="include_dirs"):
            loads(head + 'include "lib.inc"; twist q[0];')


def test_an_error_in_an_included_file_names_it(tmp_path):
    (tmp_path / "lib.inc").write_text("gate fine a { x a; }\ngate broken a { nothing a; }\n")
    for head in (Q2, Q3):
        with pytest.raises(QasmError) as info:
            loads(head + 'include "lib.inc";', include_dirs=[tmp_path])
        assert info.value.filename.endswith("lib.inc")
        assert info.value.line == 2


@pytest.mark.parametrize("text", ["c = ~c; " * 100, "if (c == c) { } " * 100, "c = ~c; c = rotl(c, 1); c = c << 1;"])
def test_registers_of_a_million_bits_are_not_read_and_written_over_and_over(text):
    with pytest.raises(QasmError, match="at most"):
        loads("OPENQASM 3.0; bit[1000000] c; " + text * 4)


@pytest.mark.parametrize("begin", ["int x = ", 'include "stdgates.inc"; qubit q; rx('])
def test_a_long_expression_is_refused_before_the_grammar_sees_it(begin):
    end = ") q;" if begin.endswith("(") else ";"
    with pytest.raises(QasmError, match="at most 30,000 operators; this one has 100,00[01]") as caught:
        loads(f"OPENQASM 3.0;\n{begin}{'+'.join(['1'] * 100_001)}{end}")
    assert caught.value.line == 2
