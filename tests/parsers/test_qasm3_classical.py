"""Classical arithmetic of OpenQASM 3, known and measured, beside plain Python integers that are wrapped by hand; durations."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import H3, assert_outcomes, outcomes

from parsers import QasmError, QasmWarning, loads

WIDTH = 4


class Kind:
    """int[4] or uint[4]: its literals, and how a result is wrapped."""

    def __init__(self, name):
        self.name = name

    def wrap(self, number):
        number %= 2**WIDTH
        return number - 2**WIDTH if self.name == "int" and number >= 2 ** (WIDTH - 1) else number

    def divide(self, a, b):
        return self.wrap(int(a / b))

    def remainder(self, a, b):
        return self.wrap(int(math.fmod(a, b)))


def trees(kind):
    """Pairs (text with the variables a and b, function of their values)."""
    leaves = st.one_of(
        st.sampled_from([("a", lambda a, b: a), ("b", lambda a, b: b)]),
        st.integers(0, 2**WIDTH - 1).map(lambda n: (f"{kind.name}[4]({n})", lambda a, b, n=n: kind.wrap(n))),
    )

    def grow(inner):
        def pair(op, function):
            return st.tuples(inner, inner).map(
                lambda sides: (
                    f"({sides[0][0]} {op} {sides[1][0]})",
                    lambda a, b: function(sides[0][1](a, b), sides[1][1](a, b)),
                )
            )

        def nonzero(op, function):
            return st.tuples(inner, inner).map(
                lambda sides: (
                    f"({sides[0][0]} {op} ({sides[1][0]} | {kind.name}[4](1)))",
                    lambda a, b: function(sides[0][1](a, b), kind.wrap(sides[1][1](a, b) | 1)),
                )
            )

        shift = st.tuples(inner, st.integers(0, WIDTH)).map(
            lambda part: (f"({part[0][0]} << {part[1]})", lambda a, b: kind.wrap(part[0][1](a, b) << part[1]))
        )
        back = st.tuples(inner, st.integers(0, WIDTH)).map(
            lambda part: (f"({part[0][0]} >> {part[1]})", lambda a, b: part[0][1](a, b) >> part[1])
        )
        return st.one_of(
            pair("+", lambda x, y: kind.wrap(x + y)), pair("-", lambda x, y: kind.wrap(x - y)),
            pair("*", lambda x, y: kind.wrap(x * y)), pair("&", lambda x, y: kind.wrap(x & y)),
            pair("|", lambda x, y: kind.wrap(x | y)), pair("^", lambda x, y: kind.wrap(x ^ y)),
            nonzero("/", kind.divide), nonzero("%", kind.remainder), shift, back,
            inner.map(lambda part: (f"(~{part[0]})", lambda a, b: kind.wrap(~part[1](a, b)))),
            inner.map(lambda part: (f"(-{part[0]})", lambda a, b: kind.wrap(-part[1](a, b)))),
        )  # fmt: skip

    return st.recursive(leaves, grow, max_leaves=8)


@st.composite
def cases(draw):
    kind = Kind(draw(st.sampled_from(["int", "uint"])))
    text, function = draw(trees(kind))
    a, b = draw(st.integers(0, 2**WIDTH - 1)), draw(st.integers(0, 2**WIDTH - 1))
    return kind, text, a, b, function(kind.wrap(a), kind.wrap(b)) % 2**WIDTH


@settings(deadline=None, max_examples=60)
@given(cases())
def test_arithmetic_with_widths_known_measured_and_half_measured(case):
    kind, text, a, b, expected = case
    flips = "".join(f"x q[{k}]; " for k in range(WIDTH) if a >> k & 1)
    start = f"{H3}qubit[4] q; bit[4] d; {flips}"
    known_a, measured_a = f"{kind.name}[4] a = {a}; ", f"bit[4] c = measure q; {kind.name}[4] a = {kind.name}[4](c); "
    rest = f"{kind.name}[4] b = {b}; {kind.name}[4] r = {text}; d = bit[4](r);"
    for first in (known_a, measured_a):
        for outcome in outcomes(start + first + rest):
            assert outcome & 15 == expected, (first, text)


@st.composite
def walks(draw):
    """Statements on three variables under branches and loops, and what they are at the end, by running them here."""
    statements = draw(st.lists(st.tuples(
        st.sampled_from("abc"), st.sampled_from(["+", "-", "*", "^", "="]), st.sampled_from("abc123"),
        st.sampled_from(["", "if (c > 1) ", "if (a == b) ", "for int k in [0:2] ", "for int k in [0:c] "]),
    ), min_size=1, max_size=6))  # fmt: skip
    values = {"a": draw(st.integers(0, 3)), "b": 1, "c": draw(st.integers(0, 3))}
    text, now = "", dict(values)
    for target, op, source, around in statements:
        text += f"{around}{{ {target} {'=' if op == '=' else op + '='} {source}; }} "
        rounds = {"": 1, "if (c > 1) ": int(now["c"] > 1), "if (a == b) ": int(now["a"] == now["b"]),
                  "for int k in [0:2] ": 3, "for int k in [0:c] ": now["c"] + 1}[around]  # fmt: skip
        for _ in range(rounds):
            x, y = now[target], now[source] if source in now else int(source)
            now[target] = {"+": x + y, "-": x - y, "*": x * y, "^": x ^ y, "=": y}[op] % 8
    return values, text, now


@settings(deadline=None, max_examples=60)
@given(walks())
def test_variables_under_branches_and_loops_on_measured_values(walk):
    values, text, expected = walk
    flips = "".join(f"x q[{k}]; " for k in range(2) if values["a"] >> k & 1)
    flips += "".join(f"x q[{k + 2}]; " for k in range(2) if values["c"] >> k & 1)
    start = f"{H3}qubit[4] q; bit[3] r; bit[3] s2; bit[3] t2; {flips}bit[4] m = measure q; "
    start += "uint[3] a = uint[3](uint[2](m[0:1])); uint[3] b = 1; uint[3] c = uint[3](uint[2](m[2:3])); "
    (outcome,) = outcomes(start + text + "r = bit[3](a); s2 = bit[3](b); t2 = bit[3](c);")
    assert [outcome >> 3 * k & 7 for k in range(3)] == [expected[name] for name in "abc"]


def delay_of(text):
    circuit = loads(H3 + "qubit[2] q; " + text)
    return [i.operation.duration for i in circuit if type(i.operation).__name__ == "Delay"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("delay[100ns] q[0];", ["100ns"]),
        ("duration t = 1.5us; delay[2 * t - 100ns] q[0];", ["2900ns"]),
        ("const duration t = 10dt; delay[t / 4] q;", ["2.5dt", "2.5dt"]),
        ("duration t = 10dt + 1ms; delay[t] q[1];", ["1000000ns + 10dt"]),
        ("stretch s; delay[s + 5ns] q[0]; delay[2 * s] q[1];", ["5ns", "0ns"]),
        ("duration t = durationof({x q[0]; delay[7ns] q[0]; delay[9ns] q[1]; delay[3ns] q[0]; }); delay[t] q[0];", ["10ns"]),
        ("box[300ns] { delay[100ns] q[0]; }", ["100ns"]),
        ("float f = 300ns / 200ns; rx(f) q[0]; if (2us > 1999ns) { delay[1ns] q[0]; }", ["1ns"]),
        ("delay[10ns];", ["10ns", "10ns"]),
    ],
)  # fmt: skip
def test_durations(text, expected):
    assert delay_of(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("delay[1ns - 2ns] q;", "not negative"), ("delay[3] q;", "is a duration"), ("duration t = 1ns * 1ns;", "not defined"),
        ("bool b = 1ns < 1dt;", "no length of a dt"), ("stretch s; s = 1ns;", "a stretch and cannot be assigned"),
        ("duration t = 1ns / 0;", "divided by zero"), ("rx(10ns) q[0];", "real number"), ("int n = 10ns;", "cannot become int"),
        ("duration t = durationof({ measure q[0]; });", "block of gates"), ("box[3] { }", "is a duration"),
    ],
)  # fmt: skip
def test_wrong_durations(text, message):
    with pytest.raises(QasmError, match=message):
        delay_of(text)


def test_pulse_statements_and_extern_are_left_out_on_request():
    text = (
        H3 + 'defcalgrammar "openpulse"; extern f(int) -> int; cal { frame a; } defcal x $0 { play(a); }\nqubit q; x q;'
    )
    with pytest.raises(QasmError) as caught:
        loads(text)
    assert ["extern" in e.message for e in caught.value.errors].count(True) == 1 and len(caught.value.errors) == 4
    with pytest.warns(QasmWarning, match="Skipped") as warned:
        circuit = loads(text, skip_unsupported=True)
    assert len(warned) == 4 and circuit.count_ops() == {"x": 1}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("angle[4] a = 0; a[0] = 1; a <<= 2; d = bit[4](a);", 4), ("angle[4] a; a[3] = 1; a >>= 1; d = bit[4](a);", 4),
        ("angle[4] a; x q; measure q -> a[1]; a <<= 1; d = bit[4](a);", 4), ("angle[4] a = pi; a = ~a; d = bit[4](a);", 7),
        ("angle[4] a = pi; angle[4] b = pi / 2; d = bit[4](a | b);", 12), ("angle[4] a = 3 * pi; d = bit[4](a);", 8),
        ("angle[4] a = pi / 2; a *= 3; d = bit[4](a);", 12), 
        ("bool e; x q; e = measure q; if (e) { d = 9; }", 9), ("int n; x q; n = measure q; d = bit[4](uint[4](n + 4));", 5),
    ],
)  # fmt: skip
def test_angles_by_their_bits_and_measured_variables(body, value):
    assert_outcomes(H3 + "qubit q; bit[4] d; " + body, {value: 1.0})
