"""Variables, angles and loops that depend on measurements, by exact outcome distributions worked out by hand."""

import math

import pytest
from programs import H3, assert_outcomes, outcomes

from parsers import QasmError, loads

#: c is 2, d a bit to write; then a fair coin in e.
SET = H3 + "qubit[3] q; bit[2] c; bit[4] d; x q[1]; c = measure q[0:1]; "
COIN = H3 + "qubit[3] q; bit c; bit[4] d; h q[0]; c = measure q[0]; "


def written(body):
    """The one value of d after a program in which c is 2."""
    found = outcomes(SET + body)
    assert len(found) == 1
    return next(iter(found)) >> 2


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("uint[4](c) + 15", 1), ("uint[4](c) - 3", 15), ("-uint[4](c)", 14), ("uint[4](c) * 9", 2), ("int[4](c) * 7", 14),
        ("int(c) / 3", 0), ("-int(c) * 4 / 3", 14), ("-int(c) * 4 % 3", 14), ("int(c) ** 3", 8), ("int(c) << int(c)", 8),
        ("~int[4](c)", 13), ("~uint[4](c)", 13), ("int(c) ^ 7", 5), ("int(float(int(c)) * 2.6)", 5), ("int(c) % 2", 0),
        ("int(floor(float(int(c)) / 0.3))", 6), ("popcount(rotl(uint[3](c), 2))", 1), ("rotl(uint[3](c), 2)", 1),
        ("rotr(uint[3](c), 2)", 4), ("int(sqrt(float(uint[4](c)) * 8))", 4), ("mod(int(c), 2) + int(c) * int(c)", 4),
        ("int(2.0 ** float(int(c)))", 4), ("uint[4](angle[2](c) == angle(pi))", 1), ("uint[2](bit[2](angle[2](c)))", 2),
        ("uint[2](uint[2](c) << 1)", 0), ("int(c) >> 1", 1), ("int(true) + int(c)", 3), ("int(int[2](c) < 0)", 1),
    ],
)  # fmt: skip
def test_arithmetic_of_measured_values(expression, value):
    assert written(f"d = bit[4](uint[4]({expression}));") == value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("int n = int(c); n += 1; d = bit[4](uint[4](n));", 3),
        ("uint[2] n = uint[2](c); n += 3; d = bit[4](uint[4](n));", 1),
        ("int[3] n = int[3](c); n += 3; if (n == -3) d = \"1001\";", 9),
        ("float f = float(int(c)) / 4; f *= 6; d = bit[4](uint[4](f));", 3),
        ("bool b = c[1]; b = !b; if (!b) d[3] = 1;", 8),
        ("array[uint[4], 3] a = {1, 2, 3}; a[1] = uint[4](c) * 3; a[0] += a[1]; d = bit[4](a[0]);", 7),
        ("array[uint[4], 3] a = {4, 5, 6}; d = bit[4](a[int(c)]);", 6),
        ("array[uint[4], 3] a = {4, 5, 6}; a[int(c)] = 9; a[int(c) - 1] += 2; d = bit[4](a[2] - a[1]);", 2),
        ("d[int(c)] = 1; d[int(c) - 2] = c[int(c) - 1];", 5),
        ("uint[4] n = 0; n[int(c) - int(c):1] = c; d = bit[4](n);", None),
        ("uint[4] n = 0; n[1:2] = c; d = bit[4](n);", 4),
        ("int n = 5; n[0] = c[0]; d = bit[4](uint[4](n));", 4),
        ("uint[4] n = uint[4](c); d[0] = n[1]; d[3:-1:2] = n[0:1];", 5),
        ("switch (int(c) + 1) { case 3 { d = \"0110\"; } default { } }", 6),
        ("for uint[4] i in [1:int(c) + 1] { d = bit[4](i); }", 3),
        ("uint[4] n = 1; for int i in [4:-1:int(c)] { if (i == 3) continue; n = n * 2 + uint[4](i); } d = bit[4](n);", 14),
        ("uint[4] n = 0; while (n < 7) { n += 1; if (n == uint[4](c)) break; } d = bit[4](n);", 2),
        ("uint[4] n = 0; for int i in [0:9] { if (i > int(c)) break; n += 1; } d = bit[4](n);", 3),
        ("uint[4] n = 0; for int i in [0:5] { if (i == int(c)) continue; n += 1; } d = bit[4](n);", 5),
        ("uint[4] n = 0; for int i in [0:5] { if (i == int(c)) continue; if (i > 2 * int(c)) break; n += 1; } d = bit[4](n);", 4),
        (
            "uint[4] n = 0; for int i in [0:3] { for int j in [0:3] { if (j > int(c)) break; n += 1; } if (i == 2) break; }"
            " d = bit[4](n);", 9,
        ),
        ("int i = 0; while (i < 3) { if (c[0]) break; x q[i]; i += 1; } d[1:3] = measure q;", 10),
        ("for bit b in c { if (b) { d[1] = 1; } else { d[0] = 1; } }", 3),
        ("for int b in c { d[b] = 1; }", 3),
        ("angle[4] a = angle[4](pi / 2 * int(c)); d = bit[4](a);", 8),
    ],
)  # fmt: skip
def test_variables_that_depend_on_a_measurement(body, value):
    if value is None:
        with pytest.raises(QasmError, match=r"known when|before it has a value"):
            loads(SET + body)
    else:
        assert written(body) == value


@pytest.mark.parametrize(
    ("definition", "call", "value"),
    [
        ("def f(int a) -> int { if (a > 1) { return a * 2; } return 7; }", "int r = f(int(c));", 4),
        ("def f(int a) -> int { if (a > 2) { return a * 2; } return 7; }", "int r = f(int(c));", 7),
        ("def f(int a) -> int { for int i in [0:9] { if (i == a) return i + 1; } return 0; }", "int r = f(int(c));", 3),
        ("def f(int a) -> int { int i = 0; while (true) { i += 1; if (i > a) return i; } }", "int r = f(int(c));", 3),
        ("def f(int a) -> int { while (a > 0) { a -= 1; if (a == 1) return 9; } return 0; }", "int r = f(int(c));", 9),
        ("def f(mutable array[int, 2] a, int n) { if (n == 2) { a[1] = 5; return; } a[1] = 6; }",
         "array[int, 2] v = {1, 2}; f(v, int(c)); int r = v[1];", 5),
        ("def f(readonly array[int, #dim = 1] a, int n) -> int { return a[n] + sizeof(a); }",
         "array[int, 3] v = {1, 2, 8}; int r = f(v, int(c));", 11),
        ("def f(int n) -> bit[2] { bit[2] b = bit[2](uint[2](n)); b[0] = 1; return b; }", "int r = int(f(int(c)));", 3),
        ("def f(qubit a) -> bool { x a; bit b = measure a; if (b) { return true; } return false; }",
         "int r = 0; if (f(q[0])) { r = 1; } if (f(q[0])) { r += 2; }", 1),
    ],
)  # fmt: skip
def test_subroutines_on_measured_values(definition, call, value):
    assert written(definition + call + " d = bit[4](uint[4](r));") == value


def test_angle_that_is_measured():
    text = COIN + "int n = int(c); ry(pi * n / 2.0) q[1]; d[0] = measure q[1];"
    assert_outcomes(text, {0b00: 0.5, 0b01: 0.25, 0b11: 0.25})
    text = (
        COIN
        + "float t = 2 * arcsin(sqrt(0.3)); if (c) { t = pi; } ctrl @ ry(t) q[0], q[1]; inv @ ry(t) q[1]; d[0] = measure q[1];"
    )
    assert_outcomes(text, {0b00: 0.35, 0b10: 0.15, 0b01: 0.5})


def test_iterative_phase_estimation():
    text = (
        H3
        + """
    qubit q; qubit eigen; const int n = 3; angle[n] c = 0; bit[n] result;
    x eigen;
    uint power = 1;
    for int k in [0:n - 1] {
        reset q; h q;
        for int j in [1:2 ** (n - 1 - k)] { ctrl @ p(2 * pi * 5 / 8.0) q, eigen; }
        c = c / 2.0;
        inv @ p(float(c)) q;
        h q;
        bit b = measure q;
        result[k] = b;
        if (b) { c += angle[3](pi); }
    }
    """
    )
    assert_outcomes(text, {5: 1.0})


def test_counting_until_success():
    found = outcomes(
        COIN + "uint[4] n = 0; while (!c) { n += 1; h q[0]; c = measure q[0]; if (n == 3) break; } d = bit[4](n);"
    )
    assert found == pytest.approx({1: 0.5, 0b00011: 0.25, 0b00101: 0.125, 0b00111: 0.0625, 0b00110: 0.0625})


def test_condition_of_a_loop_that_measures():
    text = (
        COIN
        + "def flip(qubit a) -> bit { h a; return measure a; } while (flip(q[1])) { x q[2]; } d[0] = measure q[2]; "
    )
    found = outcomes(text)
    even = sum(0.5 ** (k + 1) for k in range(0, 80, 2))
    assert sum(weight for memory, weight in found.items() if not memory >> 1 & 1) == pytest.approx(even)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("input int n; bit[4] d; if (n == 2) { d = 5; }", {"n": 2}, 5),
        ("input int n; bit[4] d; if (n == 2) { d = 5; }", {"n": 3}, 0),
        ("input int n; bit[4] d; uint[4] s = 0; for int i in [1:n] { s += i; } d = bit[4](s);", {"n": 4}, 10),
        ("input bit[2] b; bit[4] d; d[0] = b[1]; d[2:3] = b;", {"b": 2}, 9),
        ("input bool b; bit[4] d; if (!b) { d = 3; }", {"b": 0}, 3),
        ("input uint[2] n; bit[4] d; d = bit[4](uint[4](n) * 3);", {"n": 3}, 9),
        ("input float t; bit[4] d; if (t > 0.5 && sin(t) > 0) { d = 1; }", {"t": 0.75}, 1),
        ("input int n; bit[4] d; switch (n % 3) { case 0 { d = 1; } case 1 { d = 2; } default { d = 4; } }", {"n": 7}, 2),
        ("input int n; bit[4] d; int m = n / 2; while (m > 0) { m -= 1; d[m] = 1; }", {"n": 6}, 7),
        ("input array[int, 3] a; bit[4] d; if (a[2] > a[0]) { d = 6; }", {"a[0]": 1, "a[1]": 0, "a[2]": 2}, 6),
    ],
)  # fmt: skip
def test_inputs_that_decide(text, values, expected):
    assert_outcomes(H3 + "qubit q; " + text, {expected: 1.0}, values)


def test_an_input_of_type_int_is_a_whole_number():
    from qsim import Simulator
    from qsim.errors import CircuitError

    circuit = loads(H3 + "qubit q; input int n; bit b; if (n == 2) { x q; } b = measure q;")
    assert Simulator().sample(circuit, shots=5, parameters={"n": 2}, seed=1) == {"1": 5}
    with pytest.raises(CircuitError, match=r"whole number, got 2\.5"):
        Simulator().sample(circuit, shots=5, parameters={"n": 2.5}, seed=1)


def test_simulator_runs_variables_and_measured_angles():
    from qsim import Simulator

    text = (
        COIN
        + "int n = 0; while (n < 3) { h q[0]; c = measure q[0]; if (c) { n += 1; } } rx(pi * n) q[1]; d[0] = measure q[1];"
    )
    counts = Simulator().sample(loads(text), shots=100, seed=3)
    assert counts == {"00011": 100}
    assert math.isclose(sum(outcomes(text).values()), 1, abs_tol=1e-6)


def test_division_by_a_measured_zero_is_an_error_of_the_run():
    from qsim import Simulator
    from qsim.errors import CircuitError

    circuit = loads(H3 + "qubit q; bit c; c = measure q; int n = 3 / int(c); int m = n;")
    with pytest.raises(CircuitError, match="divided by zero"):
        Simulator().sample(circuit, shots=1, seed=1)


def test_a_program_with_variables_and_measured_angles_is_drawn():
    text = COIN + "input float t; int n = int(c) + 1; if (t > n) { rx(pi * n) q[1]; }"
    assert "rx" in loads(text).draw().lower()


def test_a_long_loop_that_is_left_in_a_measured_branch_becomes_a_loop_of_the_circuit():
    text = (
        COIN
        + "uint[8] n = 200; while (n >= 0) { n -= 1; h q[0]; c = measure q[0]; if (c) { break; } else { continue; } } d[0] = c;"
    )
    assert len(loads(text)) < 20
    from qsim import Simulator

    counts = Simulator().sample(loads(text), shots=50, seed=2)
    assert counts == {"00011": 50}
