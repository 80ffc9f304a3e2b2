"""Circuits with feed-forward written and read back: the same outcomes, exactly, in the registers that results show."""

import oracle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsers import dumps, loads
from qsim import Circuit, Parameter
from qsim.classical import Bits, ClassicalOperation, Literal
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


@given(programs())
@relaxed
def test_programs_of_every_kind(circuit):
    try:
        expected = shown(circuit)
    except CircuitError:  # a value without a meaning, such as a shift too far
        return
    del expected
    assert_same_outcomes(circuit, dumps(circuit))
