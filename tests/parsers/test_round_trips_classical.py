"""Circuits with feed-forward written and read back: the same outcomes, exactly, in the registers that results show."""

import oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import H2, H3

from parsers import QasmError, dumps, loads
from qsim import Circuit, Parameter
from qsim.classical import Bits, ClassicalOperation, Input, Literal
from qsim.errors import CircuitError

relaxed = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def op(name, *args, width=None):
    return ClassicalOperation(name, tuple(Literal(a) if isinstance(a, (int, float)) else a for a in args), width)


def shown(circuit, values=None):
    """Exact probabilities of what the registers hold."""
    bits = [bit for register in circuit.clbit_registers for bit in register.indices]
    result = {}
    for memory, weight in oracle.distribution(circuit, values or {}).items():
        key = sum((memory >> bit & 1) << k for k, bit in enumerate(bits))
        result[key] = result.get(key, 0) + weight
    return {key: weight for key, weight in result.items() if weight > 1e-7}


def assert_same_outcomes(circuit, text, values=None):
    again = loads(text)
    assert [(r.name, len(r)) for r in again.clbit_registers] == [(r.name, len(r)) for r in circuit.clbit_registers]
    found, expected = shown(again, values), shown(circuit, values)
    assert found.keys() == expected.keys(), text
    assert all(abs(found[key] - expected[key]) < 1e-6 for key in found), text


#: Bits 0 to 2 are a register, 3 another, 4 to 8 are in none.
BITS, HIDDEN = 4, 5


@st.composite
def integers(draw, depth=2):
    """An expression whose value is an integer."""
    kinds = ["bits", "bits", "literal"] + ["binary", "wrap", "truth", "unary", "pick", "angle"] * (depth > 0)
    kind = draw(st.sampled_from(kinds))
    inner = integers(depth=depth - 1)
    if kind == "bits":
        return Bits(tuple(draw(st.lists(st.integers(0, BITS + HIDDEN - 1), min_size=1, max_size=4, unique=True))))
    if kind == "literal":
        return Literal(draw(st.integers(-9, 9)))
    if kind == "binary":
        name = draw(st.sampled_from(["+", "-", "*", "&", "|", "^", "<<", ">>", "/", "%", "**"]))
        left, right = draw(inner), draw(inner)
        if name in ("<<", ">>", "**"):
            right = op("uint", right, 2)
        if name in ("/", "%"):
            right = op("+", op("uint", right, 3), 1)
        return op(name, left, right, width=draw(st.sampled_from([None, None, 3])))
    if kind == "wrap":
        return op(draw(st.sampled_from(["int", "uint"])), draw(inner), draw(st.sampled_from([1, 3, 64])))
    if kind == "truth":
        return draw(truths(depth=depth - 1))
    if kind == "unary":
        name = draw(st.sampled_from(["neg", "popcount", "rotl", "real"]))
        value = draw(inner)
        if name == "neg":
            return op("neg", value)
        if name == "popcount":
            return op("popcount", op("uint", value, 5))
        if name == "rotl":
            return op("rotl", op("uint", value, 4), draw(inner), 4)
        return op("int", op("*", op("float", value), 1.5), 6)
    if kind == "pick":
        return op("pick", op("uint", draw(inner), 1), draw(inner), draw(inner))
    return op("angle_bits", op("angle", op("float", draw(inner)), 4), 4)


@st.composite
def truths(draw, depth=2):
    """An expression whose value is 0 or 1."""
    kind = draw(st.sampled_from(["compare", "bit"] + ["not", "both"] * (depth > 0)))
    if kind == "bit":
        return Bits((draw(st.integers(0, BITS + HIDDEN - 1)),))
    if kind == "not":
        return op("!", draw(truths(depth=depth - 1)))
    if kind == "both":
        return op(draw(st.sampled_from(["&&", "||"])), draw(truths(depth=depth - 1)), draw(truths(depth=depth - 1)))
    name = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    return op(name, draw(integers(depth=depth)), draw(integers(depth=depth)))


def statements(draw, circuit, depth, loops):
    for _ in range(draw(st.integers(1, 3))):
        qubit = draw(st.integers(0, circuit.num_qubits - 1))
        kinds = ["gate", "measure", "assign", "values"] + ["if", "switch", "loop"] * (depth > 0) + ["leave"] * loops
        kind = draw(st.sampled_from(kinds))
        if kind == "gate":
            circuit.ry(draw(st.sampled_from([0.7, 1.9])), qubit).gphase(0.3)
        elif kind == "measure":
            circuit.measure(qubit, draw(st.integers(0, BITS + HIDDEN - 1)))
        elif kind == "assign":
            bits = draw(st.lists(st.integers(0, BITS + HIDDEN - 1), min_size=1, max_size=4, unique=True))
            circuit.assign(bits, draw(st.one_of(integers(), truths())))
        elif kind == "values":
            angle = Parameter("angle")
            body = circuit.block().rx(angle / 2, qubit)
            if draw(st.booleans()):
                body.measure(qubit, draw(st.integers(0, BITS - 1))).rz(angle, qubit).ry(angle, qubit)
            circuit.with_values([angle], [draw(integers(depth=1))], body)
        elif kind == "if":
            bodies = [block(draw, circuit, depth, loops) for _ in range(draw(st.integers(1, 2)))]
            circuit.if_else(draw(truths()), *bodies)
        elif kind == "switch":
            labels = st.lists(st.integers(-1, 5), max_size=3)
            cases = [(draw(labels), block(draw, circuit, depth, loops)) for _ in range(draw(st.integers(0, 2)))]
            circuit.switch(draw(integers(depth=1)), cases, draw(st.sampled_from([None, circuit.block().x(qubit)])))
        elif kind == "loop":
            body = block(draw, circuit, depth, loops + 1)
            body.measure(qubit, 8).if_else(Bits((8,)), body.block().break_loop()).ry(1.1, qubit)
            circuit.while_loop(draw(truths(depth=1)), body)
        else:
            jump = draw(st.sampled_from(["break_loop", "continue_loop"]))
            target = circuit.block()
            getattr(target, jump)(draw(st.integers(1, loops)))
            circuit.measure(qubit, 7).ry(0.9, qubit)
            circuit.if_else(Bits((7,)), target)


def block(draw, circuit, depth, loops):
    body = circuit.block()
    statements(draw, body, depth - 1, loops)
    return body


@st.composite
def programs(draw):
    circuit = Circuit(2)
    circuit.add_clbits(3, "c")
    circuit.add_clbits(1, "d")
    circuit._num_clbits += HIDDEN
    circuit.ry(1.1, 0).ry(2.1, 1).measure([0, 1], [0, 4]).ry(0.4, 1)
    statements(draw, circuit, 2, 0)
    return circuit


def check(circuit):
    try:
        shown(circuit)
    except CircuitError:  # a value without a meaning, such as a shift too far
        return
    assert_same_outcomes(circuit, dumps(circuit))


@given(programs())
@settings(relaxed, max_examples=15)
def test_programs_of_every_kind(circuit):
    check(circuit)


@pytest.mark.slow
@given(programs())
@settings(relaxed, max_examples=400)
def test_many_programs_of_every_kind(circuit):
    check(circuit)


#: Programs whose values are kept in bits that no register shows.
PROGRAMS = [
    "qubit[2] q; bit[2] c; measure q[0]; h q[1]; c[1] = measure q[1];",
    "qubit[2] q; bit[2] c; h q; uint[4] n; n[0] = measure q[0]; n[2] = 1; if (n == 5) x q[1]; c[1] = measure q[1];",
    "qubit[2] q; bit[2] c; h q; c = measure q; float f; f = int(c) * 0.5; rx(f) q[0]; angle[5] a = f; rx(a) q[1]; c = measure q;",
    "qubit[2] q; bit[2] c; h q; c = measure q; array[int[8], 3] m = {1, 2, 3}; if (c != 3) { m[int(c)] = 7; } if (m[1] == 7) x q[0]; c = measure q;",
    "qubit[2] q; bit[2] c; h q; c = measure q; int n = 0; while (c != 0) { n += 1; if (n > 2) { break; } h q; c = measure q; } if (n == 2) x q[0]; c[0] = measure q[0];",
    "qubit[2] q; bit[2] c; def f(qubit a) -> int { bit b; b = measure a; if (b) { return 3; } return 5; } h q[0]; if (f(q[0]) == 3) x q[1]; c[1] = measure q[1];",
    "qubit[2] q; bit[2] c; h q; c = measure q; for int i in [0:int(c)] { x q[0]; if (i == 1) { continue; } h q[1]; } c = measure q;",
    "qubit[2] q; bit[2] c; bit[2] d; h q; c = measure q; d = rotl(c, 1); d[0] = d[0] ^ c[1]; if (popcount(c) == 1) x q; c = measure q;",
    "qubit[2] q; bit[2] c; h q; c = measure q; complex[float] z = 1.0; switch (int(c)) { case 0 { x q[0]; } case 1, 2 { h q[0]; } default { end; } } c = measure q;",
]


@pytest.mark.parametrize("body", PROGRAMS)
def test_variables_stay_out_of_results(body):
    circuit = loads(H3 + body)
    assert_same_outcomes(circuit, dumps(circuit))


@pytest.mark.parametrize("body", PROGRAMS[:2])
def test_a_measurement_without_a_register_is_refused_in_version_2(body):
    with pytest.raises(QasmError, match=r"version 3\.0"):
        dumps(loads(H3 + body), version="2.0")


def test_integer_inputs_stay_integers():
    text = "input int n; input float f; input uint m; qubit[2] q; bit[2] c; rx(n * f) q[0]; h q[1]; c = measure q; if (n / 2 == int(c)) { x q[0]; } if (m % 3 + n == 2) { x q[1]; } c = measure q;"
    circuit = loads(H3 + text)
    written = dumps(circuit)
    assert "input int n;" in written and "input float[64] f;" in written
    for n, m in ((3, 5), (1, 1), (0, 2)):
        assert_same_outcomes(circuit, written, {"n": n, "f": 0.3, "m": m})


def test_wide_registers_do_not_wrap():
    circuit = Circuit(1, 80).x(0).measure(0, 79)
    everything = Bits(tuple(range(80)))
    circuit.if_else(op(">", op("+", everything, 1), 1 << 79), circuit.block().measure(0, 1))
    circuit.if_else(op(">", op("*", everything, everything), 1 << 158), circuit.block().measure(0, 2))
    circuit.assign([3, 4], op(">>", everything, 78))
    assert_same_outcomes(circuit, dumps(circuit))
    (outcome,) = shown(circuit)
    assert outcome == 1 << 79 | 0b10110


def test_breaks_of_several_loops():
    circuit = Circuit(1, 3).x(0)
    outer, inner, innermost = (circuit.block() for _ in range(3))
    innermost.measure(0, 0).break_loop(3)
    inner.while_loop(Literal(1), innermost).x(0)
    outer.while_loop(op("!", Bits((1,))), inner).x(0)
    circuit.while_loop(op("!", Bits((2,))), outer).measure(0, 1)
    assert_same_outcomes(circuit, dumps(circuit))
    assert shown(circuit) == {0b11: pytest.approx(1)}


@pytest.mark.parametrize(
    "value",
    [op("float_bits", 0.5), op("popcount", op("neg", Bits((0,)))), op("<<", Bits((0,)), Bits(tuple(range(40)))),
     op("/", Input(Parameter("n") + 1), 2)],
)  # fmt: skip
def test_values_that_have_no_text_are_refused(value):
    with pytest.raises(QasmError, match="written"):
        dumps(Circuit(1, 40).assign(0, value))


def test_conditions_on_several_values_in_version_2():
    body = "qubit[2] q; bit[3] c; bit d; h q; c[0] = measure q[0]; c[2] = measure q[1]; if (c[2]) { x q[0]; } else { h q[1]; } if (c > 1 && !c[0]) { d = measure q[0]; }"
    circuit = loads(H3 + body)
    assert_same_outcomes(circuit, dumps(circuit, version="2.0"))
    changing = loads(H3 + "qubit[2] q; bit[2] c; h q; c = measure q; if (c[0]) { c[1] = measure q[1]; }")
    with pytest.raises(QasmError, match="cannot change the bits of its own condition"):
        dumps(changing, version="2.0")


def test_a_condition_that_never_holds_in_version_2():
    circuit = loads(H2 + "qreg q[1]; creg c[1]; if (c == 5) x q[0];")
    assert loads(dumps(circuit, version="2.0")).count_ops() == {}
