"""The language of OpenQASM 3 as its specification says, by programs that check themselves: `CHECK(condition);`."""

import re

import pytest
from programs import H3

from parsers import QasmError, QasmWarning, loads
from qsim import CircuitError, Simulator
from qsim.classical import IfElse

PROGRAMS = {
    "int wrap": (
        "int[8] a = 127; a += 1; CHECK(a == -128); uint[4] u = 15; u += 2; CHECK(u == 1); int[4] b = -8; b -= "
        "1; CHECK(b == 7); int[4] n = -8; n = -n; CHECK(n == -8);"
    ),
    "int wrap init": (
        "int[4] a = 17; CHECK(a == 1); uint[8] u = -1; CHECK(u == 255); int[8] i = 200; CHECK(i == -56);"
    ),
    "casts": (
        "CHECK(int(3.9) == 3); CHECK(int(-3.9) == -3); CHECK(uint[4](17) == 1); CHECK(bool(2)); "
        "CHECK(!bool(0)); CHECK(float(3) == 3.0); CHECK(int[8](uint[8](int[8](-5))) == -5); "
        'CHECK(int[4]("1111") == -1); CHECK(uint[4]("1010") == 10); CHECK(bool("0100")); '
        'CHECK(bit[4](uint[4](5)) == "0101"); CHECK(int(true) == 1); CHECK(float(true) == 1.0); bit[4] z = '
        'true; CHECK(z == "0001");'
    ),
    "angle casts": (
        'angle[8] t = 6.283185307179586 * (127./512.); CHECK(bit[8](t) == "01000000"); angle[4] p = "1010"; '
        'CHECK(bit[4](p) == "1010"); CHECK(bool(p)); angle[8] w = p; CHECK(bit[8](w) == "10100000"); angle[2] '
        'n = angle[4]("1010"); CHECK(bit[2](n) == "10"); angle[4] f = pi/2; CHECK(bit[4](f) == "0100");'
    ),
    "angle ops": (
        "angle[4] a = 9 * (pi / 8); CHECK((a << 2) == pi/2); CHECK((a >> 2) == pi/4); angle[4] b = pi/8; "
        "CHECK(a + b == 10*(pi/8)); CHECK(b - a == pi); CHECK(a / b == 9); CHECK((a & b) == b); "
    ),
    "popcount/rot": (
        'uint[6] b = 37; CHECK(popcount(b) == 3); CHECK(rotl(b, 3) == 44); bit[8] a = "10001111"; '
        'CHECK(rotl(a, 2) == "00111110"); CHECK(rotr(a, -2) == rotl(a, 2)); CHECK(rotr(a, 1) == "11000111"); '
        'CHECK((a << 1) == "00011110"); CHECK((a >> 1) == "01000111"); CHECK(popcount(a) == 5); CHECK(rotl(a, '
        '8) == a); CHECK(~a == "01110000");'
    ),
    "functions2": (
        "CHECK(arccos(1.0) == 0.0); CHECK(arcsin(0) == 0.0); CHECK(arctan(0.0) == 0.0); CHECK(ceiling(1.2) == "
        "2.0); CHECK(floor(-1.2) == -2.0); CHECK(cos(0) == 1.0); CHECK(exp(0) == 1.0); CHECK(log(1) == 0.0); "
        "CHECK(mod(7, 3) == 1); CHECK(mod(-7, 3) == -1); CHECK(mod(5.5, 2.0) == 1.5); CHECK(sin(0) == 0); "
        "CHECK(sqrt(9) == 3); CHECK(tan(0) == 0); CHECK(real(3.0 + 4.0im) == 3); CHECK(imag(3.0 + 4im) == 4); "
        "CHECK(sqrt(-4.0 + 0im) == 2im); CHECK(log(euler) == 1.0); CHECK(tau == 2*pi);"
    ),
    "sizeof": (
        "array[int[8], 3, 4] a; CHECK(sizeof(a) == 3); CHECK(sizeof(a, 0) == 3); CHECK(sizeof(a, 1) == 4); "
        "CHECK(sizeof(a[0]) == 4); CHECK(sizeof(q) == 8); bit[5] c; CHECK(sizeof(c) == 5); const uint n = "
        "sizeof(a, 1); bit[n] d; CHECK(sizeof(d) == 4);"
    ),
    "division": (
        "CHECK(7/2 == 3); CHECK(-7/2 == -3); CHECK(7 % -3 == 1); CHECK(-7 % 3 == -1); CHECK(7/2.0 == 3.5); "
        "CHECK(2**3 == 8); CHECK(2**-1 == 0.5); CHECK(2**3**2 == 512); CHECK(-2**2 == -4); CHECK(2.0**0.5 == "
        "sqrt(2));"
    ),
    "precedence": (
        "CHECK(1 + 2 * 3 == 7); CHECK((1 | 2 ^ 3 & 2) == 1); CHECK(1 << 2 + 1 == 8); CHECK(!false && true || "
        "false); CHECK((~5 & 0xF) == 10);"
    ),
    "bitops int": (
        "int[8] a = 12; CHECK((a & 10) == 8); CHECK((a | 3) == 15); CHECK((a ^ 5) == 9); CHECK(~a == -13); a "
        "<<= 1; CHECK(a == 24); a >>= 3; CHECK(a == 3); a |= 4; CHECK(a == 7); a &= 5; CHECK(a == 5); a ^= 1; "
        "CHECK(a == 4); a *= 3; CHECK(a == 12); a /= 5; CHECK(a == 2); a **= 3; CHECK(a == 8); a %= 3; CHECK(a "
        "== 2); a -= 5; CHECK(a == -3);"
    ),
    "bit slices": (
        "int[32] m = 15; CHECK(m[0] == 1); CHECK(m[31] == 0); CHECK(m[-1] == 0); bit[16] e = m[0:2:31]; "
        'CHECK(e == "0000000000000011"); m[4:7] = "1010"; CHECK(m == 0xAF); bit[16] up = m[-16:-1]; '
        'CHECK(uint[16](up) == 0); CHECK(m[{0, 4, 5}] == "101");'
    ),
    "arrays bits": (
        "array[int[32], 5] a = {0,1,2,3,4}; a[0][0] = 1; CHECK(a[0] == 1); bit[5] b = a[4][0:4]; CHECK(b == "
        '"00100"); a[1][1:2] = "11"; CHECK(a[1] == 7); CHECK(a[4][2] == 1); array[bit[4], 2] w; w[1][2] = 1; '
        'CHECK(w[1] == "0100"); w[0] = "1111"; w[0][0:1] = "00"; CHECK(w[0] == "1100"); array[int[8], 2, 2] z '
        "= {{1,2},{3,4}}; z[1,1][0] = 1; CHECK(z[1][1] == 5); z[1][0][2] = 1; CHECK(z[1,0] == 7); "
        "CHECK(z[1][0][2] == 1);"
    ),
    "concat": (
        "array[int[8], 2] f = {0, 1}; array[int[8], 3] s = {2,3,4}; array[int[8], 5] c = f ++ s; CHECK(c[4] == "
        "4 && c[1] == 1); array[int[8], 4] d = f ++ f; d[0:3] = f[0:1] ++ s[1:2]; CHECK(d[3] == 4 && d[0] == "
        "0); let al = q[0:1] ++ q[5:6] ++ q[{3}]; x al[4]; let w = q[0] ++ (q[1] ++ q[2]); "
    ),
    "array refs": (
        "def f(mutable array[int[8], #dim=1] a, readonly array[int[8], 2] b) { a[0] = b[1]; for int i in "
        "[0:sizeof(a)-1] { a[i] += 1; } } array[int[8], 3] u = {1,2,3}; array[int[8], 2] v = {7, 9}; f(u, v); "
        "CHECK(u[0] == 10 && u[2] == 4); array[int[8], 2, 3] w = {{1,1,1},{2,2,2}}; f(w[1], v); CHECK(w[1,0] "
        "== 10 && w[0,0] == 1 && w[1,2] == 3); f(u[1:2], v); CHECK(u[1] == 10 && u[2] == 5 && u[0] == 10);"
    ),
    "def": (
        "def fact(int[32] n) -> int[32] { if (n <= 1) { return 1; } return n * fact(n - 1); } CHECK(fact(5) == "
        '120); def g(bit[3] b) -> bit[3] { return b << 1; } CHECK(g("011") == "110"); def h2(qubit[2] a, angle '
        "t) { rx(t) a[0]; cx a[0], a[1]; } h2(q[1:2], pi/2); def none() { } none(); def early(int n) -> int { "
        "for int i in [0:10] { if (i == n) { return i * 2; } } return -1; } CHECK(early(4) == 8 && early(11) "
        "== -1);"
    ),
    "switch": (
        "int i = 3; int r = 0; switch (i) { case 1, 2 { r = 1; } case 3, 4, 5 { r = 2; } default { r = 3; } } "
        "CHECK(r == 2); switch (7) { case 1 { r = 9; } default { r = 5; } } CHECK(r == 5); const int k = 2; "
        'switch (k) { case k, 8 { r = 11; } } CHECK(r == 11); bit[2] b = "10"; switch (b) { case 2 { r = 12; } '
        "} CHECK(r == 12); switch(uint[2](b)) { case 0b10 { r = 13; } } CHECK(r == 13);"
    ),
    "for": (
        "int s = 0; for int i in [0:2:6] { s += i; } CHECK(s == 12); s = 0; for int i in [5:-2:0] { s = s * 10 "
        "+ i; } CHECK(s == 531); s = 0; for uint[8] i in {3, 1, 4} s = s * 10 + i; CHECK(s == 314); bit[3] b = "
        '"110"; s = 0; for bit k in b { s *= 10; if (k) s += 1; } CHECK(s == 11); array[float, 2] f = {0.5, '
        "1.5}; float t = 0; for float g in f { t += g; } CHECK(t == 2.0); s = 0; for int i in [3:0] { s += 1; "
        "} CHECK(s == 0); for int i in [0:5] { if (i == 1) continue; if (i == 4) break; s += i; } CHECK(s == "
        "5); s = 0; for int i in [2:2] s += 1; CHECK(s == 1);  for bit k in b[1:2] { if (k) s += 1; } CHECK(s "
        "== 3); for angle a in {0.5, 1.5} { rx(a) q[0]; } for duration d in [0ns:10ns:30ns] { s += 1; } "
        "CHECK(s == 7);"
    ),
    "while": ("int i = 0; while (i < 10) { i += 1; if (i == 7) break; if (i % 2 == 0) continue; } CHECK(i == 7);"),
    "scope": (
        "int i = 1; { int i = 2; CHECK(i == 2); } CHECK(i == 1); if (true) { int i = 5; i += 1; } CHECK(i == "
        "1); for int i in [0:3] { } CHECK(i == 1);"
    ),
    "float32": (
        "float[32] a = 0.1; CHECK(a != 0.1); float[64] b = 0.1; CHECK(b == 0.1); float[32] c = 16777217.0; "
        "CHECK(c == 16777216.0); float[16] h3 = 0.1; CHECK(h3 != a); CHECK(float[32](0.1) == a);"
    ),
    "complex": (
        "complex[float[64]] a = 10.0 + 5.0im; complex[float[64]] b = -2.0 - 7.0im; CHECK(a + b == 8.0 - "
        "2.0im); CHECK(a - b == 12.0 + 12.0im); CHECK(a * b == 15.0 - 80.0im); complex c = a; c += 1; "
        "CHECK(real(c) == 11); c *= 1im; CHECK(imag(c) == 11); CHECK(exp(0im) == 1); CHECK(-c == 5.0 - 11im); "
        "CHECK(2im ** 2 == -4.0 + 0im || true);"
    ),
    "duration": (
        "duration a = 500ns; duration b = 1us; CHECK(a < b); CHECK(b / a == 2.0); duration c = 2 * a; CHECK(c "
        "== b); CHECK(a + a == b); CHECK(b - a == a); CHECK(1000ms == 1s); float f = a / 1ns; CHECK(f == "
        "500.0); delay[a] q[0]; box[b] { delay[a/2] q[1]; } duration d = durationof({ x q[0]; delay[3ns] q[1]; "
        "}); CHECK(d == 3ns); stretch s; delay[s] q; delay[a + 2*s];"
    ),
    "literals": (
        "CHECK(0xff == 255); CHECK(0XFF == 255); CHECK(0b1101 == 13); CHECK(0o73 == 59); CHECK(1_000 == 1000); "
        'CHECK(1e3 == 1000.0); CHECK(.5 == 0.5); CHECK(1. == 1.0); CHECK("0010_1010" == "00101010"); CHECK(π '
        "== pi); CHECK(1.5E-2 == 0.015);"
    ),
    "compare bits": (
        'bit[4] c = "0101"; CHECK(c == 5); CHECK(c > 4); CHECK(c == "0101"); CHECK(c[0] == 1); CHECK(c[0]); '
        "CHECK(c[0] == true); CHECK(c[1] != c[0]); CHECK(c[0] ^ c[1]); CHECK(c[-1] == 0); CHECK(c[0:2] == "
        '"101"); bool t = c[2]; CHECK(t); CHECK((c[0] & c[2]) == 1); '
    ),
    "uninit": (
        "int a; CHECK(a == 0); bool b; CHECK(!b); float f; f += 1; CHECK(f == 1.0); array[int, 3] z; "
        "CHECK(z[1] == 0); angle[4] t; t <<= 1; CHECK(t == 0);"
    ),
    "shift": (
        "uint[8] u = 1; CHECK((u << 8) == 0); CHECK((u << 7) == 128); uint[8] w = 255; CHECK((w >> 4) == 15); "
        'bit[4] b = "1001"; b <<= 1; CHECK(b == "0010"); b >>= 1; CHECK(b == "0001"); CHECK(1 << 10 == 1024); '
        "int[8] n = -8; CHECK((n >> 1) == -4);"
    ),
    "uint sub": (
        "uint[4] a = 2; uint[4] b = 5; CHECK(a - b == 13); a -= b; CHECK(a == 13); uint[4] c = -a; CHECK(c == 3);"
    ),
    "mixed width": (
        "int[8] a = 100; int[16] b = 100; CHECK(a + b == 200); int[8] c = a + b; CHECK(c == -56); CHECK(a + a "
        "== -56); CHECK(a * 2 == 200);"
    ),
    "arrays": (
        "array[int[8], 2, 3] a = {{1,2,3},{4,5,6}}; CHECK(a[1,2] == 6); CHECK(a[1][2] == 6); CHECK(a[-1,-1] == "
        "6); a[0] = a[1]; CHECK(a[0,0] == 4); array[int[8], 2, 2] s = a[0:1, 1:2]; CHECK(s[1,1] == 6); s = "
        "a[0:1][0:1]; CHECK(s[1][1] == 5); array[int[8], 3] r = a[0, 2:-1:0]; CHECK(r[0] == 6 && r[2] == 4); "
        "a[0,0] += 200; CHECK(a[0,0] == -52);"
    ),
    "let": (
        "let a = q[1:3]; let b = a[0]; let c = a[-1:-1:0]; x b; h c; let d = q[0:2:7]; let e = q[:2]; let f = "
        'q[6:]; cx d, q[{1,3,5,7}]; bit[4] cc = "1010"; let g = cc[0:1]; g[0] = 1; CHECK(cc == "1011"); let hh '
        "= cc[0:1] ++ cc[2:3]; let w = q[0] ++ (q[1] ++ q[2]);"
    ),
    "const": (
        "const int n = 3; const float f = n * 0.5; const uint[4] k = 2 ** n; CHECK(k == 8); const bit[3] b = "
        '"101"; CHECK(b[2] == 1); const bool bo = n > 2; CHECK(bo); const complex cz = 2im; const duration d = '
        "3ns; const angle[8] an = pi; bit[n] m; CHECK(sizeof(m) == 3);"
    ),
}
QUBITS = "qubit bad; qubit[8] q; "
MEASURED = QUBITS + "bit[2] m; x q[1]; m = measure q[0:1]; int[8] i = int[8](uint[2](m)); reset q; "


def checked(body):
    """The program that flips `bad` where a condition does not hold."""
    return re.sub(r"CHECK\((.*?)\);", r"if (!(\1)) x bad;", body)


@pytest.mark.filterwarnings("ignore::parsers.QasmWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_known_is_worked_out_while_reading(name):
    circuit = loads(H3 + QUBITS + checked(PROGRAMS[name]))
    assert not [i for i in circuit if isinstance(i.operation, IfElse)]
    assert not [k for k, i in enumerate(circuit) if getattr(i.operation, "name", "") == "x" and i.qubits == (0,)]


WHILE_RUNNING = [
    "complex z = i + 2.0im; CHECK(z == 2.0 + 2.0im); CHECK(z * z == 8im); CHECK(real(z) == 2.0 && imag(z) == 2);",
    "complex z = i + 2.0im; CHECK(z / z == 1.0); CHECK(-z != z); CHECK(z - 2 == 2im); CHECK(bool(z)); CHECK(2im / z * z == 2im);",
    "complex[float[64]] z = 1im; if (i == 2) { z = z * z; } CHECK(z == -1.0); z += 1; CHECK(z == 0.0);",
    "complex z = 3.0; z *= i; CHECK(z ** 2 == 36.0); CHECK(real(sqrt(z)) > 2.449); CHECK(imag(exp(z * 1im)) < 0);",
    "complex z = -4.0; z += 0 * i; CHECK(imag(sqrt(z)) == 2.0); CHECK(real(cos(0.0 * z)) == 1); CHECK(real(sin(0.0 * z)) == 0);",
    "array[complex[float[64]], 3] a = {1.0, 2im, 3.0}; complex w = a[i]; CHECK(w == 3.0); a[i] = 5im; CHECK(a[2] == 5im);",
    "float[32] f = 0.1 * i; CHECK(f != 0.2); CHECK(float[32](0.2) == f);",
    "angle[4] a = i * (pi/8); uint[4] k = uint[4](i); CHECK(a / k == pi/8); CHECK(a / angle[4](pi/8) == 2); CHECK(a * k == pi/2);",
    'CHECK(rotl(m, 1) == "01"); CHECK(popcount(m) == 1); CHECK(~m == "01"); CHECK((m << 1) == "00"); CHECK((m >> 1) == "01");',
    "CHECK(i ** 3 == 8); CHECK(i / 3 == 0); CHECK(-i / 3 == 0); CHECK(i % 2 == 0); CHECK(mod(i, 2) == 0); CHECK(sqrt(2.0*i) == 2);",
    "CHECK(floor(i*0.7) == 1.0); CHECK((i << 6) == -128); CHECK(i + 126 == 128); int[8] j = i + 126; CHECK(j == -128);",
    'uint[2] u = m; CHECK(u + uint[2](3) == 1); bit[2] n = u; CHECK(n == "10");',
    "uint[2] u = m; int r = 0; switch (u) { case 0, 1 { r = 1; } case 2 { r = 2; } default { r = 3; } } CHECK(r == 2);",
    "x q[i]; bit[8] c = measure q; CHECK(c == 4);",
    "x q[i + 1]; bit[8] c = measure q; CHECK(c == 8);",
    "x q[1]; bit b = measure q[i - 1]; CHECK(b);",
    "x q[1]; bit[3] c; c[i] = measure q[i - 1]; CHECK(c == 4);",
    "x q[1]; cx q[i - 1], q[i]; ctrl @ x q[i], q[i + 1]; bit[8] c = measure q; CHECK(c == 14);",
    "def f(qubit a) { x a; } f(q[i]); x q[0:2]; reset q[i - 1]; bit[8] c = measure q; CHECK(c == 1);",
    "array[int[8], 2, 3] a; a[i - 1, i] = 3; CHECK(a[1, 2] == 3 && a[0, 2] == 0);",
    "for int j in [0:3] { if (j != i) { cx q[i], q[j]; } } rx(pi * i / 2) q[i]; bit[8] c = measure q; CHECK(c == 4);",
]


@pytest.mark.parametrize("body", WHILE_RUNNING)
def test_what_is_measured_is_worked_out_while_the_circuit_runs(body):
    circuit = loads(H3 + MEASURED + checked(body) + " output bit wrong; wrong = measure bad;")
    assert {bits[0] for bits in Simulator().sample(circuit, 3, seed=1)} == {"0"}  # the last register stands first


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("cx q[i - 1], q[1];", "different qubits"),
        ("x q[i + 8];", "elements 0 to 7"),
        ("cx q[i], q[2];", "different qubits"),
    ],
)
def test_a_wrong_index_fails_while_the_circuit_runs(body, words):
    with pytest.raises(CircuitError, match=words):
        Simulator().sample(loads(H3 + MEASURED + body), 3)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("int[8] n = 1; bit[4] b = n;", "the widths must agree"),
        ('bit[8] b = "10101010"; int[4] n = b;', "the widths must agree"),
        ("uint[4] n = 1; bit[2] c = measure q[0:1]; bit[3] b = uint[4](c);", "the widths must agree"),
        ("angle[4] a = pi; int n = 3 / a;", "divided by an angle"),
        ("float[16] f = 1e6;", "does not fit float[16]"),
        ("complex z = 1im; int n = z;", "real() or imag()"),
        ("complex z = 1im; z |= 1;", "'|' works on bits and integers"),
        ("duration d = 1e999ns;", "must be finite"),
        ("for duration d in [1ns:5ns] { }", "has a step"),
        ("for duration d in [0ns:1dt:5ns] { }", "all in seconds or all in dt"),
        ("array[int, 2] a; a[0][1][2] = 1;", "one more index"),
        ("bit b = measure q[0]; h q[int(b):3];", "must be known when the program is read"),
    ],
)
def test_refused(body, words):
    with pytest.raises(QasmError) as info:
        loads(H3 + QUBITS + body)
    assert words in info.value.message
    assert info.value.line == 3


def test_long_complex_products_are_bounded():
    with pytest.raises(QasmError, match="at most 5,000 operations"):
        loads(H3 + "input float a; complex z = a * 2.0im; z = " + "z*" * 12 + "z;")


def test_cx_of_version_2_is_read_with_a_warning():
    with pytest.warns(QasmWarning, match=r"CX comes with stdgates\.inc"):
        circuit = loads("qubit[2] q; CX q[0], q[1]; CX q[1], q[0];")
    assert circuit.count_ops() == {"cx": 2}
    assert loads("gate CX a, b { U(0, 0, 0) a; } qubit[2] q; CX q[0], q[1];").count_ops() == {"CX": 1}


def test_bodies_of_calibrations_are_free_text():
    text = 'qubit q; defcal rz(angle[20] t) $0 {£$&£*(")} cal { "( } U(0, 0, 1) q;'
    with pytest.raises(QasmError) as info:
        loads(text)
    assert [error.message.split()[0] for error in info.value.errors] == ["'defcal", "cal"]
    with pytest.warns(QasmWarning, match="Skipped"):
        assert len(loads(text, skip_unsupported=True)) == 1


def test_statements_that_differ_in_numbers_have_their_own_places():
    calls = "".join(f"if (c == {k}) x q[{10 + 90 * (k == 30)}];\n" for k in range(40))
    with pytest.raises(QasmError) as info:
        loads('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[20] q; bit[6] c = measure q[0:5];\n' + calls)
    assert (info.value.line, info.value.column) == (34, 18)
    assert "no q[100]" in info.value.message
