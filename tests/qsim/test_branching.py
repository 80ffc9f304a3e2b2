"""How circuits that branch are run: merged histories, qubits that come and go, limits, seeds, and the ways of large states."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dynamic import bit, is_, programs

from qsim import Circuit, CircuitError, Gate, MemoryLimitError, Parameter, QsimError, Simulator, dynamic
from qsim.classical import Bits, ClassicalOperation, Literal
from qsim.dynamic import explore, factors, ledger, live_width


def dense(**options):
    return Simulator(**{"threads": 1, "method": "statevector", **options})


def sampled(circuit, shots=4000, seed=3, **options):
    counts = dense(**options).sample(circuit, shots, seed=seed)
    return dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))


# Merging -------------------------------------------------------------------------------------------------------


def test_histories_that_lead_to_the_same_state_are_one():
    """Two hundred fair coins, of which each turns a qubit: 2**200 histories, and never more than a few states."""
    circuit = Circuit(2, 2)
    for _ in range(200):
        circuit.reset(0).h(0).measure(0, 0).if_else(bit(0), circuit.block().ry(math.pi / 2, 1))
    circuit.measure(1, 1)
    found = dense().outcome_probabilities(circuit)
    expected = {"00": 0.25, "01": 0.25, "10": 0.25, "11": 0.25}  # the last coin, and a quarter turn that many times
    assert all(math.isclose(found[key], value, abs_tol=1e-9) for key, value in expected.items())


def test_unread_bits_do_not_keep_histories_apart(monkeypatch):
    """A chain of teleportations: 4**12 outcomes, one state after each hop."""
    monkeypatch.setattr(explore, "MAX_HISTORIES", 8)
    circuit = Circuit(3, 3).ry(0.7, 0)
    source, middle, target = 0, 1, 2
    for k in range(12):
        if k:
            circuit.reset([middle, target])
        circuit.h(middle).cx(middle, target).cx(source, middle).h(source).measure([source, middle], [0, 1])
        circuit.if_else(bit(1), circuit.block().x(target)).if_else(bit(0), circuit.block().z(target))
        source, middle, target = target, source, middle
    found = dense().outcome_probabilities(circuit.measure(source, 2))
    one = sum(value for key, value in found.items() if key[0] == "1")
    assert math.isclose(one, math.sin(0.35) ** 2, abs_tol=1e-12) and len(found) == 8


@given(st.integers(1, 4), st.integers(0, 2**32), st.sampled_from(["D", "F"]))
def test_equal_states_are_one_object_and_others_are_not(width, seed, char):
    rng, dtype = np.random.default_rng(seed), np.dtype(char).type
    state = rng.standard_normal(2**width) + 1j * rng.standard_normal(2**width)
    state = (state / np.linalg.norm(state)).astype(dtype)
    store, qubits = factors.Factors(dtype, 1, None, None, 1 << 30), tuple(range(width))
    first = store._interned(qubits, state)
    noise = 1e-15 if char == "D" else 1e-7
    turned = (state * np.exp(2j * seed) + noise * rng.standard_normal(2**width)).astype(dtype)
    assert store._interned(qubits, turned) is first
    other = state + dtype(1e-3) * rng.standard_normal(2**width).astype(dtype)
    assert store._interned(qubits, other / np.linalg.norm(other).astype(dtype)) is not first


# Qubits that come and go ---------------------------------------------------------------------------------------


def test_a_long_chain_of_measured_and_reused_qubits_is_never_wide():
    """A state that is teleported along forty qubits, three of which are in a state at a time."""
    circuit = Circuit(41, 40).u(0.9, 0.4, -1.2, 0)
    for k in range(0, 40, 2):
        circuit.h(k + 1).cx(k + 1, k + 2).cx(k, k + 1).h(k).measure([k, k + 1], [k, k + 1])
        circuit.if_else(bit(k + 1), circuit.block().x(k + 2)).if_else(bit(k), circuit.block().z(k + 2))
    circuit.append(Gate("u", 0.9, 0.4, -1.2).inverse(), [40])
    register = circuit.add_clbits(1, "end")
    circuit.measure(40, register[0])
    assert live_width(circuit) <= explore.WIDE
    counts = dense(memory_limit=1 << 24).sample(circuit, 2000, seed=5)
    assert counts.of_register("end") == {"0": 2000} and len(counts) > 1900


def test_idle_qubits_of_a_circuit_that_branches_take_no_memory():
    circuit = Circuit(500, 2).h(499).cx(499, 3).measure(3, 0).if_else(bit(0), circuit_block := Circuit(500, 2).x(499))
    assert len(circuit_block) == 1
    assert Simulator(memory_limit=1 << 22).sample(circuit.measure(499, 1), 100, seed=1).shots == 100
    assert set(sampled(circuit)) == {0, 1}


def test_a_width_that_does_not_fit_is_refused_with_the_numbers():
    circuit = Circuit(40, 40)
    for q in range(39):
        circuit.ry(0.3, q).cx(q, 39).ry(0.2, 39)
    circuit.measure(39, 0).if_else(bit(0), circuit.block().x(range(40)))
    with pytest.raises(MemoryLimitError, match="40 qubits needs"):
        dense().sample(circuit.measure(range(40), range(40)), 10)


@settings(max_examples=30)
@given(programs(), st.integers(0, 99))
def test_compiled_programs_and_early_leaving_give_the_same(circuit, seed):
    """The ways of large states, taken by small ones."""
    probabilities = oracle.distribution(circuit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factors, "SMALL_QUBITS", 0)
        patch.setattr(explore, "WIDE", 1)
        patch.setattr(explore, "_MOST_WEIGHTS", 0)
        oracle.assert_sampled(sampled(circuit, 2000, seed), probabilities)


# Deferred measurements -----------------------------------------------------------------------------------------


def test_measurements_that_nothing_depends_on_wait_for_the_end():
    """The same counts, from the same draws, as the circuit whose measurements come last."""
    rng = np.random.default_rng(2)
    early, late = Circuit(5, 5), Circuit(5, 5)
    for circuit in (early, late):
        rng = np.random.default_rng(2)
        for q in range(5):
            circuit.ry(rng.uniform(0, 3), q)
        if circuit is early:
            circuit.measure(1, 4).measure(0, 2)
        circuit.cx(1, 2).rz(0.4, 1).cz(0, 3).cx(0, 4).append(Gate("h").control(2), [0, 1, 2]).crz(0.2, 0, 1)
        if circuit is late:
            circuit.measure(1, 4).measure(0, 2)
        circuit.measure([2, 3], [0, 1])
    assert early.is_dynamic and not late.is_dynamic
    assert dynamic.can_be_deferred(early)
    assert dense().sample(early, 1000, seed=4) == dense().sample(late, 1000, seed=4)
    oracle.assert_sampled(sampled(early), oracle.distribution(early))


@pytest.mark.parametrize("gate", ["h", "x", "sx"])
def test_a_measured_qubit_that_is_turned_is_measured_at_once(gate):
    circuit = Circuit(2, 2).ry(0.7, 0).cx(0, 1).measure(0, 0).append(gate, [0]).measure(1, 1)
    assert not dynamic.can_be_deferred(circuit)
    oracle.assert_sampled(sampled(circuit), oracle.distribution(circuit))


def test_a_bit_that_is_overwritten_has_the_last_outcome():
    circuit = Circuit(3, 1).ry(0.5, 0).ry(1.5, 1).measure(0, 0).cx(0, 2).measure(1, 0)
    oracle.assert_sampled(sampled(circuit), oracle.distribution(circuit))


# Values, states and shots --------------------------------------------------------------------------------------


def test_values_of_enclosing_bodies():
    """Names that hide others, a loop that sets its angle anew each round, and a fractional power of a symbolic gate."""
    theta, angle = Parameter("theta"), Parameter("angle")
    circuit = Circuit(2, 5).ry(theta, 0)
    number = ClassicalOperation("*", (Bits((0, 1)), Literal(0.4)))
    inner = circuit.block().rx(angle, 1).append(Gate("u", angle, 0.3, theta).power(0.5), [0])
    middle = circuit.block().ry(angle, 1)
    middle.with_values([angle], [Literal(0.9)], inner).rz(angle, 0).h(0).measure(0, 2)
    body = circuit.block().with_values([angle], [number], middle)
    body.assign([0, 1], ClassicalOperation("+", (Bits((0, 1)), Literal(1)), width=2))
    circuit.while_loop(ClassicalOperation("<", (Bits((0, 1)), Literal(3))), body)
    circuit.measure([0, 1], [3, 4])
    for value in (0.3, 1.2):
        counts = dense().sample(circuit, 5000, {"theta": value}, seed=2)
        found = dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))
        oracle.assert_sampled(found, oracle.distribution(circuit, {"theta": value}))
    exact = dense().outcome_probabilities(circuit, [{"theta": 0.3}, {"theta": 1.2}])
    for one, value in zip(exact, (0.3, 1.2), strict=True):
        expected = oracle.distribution(circuit, {"theta": value})
        assert all(math.isclose(one.get(format(k, "05b"), 0), p, abs_tol=1e-9) for k, p in expected.items())


def test_initial_states():
    circuit = (
        Circuit(3, 3).cx(0, 1).measure(1, 0).if_else(bit(0), circuit_x := Circuit(3, 3).x(2)).measure([0, 2], [1, 2])
    )
    assert len(circuit_x) == 1
    amplitudes = np.zeros(8)
    amplitudes[0b001] = amplitudes[0b010] = math.sqrt(0.5)
    for state, values in (
        ("001", {0b111}),
        (2, {0b101}),
        (amplitudes, {0b111, 0b101}),
        (np.eye(2)[[1, 0, 0]], {0b111}),
    ):
        assert set(sampled_from(circuit, state)) == values
    wide = Circuit(70, 2).measure(69, 0).if_else(bit(0), Circuit(70, 2).x(0)).measure(0, 1)
    assert set(sampled_from(wide, "1" + "0" * 68 + "+")) == {1, 3}
    with pytest.raises(QsimError, match="has norm"):
        sampled_from(circuit, np.ones(8))


def sampled_from(circuit, state):
    counts = dense().sample(circuit, 50, seed=1, initial_state=state)
    return dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))


def test_every_shot_can_be_kept():
    circuit = Circuit(1, 2).h(0).measure(0, 0).h(0).measure(0, 1)
    counts = dense().sample(circuit, 200, seed=1, memory=True)
    assert len(counts.memory) == 200 and {k: counts.memory.count(k) for k in counts} == dict(counts)


def test_many_bits_and_many_outcomes():
    """More bits than a machine word holds, and registers out of order."""
    circuit = Circuit(2)
    registers = [circuit.add_clbits(45, name) for name in "abc"]
    for k in range(45):
        circuit.reset(0).ry(0.1 + 0.06 * k, 0).measure(0, registers[2][k]).cx(0, 1).measure(1, registers[0][44 - k])
    counts = dense().sample(circuit, 3000, seed=9)
    assert counts.shots == 3000 and counts.num_bits == 135
    shares = (counts.of_register("c").array * counts.of_register("c").frequencies[:, None]).sum(axis=0) / 3000
    expected = np.sin(0.05 + 0.03 * np.arange(45)) ** 2
    assert (np.abs(shares - expected) < 5 * np.sqrt(expected * (1 - expected) / 3000) + 1e-9).all()
    assert set(counts.of_register("b")) == {"0" * 45}


@pytest.mark.parametrize("precision", ["double", "single"])
def test_counts_do_not_depend_on_threads(precision):
    """States of fifteen qubits, which several threads work on, between the classical points."""
    rng, circuit = np.random.default_rng(1), Circuit(15, 17)
    for _ in range(2):
        for q in range(15):
            circuit.ry(rng.uniform(0, 3), q)
        for q in range(14):
            circuit.cx(q, q + 1)
        circuit.measure(7, 15).if_else(bit(15), circuit.block().rx(0.4, range(15))).reset(3)
    circuit.measure(range(15), range(15))
    counts = [dense(precision=precision, threads=t).sample(circuit, 3000, seed=6) for t in (1, 2, 3)]
    assert counts[0] == counts[1] == counts[2]


# Memory --------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(programs(), st.integers(0, 99))
def test_histories_one_by_one_give_the_same_distribution(circuit, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamic, "_BUDGET", 1)
        oracle.assert_sampled(sampled(circuit, 2000, seed), oracle.distribution(circuit))


def test_many_states_that_wait_are_followed_one_by_one(monkeypatch):
    """Five measurements of entangled qubits with a state of its own for every outcome, and room for two."""
    rng, circuit = np.random.default_rng(3), Circuit(6, 6)
    for q in range(6):
        circuit.ry(rng.uniform(0.5, 2.5), q)
    for q in range(5):
        circuit.cx(q, 5).cx(5, q)
        circuit.measure(q, q).if_else(bit(q), circuit.block().ry(0.3, 5), circuit.block().rx(0.4, 5)).ry(0.1, q)
    circuit.measure(5, 5)
    expected, crowded = oracle.distribution(circuit), []
    tidy = explore.Explorer._tidy

    def watched(self):
        tidy(self)
        crowded.append(self._crowded)

    monkeypatch.setattr(explore.Explorer, "_tidy", watched)
    oracle.assert_sampled(sampled(circuit), expected)
    assert not crowded
    monkeypatch.setattr(dynamic, "_BUDGET", 128)  # two states of two qubits
    oracle.assert_sampled(sampled(circuit), expected)
    assert any(crowded)


# Loops ---------------------------------------------------------------------------------------------------------


def test_a_loop_that_comes_round_with_certainty_is_found_out():
    circuit = Circuit(2, 2)
    circuit.while_loop(is_([0], 0), circuit.block().x(1).measure(1, 1))  # bit 1 goes 1, 0, 1, 0...
    with pytest.raises(
        CircuitError, match="A while loop goes on for ever: 2 rounds of it, in which every outcome was certain"
    ):
        dense().sample(circuit, 5)


@pytest.mark.parametrize("run", [Simulator.sample, Simulator.outcome_probabilities])
def test_a_random_walk_without_end_stops_at_a_limit_that_the_error_names(run):
    circuit = Circuit(1, 2)
    circuit.while_loop(is_([1], 0), circuit.block().h(0).measure(0, 0))
    with pytest.raises(CircuitError, match=r"round while loops 50 times \(max_loop_rounds\).*max_loop_rounds=\.\.\."):
        run(dense(max_loop_rounds=50), circuit)


def test_the_limit_counts_rounds_of_one_history():
    circuit = Circuit(1, 8)
    step = ClassicalOperation("+", (Bits(tuple(range(7))), Literal(1)), width=7)
    body = circuit.block().assign(range(7), step).rx(0.1, 0)
    circuit.while_loop(ClassicalOperation("<", (Bits(tuple(range(7))), Literal(100))), body).measure(0, 7)
    assert dense(max_loop_rounds=100).sample(circuit, 10).shots == 10
    with pytest.raises(CircuitError, match="round while loops 99 times"):
        dense(max_loop_rounds=99).sample(circuit, 10)
    for wrong in (0, -1, 1.5, True, "many"):
        with pytest.raises(QsimError, match="max_loop_rounds is a whole number of at least 1"):
            Simulator(max_loop_rounds=wrong)


# Exact distributions -------------------------------------------------------------------------------------------


def test_exact_distributions_are_refused_when_there_are_too_many_outcomes():
    many = Circuit(1, 25)
    for k in range(25):
        many.reset(0).h(0).measure(0, k)
    with pytest.raises(CircuitError, match="at most 1,024 outcomes"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "MAX_ROWS", 1 << 10)
        dense().outcome_probabilities(many)
    loop = Circuit(2, 1).h(0).measure(0, 0)
    loop.while_loop(bit(0), loop.block().reset(0).ry(3.1, 0).cx(0, 1).rx(0.3, 1).ry(0.2, 1).measure(0, 0).rz(0.1, 1))
    wild = loop.block().ry(0.3, 1).h(0).measure(0, 0).if_else(bit(0), loop.block().rx(0.7, 1)).x(0).measure(0, 0)
    loop.while_loop(bit(0), wild)
    with pytest.raises(CircuitError, match="Use sample"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore, "MAX_HISTORIES", 64)
        dense().outcome_probabilities(loop)


def test_probabilities_of_a_circuit_that_branches_are_those_of_its_bits():
    circuit = Circuit(1, 2).ry(0.8, 0).measure(0, 0).h(0).measure(0, 1)
    p = math.sin(0.4) ** 2
    assert np.allclose(dense().probabilities(circuit), [(1 - p) / 2, p / 2, (1 - p) / 2, p / 2])
    with pytest.raises(CircuitError, match="has no single state"):
        dense().probabilities(circuit, qubits=[0])
    with pytest.raises(CircuitError, match="Outcomes need a measurement"):
        dense().outcome_probabilities(Circuit(1).h(0))
    static = Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [1, 0])
    found = dense().outcome_probabilities(static)
    assert list(found) == ["00", "11"] and np.allclose(list(found.values()), 0.5)


def test_marks_for_snapshots_change_no_sample():
    circuit = Circuit(1, 2).h(0).save_statevector("a").measure(0, 0).h(0).save_probabilities("b").measure(0, 1)
    oracle.assert_sampled(sampled(circuit), {k: 0.25 for k in range(4)})
    with pytest.raises(CircuitError, match="has no single"):
        Simulator().snapshots(circuit)


# Against a peer ------------------------------------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.parametrize("branching", [False, True])
@pytest.mark.parametrize("name", ["teleportation", "repetition_code", "phase_estimation"])
def test_aer_follows_the_exact_distribution(name, branching):
    aer = pytest.importorskip("qiskit_aer")
    from benchmarks import dynamic as tasks
    from parsers.interop import to_qiskit

    circuit = getattr(tasks, name)(4)
    exact = {int(key, 2): p for key, p in dense().outcome_probabilities(circuit).items()}
    engine = aer.AerSimulator(method="statevector", shot_branching_enable=branching)
    theirs = engine.run(to_qiskit(circuit), shots=5000, seed_simulator=7).result().get_counts()
    oracle.assert_sampled({int(key.replace(" ", ""), 2): count for key, count in theirs.items()}, exact)
    oracle.assert_sampled(sampled(circuit, 5000), exact)
