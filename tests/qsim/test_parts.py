"""Circuits that fall apart, idle qubits, and qubits that are done: the same answers as one large state gives, in less room."""

from __future__ import annotations

import itertools
import math

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import append_gate, observables

from qsim import Circuit, MemoryLimitError, Parameter, Pauli, Simulator, SparsePauliOp, parts
from qsim.errors import QsimError
from qsim.parts import connected_qubits, independent_parts


@pytest.fixture(autouse=True)
def _every_size(monkeypatch):
    """Small circuits are cut as large ones are, so that the oracle can tell."""
    monkeypatch.setattr(parts, "WHOLE_QUBITS", 0)


@st.composite
def scattered(draw):
    """A circuit of up to three groups of qubits that are mixed up and have no common gate."""
    order = draw(st.permutations(range(7)))
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3).filter(lambda s: sum(s) <= 7))
    circuit, at = Circuit(7), 0
    groups = []
    for size in sizes:
        groups.append(order[at : at + size])
        at += size
    for _ in range(draw(st.integers(1, 8))):
        group = draw(st.sampled_from(groups))
        small = Circuit(len(group))
        append_gate(draw, small)
        for instruction in small:
            circuit.append(instruction.operation, [group[q] for q in instruction.qubits])
    return circuit


@settings(max_examples=40)
@given(scattered(), st.data())
def test_probabilities_and_moments_of_parts_are_those_of_the_whole(circuit, data):
    state = oracle.statevector(circuit)
    wanted = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True))
    sim = Simulator(threads=1)
    assert np.allclose(sim.probabilities(circuit, qubits=wanted), oracle.marginal(state, wanted), atol=1e-12)
    observable = data.draw(observables(7))
    found = sim.moments(circuit, [observable, Pauli.Z(3)])
    assert np.allclose(found[0][0], oracle.expectation(circuit, observable), atol=1e-11)
    assert np.allclose(found[1][0], oracle.variance(circuit, observable), atol=1e-10)
    assert np.isclose(found[0][1], oracle.expectation(circuit, Pauli.Z(3)), atol=1e-11)


@settings(max_examples=20)
@given(scattered(), st.integers(0, 99), st.permutations(range(7)))
def test_samples_of_parts_follow_the_whole(circuit, seed, clbits):
    circuit.add_clbits(7)
    circuit.measure(range(7), clbits)
    probabilities = {k: float(p) for k, p in enumerate(oracle.marginal(oracle.statevector(circuit), _inverse(clbits)))}
    counts = [Simulator(threads=t).sample(circuit, 3000, seed=seed) for t in (1, 2)]
    assert counts[0] == counts[1] and counts[0].shots == 3000
    oracle.assert_sampled(dict(zip(counts[0].outcomes, counts[0].frequencies.tolist(), strict=True)), probabilities)
    exact = Simulator().outcome_probabilities(circuit)
    assert all(math.isclose(exact.get(format(k, "07b"), 0), p, abs_tol=1e-11) for k, p in probabilities.items())


def _inverse(order):
    return [order.index(k) for k in range(len(order))]


def test_groups_of_qubits():
    circuit = Circuit(6).h(5).cx(4, 1).barrier().ccx(1, 2, 0)
    assert connected_qubits(circuit) == [[0, 1, 2, 4], [3], [5]]
    assert [part.qubits for part in independent_parts(circuit)] == [(0, 1, 2, 4), (3,), (5,)]
    circuit.cx(3, 5)
    assert len(independent_parts(circuit)) == 2


def four_tens(rng):
    """40 qubits in four chains of ten, interleaved."""
    circuit = Circuit(40)
    for first in range(4):
        chain = range(first, 40, 4)
        for q in chain:
            circuit.ry(rng.uniform(0.2, 2.9), q)
        for a, b in itertools.pairwise(chain):
            circuit.cx(a, b)
    return circuit


def one_ten(circuit, first):
    """The chain of ten qubits that begins at `first`, as a circuit of its own."""
    small, local = Circuit(10), {q: k for k, q in enumerate(range(first, 40, 4))}
    for instruction in circuit:
        if instruction.qubits[0] in local:
            small.append(instruction.operation, [local[q] for q in instruction.qubits])
    return small


def test_forty_qubits_in_four_parts():
    circuit, sim = four_tens(np.random.default_rng(5)), Simulator(memory_limit=1 << 24, method="statevector")
    chains = [one_ten(circuit, first) for first in range(4)]
    single = [[sim.probabilities(chain, qubits=[k])[1] for k in range(10)] for chain in chains]
    joint = sim.probabilities(circuit, qubits=[39, 0, 2])
    expected = [
        math.prod(p if (k >> j) & 1 else 1 - p for j, p in enumerate((single[3][9], single[0][0], single[2][0])))
        for k in range(8)
    ]
    assert np.allclose(joint, expected, atol=1e-12)
    a, b = Pauli.Z(0) * Pauli.X(4), Pauli.Y(3) * Pauli.Y(7)
    means = [sim.expectation(chains[0], Pauli.Z(0) * Pauli.X(1)), sim.expectation(chains[3], Pauli.Y(0) * Pauli.Y(1))]
    assert np.allclose(sim.expectation(circuit, [a * b + 2 * b, a]), [means[0] * means[1] + 2 * means[1], means[0]])
    assert math.isclose(sim.variance(circuit, a * b), 1 - (means[0] * means[1]) ** 2, abs_tol=1e-12)
    counts = sim.sample(circuit.measure_all(), 4000, seed=2, memory=True)
    bits = counts.bit_array
    for q in range(40):
        p = single[q % 4][q // 4]
        assert abs(bits[:, q].mean() - p) < 5 * math.sqrt(p * (1 - p) / 4000) + 1e-9
    assert len(counts.memory) == 4000


def test_batches_of_parts():
    theta, circuit = Parameter("theta"), Circuit(30)
    circuit.ry(theta, 3).cx(3, 17).rx(2 * theta, 20)
    sets = [{"theta": 0.3}, {"theta": 1.1}]
    values = Simulator().expectation(circuit, [Pauli.Z(17), Pauli.Z(20)], sets)
    assert np.allclose(values, [[math.cos(v["theta"]), math.cos(2 * v["theta"])] for v in sets])
    assert Simulator().probabilities(circuit, sets, qubits=[17]).shape == (2, 2)
    circuit.measure_all()
    together = Simulator().sample(circuit, 100, sets, seed=8)
    assert together == [Simulator().sample(circuit, 100, v, seed=8 + k) for k, v in enumerate(sets)]


def test_sixty_qubits_in_pairs():
    circuit = Circuit(60)
    for q in range(0, 60, 2):
        circuit.h(q).cx(q, q + 1)
    zz = SparsePauliOp.from_terms([({q: "Z", q + 1: "Z"}, 1.0) for q in range(0, 60, 2)])
    assert math.isclose(Simulator().expectation(circuit, zz), 30)
    counts = Simulator().sample(circuit.measure_all(), 500, seed=1)
    assert (counts.array[:, ::2] == counts.array[:, 1::2]).all()


def test_a_chain_of_qubits_that_leave_when_they_are_measured():
    """A GHZ state of 300 qubits, connected, of which a few are in the state at a time."""
    circuit = Circuit(300).h(0)
    for q in range(299):
        circuit.cx(q, q + 1)
    counts = Simulator(memory_limit=1 << 26, method="statevector").sample(circuit.measure_all(), 1000, seed=3)
    assert set(counts) == {"0" * 300, "1" * 300}


def test_what_does_not_fit_is_refused_by_the_width_of_its_widest_part():
    circuit = Circuit(60)
    for _ in range(40):
        for q in range(39):
            circuit.cx(q, q + 1).h(q)
    dense = Simulator(method="statevector")
    with pytest.raises(MemoryLimitError, match="of 40 qubits"):
        dense.probabilities(circuit, qubits=[0])
    with pytest.raises(MemoryLimitError, match="of 40 qubits"):
        dense.expectation(circuit, Pauli.Z(1))
    assert dense.expectation(circuit, Pauli.Z(50)) == 1.0
    with pytest.raises(MemoryLimitError, match="of 60 qubits"):
        dense.statevector(circuit)
    with pytest.raises(MemoryLimitError, match=r"probabilities of 60 qubits \(2\*\*60 numbers\)"):
        dense.probabilities(Circuit(60).h(3))


def test_derivatives_and_estimates_of_wide_circuits_take_only_what_the_observable_needs():
    a, b = Parameter("a"), Parameter("b")
    wide = Circuit(60).ry(a, 3).cx(3, 50).rx(2 * b, 50).h(10).cx(10, 11).ry(b, 12)
    narrow = Circuit(2).ry(a, 0).cx(0, 1).rx(2 * b, 1)
    far, near = Pauli.Z(3) * Pauli.Z(50) + 0.5 * Pauli.Y(50), Pauli.Z(0) * Pauli.Z(1) + 0.5 * Pauli.Y(1)
    values, direction = {"a": 0.3, "b": 0.7}, {"a": 1.0, "b": -2.0}
    sim = Simulator()
    assert sim.value_and_gradient(wide, far, values) == sim.value_and_gradient(narrow, near, values)
    for method in (
        lambda circuit, operator: sim.hessian_vector_product(circuit, operator, direction, values),
        lambda circuit, operator: sim.parameter_shift_gradient(circuit, operator, values),
        lambda circuit, operator: sim.gradient(circuit, [operator, operator], [values, values])[1][1],
    ):
        assert method(wide, far) == pytest.approx(method(narrow, near), abs=1e-12)
    assert sim.estimate(wide, far, 500, values, seed=4) == sim.estimate(narrow, near, 500, values, seed=4)
    assert sim.gradient(wide, Pauli.Z(20), values) == {"a": 0.0, "b": 0.0}
    assert sim.estimate(wide, SparsePauliOp.from_terms([({}, 2.0)]), 10, values, seed=1).value == 2.0
    with pytest.raises(QsimError, match="60"):
        sim.gradient(wide, Pauli.Z(60), values)
