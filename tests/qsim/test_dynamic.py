"""Circuits whose course depends on outcomes: sampled frequencies against exact weights of all histories."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, CircuitError, Gate, MemoryLimitError, Parameter, ParameterError, Simulator
from qsim.classical import Bits, Break, ClassicalOperation, IfElse, Literal, WhileLoop
from qsim.dynamic import explore

SHOTS = 20_000


def is_(clbits, value):
    return ClassicalOperation("==", (Bits(tuple(clbits)), Literal(value)))


def bit(clbit):
    return Bits((clbit,))


def check(circuit, seed=1, values=None, shots=SHOTS, exact=None):
    """Samples follow the oracle's distribution (and `exact`, when the answer is known); threads change nothing."""
    assert circuit.is_dynamic
    probabilities = oracle.distribution(circuit, values)
    if exact is not None:
        assert set(exact) == set(probabilities)
        assert all(math.isclose(exact[k], probabilities[k], abs_tol=1e-9) for k in exact)
    counts = [Simulator(threads=t).sample(circuit, shots, values, seed=seed) for t in (1, 2)]
    assert counts[0] == counts[1]
    assert counts[0].shots == shots and counts[0].num_bits == circuit.num_clbits
    oracle.assert_sampled(dict(zip(counts[0].outcomes, counts[0].frequencies.tolist(), strict=True)), probabilities)
    small = Simulator("single", threads=1, _tile_bits=6).sample(circuit, shots, values, seed=seed)
    oracle.assert_sampled(dict(zip(small.outcomes, small.frequencies.tolist(), strict=True)), probabilities)
    return counts[0]


def test_teleportation():
    circuit = Circuit(3, 3).u(0.9, 0.4, -1.2, 0)
    circuit.h(1).cx(1, 2).cx(0, 1).h(0).measure(0, 0).measure(1, 1)
    circuit.if_else(is_([1], 1), circuit.block().x(2))
    circuit.if_else(is_([0], 1), circuit.block().z(2))
    circuit.append(Gate("u", 0.9, 0.4, -1.2).inverse(), [2]).measure(2, 2)
    check(circuit, exact={k: 0.25 for k in range(4)})


def test_repeat_until_success():
    circuit = Circuit(2, 2).h(0).measure(0, 0)
    body = circuit.block().reset(0).ry(1.0, 0).ry(0.7, 1).measure(0, 0)
    circuit.while_loop(is_([0], 0), body).measure(1, 1)
    counts = check(circuit)
    assert {key[1] for key in counts} == {"1"}  # the loop ends with bit 0 set, the rightmost character


def test_measuring_midway_collapses():
    circuit = Circuit(2, 3).h(0).cx(0, 1).measure(0, 0).cx(0, 1).measure(1, 1).h(0).measure(0, 2)
    check(circuit, exact={0b000: 0.25, 0b001: 0.25, 0b100: 0.25, 0b101: 0.25})


def test_measuring_twice_repeats_the_outcome():
    circuit = Circuit(1, 2).ry(1.1, 0).measure(0, 0).measure(0, 1)
    one = math.sin(0.55) ** 2
    check(circuit, exact={0: 1 - one, 3: one})


def test_a_bit_written_twice_keeps_the_last_outcome():
    circuit = Circuit(2, 1).h(0).x(1).measure(0, 0).measure(1, 0)
    check(circuit, exact={1: 1.0}, shots=200)


def test_reset_of_an_entangled_qubit():
    circuit = Circuit(2, 2).ry(0.8, 0).cx(0, 1).reset(0).measure([0, 1], [0, 1])
    one = math.sin(0.4) ** 2
    check(circuit, exact={0: 1 - one, 2: one})


def test_reset_keeps_the_relative_phase_of_others():
    circuit = Circuit(3, 2).h(0).h(1).p(0.7, 1).cx(0, 2).reset(0).h(1).measure([1, 2], [0, 1])
    check(circuit)


@pytest.mark.parametrize("default", [False, True])
def test_switch(default):
    circuit = Circuit(3, 5).h(0).ry(0.7, 1).measure([0, 1], [0, 1])
    cases = [((0,), circuit.block().x(2)), ((1, 2), circuit.block().h(2))]
    circuit.switch(Bits((0, 1)), cases, circuit.block().ry(0.3, 2) if default else None).measure(2, 4)
    check(circuit)


def test_else():
    circuit = Circuit(2, 2).ry(0.6, 0).measure(0, 0)
    circuit.if_else(bit(0), circuit.block().h(1), circuit.block().ry(2.0, 1)).measure(1, 1)
    check(circuit)


def test_assign_counts_rounds():
    """A counter of two bits, wrapped, in a loop that a random outcome ends."""
    circuit = Circuit(1, 3).x(0).measure(0, 0)
    body = circuit.block().h(0).measure(0, 0)
    body.assign([1, 2], ClassicalOperation("+", (Bits((1, 2)), Literal(1)), width=2))
    circuit.while_loop(bit(0), body)
    weight = {0: 1 / 16, 1: 1 / 2, 2: 1 / 4, 3: 1 / 8}  # rounds modulo 4, each divided by the chance of a whole turn
    check(circuit, exact={k << 1: w / (1 - 1 / 16) for k, w in weight.items()})


def test_break_and_continue():
    """At most three rounds: a round that finds 1 leaves, another one skips the x at the end."""
    circuit = Circuit(2, 4)
    body = circuit.block().h(0).measure(0, 0)
    body.assign([2, 3], ClassicalOperation("+", (Bits((2, 3)), Literal(1)), width=2))
    body.if_else(bit(0), body.block().break_loop())
    body.h(0).measure(0, 1)
    body.if_else(bit(1), body.block().x(0).continue_loop())
    body.x(1)
    circuit.while_loop(ClassicalOperation("<", (Bits((2, 3)), Literal(3))), body)
    circuit.measure(1, 1)
    check(circuit)


def test_nested_loops_break_the_inner_one():
    circuit = Circuit(1, 6)
    inner = circuit.block().h(0).measure(0, 0)
    inner.assign([1, 2], ClassicalOperation("+", (Bits((1, 2)), Literal(1)), width=2))
    inner.if_else(bit(0), inner.block().break_loop())
    outer = circuit.block().assign([1, 2], Literal(0))
    outer.while_loop(ClassicalOperation("<", (Bits((1, 2)), Literal(3))), inner)
    outer.assign([3, 4], ClassicalOperation("+", (Bits((3, 4)), Literal(1)), width=2))
    outer.if_else(is_([1, 2], 3), outer.block().continue_loop())
    outer.assign(5, ClassicalOperation("^", (bit(5), Literal(1))))
    circuit.while_loop(ClassicalOperation("<", (Bits((3, 4)), Literal(2))), outer)
    check(circuit)


def test_end_inside_a_loop_ends_everything():
    circuit = Circuit(2, 3)
    body = circuit.block().h(0).measure(0, 0)
    body.if_else(bit(0), body.block().end())
    body.ry(0.9, 1).measure(1, 1)
    circuit.while_loop(is_([1], 0), body)
    circuit.assign(2, Literal(1))
    counts = check(circuit)
    assert all((key[0] == "1") == (key[2] == "0") for key in counts)


def test_a_loop_that_never_starts():
    circuit = Circuit(1, 2).while_loop(bit(0), Circuit(1, 2).x(0)).measure(0, 1)
    check(circuit, exact={0: 1.0}, shots=100)


def test_symbolic_angles_in_bodies():
    theta = Parameter("theta")
    circuit = Circuit(2, 2).ry(theta, 0).measure(0, 0)
    circuit.if_else(bit(0), circuit.block().ry(2 * theta, 1), circuit.block().h(1)).measure(1, 1)
    assert circuit.parameters == (theta,)
    check(circuit, values={"theta": 0.8})
    batch = Simulator().sample(circuit, 500, [{"theta": 0.8}, {"theta": 0.1}], seed=4)
    assert batch == [Simulator().sample(circuit, 500, {"theta": v}, seed=4 + k) for k, v in enumerate((0.8, 0.1))]
    with pytest.raises(ParameterError, match="missing: 'theta'"):
        Simulator().sample(circuit, 10)


def test_global_phase_and_modifiers_in_bodies():
    circuit = Circuit(3, 3).h([0, 1]).measure(0, 0)
    body = circuit.block().append(Gate("gphase", math.pi).control(), [1]).h(1).gphase(0.3)
    circuit.if_else(bit(0), body).append(Gate("x").control(value=0), [1, 2]).measure([1, 2], [1, 2])
    check(circuit)


@st.composite
def programs(draw, depth=2):
    circuit = Circuit(draw(st.integers(1, 3)), 3)
    for q in range(circuit.num_qubits):
        circuit.ry(draw(st.floats(0.3, 2.8)), q)
    _statements(draw, circuit, depth)
    for q in range(circuit.num_qubits):
        circuit.h(q).measure(q, q)
    circuit.measure(0, 0)
    return circuit


def _statements(draw, circuit, depth):
    bits = st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True).map(tuple)
    for _ in range(draw(st.integers(1, 4))):
        qubit = draw(st.integers(0, circuit.num_qubits - 1))
        kinds = ["gate", "gate", "measure", "reset", "assign"] + ["if", "switch", "loop"] * (depth > 0)
        kind = draw(st.sampled_from(kinds))
        if kind == "gate":
            circuit.u(draw(st.floats(0.2, 3)), draw(st.floats(-3, 3)), 0.4, qubit)
            if circuit.num_qubits > 1:
                circuit.cx(qubit, (qubit + 1) % circuit.num_qubits)
        elif kind == "measure":
            circuit.measure(qubit, draw(st.integers(0, 2)))
        elif kind == "reset":
            circuit.reset(qubit)
        elif kind == "assign":
            operator = draw(st.sampled_from(["+", "-", "^", "&", "|", "*"]))
            value = ClassicalOperation(operator, (Bits(draw(bits)), Literal(draw(st.integers(0, 7)))), width=3)
            circuit.assign(draw(bits), value)
        elif kind == "switch":
            bodies = [_block(draw, circuit, depth - 1) for _ in range(3)]
            circuit.switch(Bits(draw(bits)), [((0, 3), bodies[0]), ((1,), bodies[1])], bodies[2])
        elif kind == "if":
            comparison = draw(st.sampled_from(["==", "!=", "<", ">="]))
            condition = ClassicalOperation(comparison, (Bits(draw(bits)), Literal(draw(st.integers(0, 3)))))
            circuit.if_else(condition, _block(draw, circuit, depth - 1), _block(draw, circuit, depth - 1))
        else:  # ends: its last statement measures a fresh superposition into the bit that the loop asks for
            body = _block(draw, circuit, 0).reset(0).ry(1.4, 0).measure(0, 1)
            circuit.while_loop(bit(1), body)


def _block(draw, circuit, depth):
    block = circuit.block()
    _statements(draw, block, depth)
    return block


@settings(max_examples=40)
@given(programs(), st.integers(0, 1000))
def test_random_programs(circuit, seed):
    check(circuit, seed, shots=2000)


@pytest.mark.parametrize("condition", [Literal(1), is_([0], 0)], ids=["always", "never written"])
def test_a_loop_that_changes_nothing_is_an_error(condition):
    circuit = Circuit(2, 2).h(1).measure(1, 1)
    circuit.while_loop(condition, circuit.block().x(0).if_else(bit(1), circuit.block().continue_loop()).reset(0))
    with pytest.raises(CircuitError, match="A while loop goes on for ever"):
        Simulator(threads=1).sample(circuit, 5, seed=1)


def test_a_loop_without_end_is_an_error():
    circuit = Circuit(1, 1)
    circuit.while_loop(is_([0], 0), circuit.block().measure(0, 0))
    with pytest.raises(
        CircuitError, match="A while loop goes on for ever: 1 round of it, in which every outcome was certain"
    ):
        Simulator(threads=1).sample(circuit, 5, seed=1)


def test_a_loop_may_count_without_measuring():
    circuit = Circuit(1, 4)
    body = circuit.block().assign([0, 1, 2], ClassicalOperation("+", (Bits((0, 1, 2)), Literal(1)), width=3)).rx(0.3, 0)
    circuit.while_loop(ClassicalOperation("<", (Bits((0, 1, 2)), Literal(6))), body).measure(0, 3)
    one = math.sin(0.9) ** 2
    check(circuit, exact={6: 1 - one, 14: one})


@pytest.mark.parametrize("make", [Circuit.break_loop, Circuit.continue_loop])
def test_break_outside_a_loop(make):
    with pytest.raises(CircuitError, match="belongs inside a loop"):
        Simulator().sample(make(Circuit(1, 1)), 5)


def test_classical_operations_against_python():
    for a in range(8):
        for b in range(8):
            for op in ("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "&", "|", "^", "<<", ">>"):
                value = ClassicalOperation(op, (Bits((0, 2, 4)), Bits((1, 3, 5)))).evaluate(
                    sum((a >> k & 1) << 2 * k | (b >> k & 1) << 2 * k + 1 for k in range(3))
                )
                assert value == eval(f"{a} {op} {b}")
            assert ClassicalOperation("&&", (Literal(a), Literal(b))).evaluate(0) == bool(a and b)
            assert ClassicalOperation("||", (Literal(a), Literal(b))).evaluate(0) == bool(a or b)
        assert ClassicalOperation("!", (Literal(a),)).evaluate(0) == (a == 0)
        assert ClassicalOperation("neg", (Literal(a),)).evaluate(0) == -a
        assert ClassicalOperation("neg", (Literal(a),), width=3).evaluate(0) == -a % 8
        assert ClassicalOperation("popcount", (Literal(a),)).evaluate(0) == bin(a).count("1")
    with pytest.raises(CircuitError, match="A classical operation is one of"):
        ClassicalOperation("???", (Literal(1), Literal(1)))


def test_blocks_are_copied_and_checked():
    circuit = Circuit(1, 1).h(0).measure(0, 0)
    body = circuit.block().x(0)
    circuit.if_else(bit(0), body)
    body.h(0)
    assert [len(i.operation.body) for i in circuit if isinstance(i.operation, IfElse)] == [1]
    with pytest.raises(CircuitError, match=r"Make it with circuit.block\(\)"):
        circuit.if_else(bit(0), Circuit(2, 1))
    with pytest.raises(CircuitError, match="There is no classical bit 1"):
        circuit.if_else(bit(1), circuit.block())
    with pytest.raises(CircuitError, match="There is no classical bit 3"):
        circuit.assign([0, 3], Literal(1))


def test_nested_bodies_are_copied_as_deeply_as_their_circuit():
    circuit = Circuit(1, 1)
    circuit.while_loop(bit(0), circuit.block().if_else(bit(0), circuit.block().break_loop()))
    (outer,) = [instruction.operation for instruction in circuit]
    assert isinstance(outer, WhileLoop)
    (inner,) = [instruction.operation for instruction in outer.body]
    assert isinstance(inner, IfElse) and isinstance(inner.body[0].operation, Break)
    assert circuit.has_feed_forward and circuit.is_dynamic


def test_many_shots_cost_no_more_than_their_histories():
    circuit = Circuit(1, 2).h(0).measure(0, 0).h(0).measure(0, 1)
    counts = Simulator().sample(circuit, 1 << 40, seed=3)
    assert counts.shots == 1 << 40
    assert np.allclose(counts.frequencies / counts.shots, 0.25, atol=1e-5)


def test_memory_is_asked_for_before_branching():
    circuit = Circuit(10, 1).h(0)
    for q in range(9):
        circuit.cx(q, q + 1)
    circuit.reset(0).measure(0, 0)
    with pytest.raises(MemoryLimitError, match="the memory limit is"):
        Simulator(threads=1, memory_limit=20_000, method="statevector").sample(circuit, 10)


@settings(max_examples=60)
@given(programs())
def test_exact_distributions_of_random_programs(circuit):
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(explore, "MAX_HISTORIES", 1 << 9)
            exact = Simulator(threads=1).outcome_probabilities(circuit)
    except CircuitError as error:  # a loop whose rounds all have states of their own
        assert "Use sample" in str(error)
        return
    expected = oracle.distribution(circuit)
    assert all(math.isclose(exact.get(format(k, "03b"), 0), p, abs_tol=1e-8) for k, p in expected.items())
    assert math.isclose(sum(exact.values()), 1, abs_tol=1e-12)
    single = Simulator("single", threads=1).probabilities(circuit)
    assert all(math.isclose(single[k], p, abs_tol=1e-5) for k, p in expected.items())


@pytest.mark.parametrize(
    ("op", "args", "width", "words"),
    [
        ("+", (Bits((0,)),), None, "has 2 operands; got 1"),
        ("pick", (), None, "operands; got 0"),
        ("int", (Bits((0,)), Literal(-3)), None, "its width: 1 to"),
        ("rotl", (Bits((0,)), Literal(1), Bits((0,))), None, "its width: 1 to"),
        ("uint", (Bits((0,)), Literal(1.5)), None, "its width: 1 to"),
        ("+", (Bits((0,)), Literal(1)), -2, "at least 1 bit"),
    ],
)
def test_classical_operations_that_make_no_sense_are_refused(op, args, width, words):
    with pytest.raises(CircuitError, match=words):
        ClassicalOperation(op, args, width)
