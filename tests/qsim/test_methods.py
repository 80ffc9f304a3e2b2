"""Which method is chosen, why, and what is refused with which numbers."""

from __future__ import annotations

import numpy as np
import pytest

from qsim import Circuit, CircuitError, MemoryLimitError, Parameter, Pauli, QsimError, Simulator, methods
from qsim.classical import Bits, Literal
from qsim.methods import bond_bound, choose, trial_run
from qsim.stabilizer import tableau


def ladder(count, angle=None):
    circuit = Circuit(count).h(0)
    for k in range(count - 1):
        circuit.cx(k, k + 1)
        if angle is not None:
            circuit.ry(angle, k)
    return circuit


def scrambled(count, layers, seed=0):
    rng = np.random.default_rng(seed)
    circuit = Circuit(count)
    for _ in range(layers):
        for qubit in range(count):
            circuit.u(*rng.uniform(0, 6, 3), qubit)
        for _ in range(count):
            circuit.cx(*rng.choice(count, 2, replace=False).tolist())
    return circuit


@pytest.fixture
def eight_gib(monkeypatch):
    """A machine of 8 GiB, whatever this one has."""
    monkeypatch.setattr(methods, "available_memory", lambda: 8 << 30)
    monkeypatch.setattr("qsim.memory.available_memory", lambda: 8 << 30)


def test_a_statevector_where_it_fits_and_is_quick(eight_gib):
    for circuit in (ladder(3), ladder(20), ladder(20, 0.1), scrambled(20, 1)):
        choice = choose(circuit, Simulator())
        assert choice.method == "statevector" and "amplitudes take" in choice.reason


def test_clifford_circuits_that_are_wide_or_branch_go_to_the_stabiliser_engine(eight_gib):
    pytest.importorskip("stim", reason="the stabiliser engine is the extra clifford")
    assert choose(ladder(26), Simulator()).method == "stabilizer"
    assert choose(ladder(100), Simulator()).reason.startswith("all gates are Clifford; a statevector would take more")
    branching = ladder(18)
    branching.add_clbits(1)
    branching.measure(0, 0).if_else(Bits((0,)), branching.block().x(3)).measure(0, 0)
    assert choose(branching, Simulator()).method == "stabilizer"
    assert choose(ladder(26), Simulator(), "gradient").method == "statevector"


def test_low_entanglement_goes_to_matrix_product_states(eight_gib):
    choice = choose(ladder(100, 0.1), Simulator())
    assert choice.method == "mps" and "2**1" in choice.reason
    assert "operation 3, 'ry(0.1)'" not in choice.alternatives["statevector"]
    assert "'ry(0.1)' on qubit 0, is no Clifford gate" in choice.alternatives["stabilizer"]
    counts = Simulator().sample(ladder(100, 0.1).measure_all(), 50, seed=1)
    assert counts.metadata["method"] == "mps" and counts.metadata["truncation_error"] < 1e-12


def test_narrow_circuits_are_sampled_by_matrix_product_states_though_a_statevector_fits(eight_gib):
    assert choose(ladder(28, 0.1), Simulator()).method == "mps"
    assert choose(ladder(28, 0.1), Simulator(), "expectation").method == "statevector"
    assert choose(ladder(25, 0.1), Simulator()).method == "statevector"
    assert choose(scrambled(28, 3), Simulator()).method == "statevector"


def test_a_trial_run_settles_what_the_structure_leaves_open(eight_gib):
    circuit = ladder(60, 0.1)
    for k in range(0, 59):
        for _ in range(20):  # many gates across each cut, little entanglement
            circuit.cx(k, k + 1)
    assert bond_bound(circuit) > 10
    assert "tried with bonds" in choose(circuit, Simulator()).reason
    assert "a trial run came to bonds of" in choose(circuit, Simulator(), trial=True).reason


def test_what_nothing_can_run_is_refused_with_the_numbers(eight_gib, monkeypatch):
    monkeypatch.setattr(methods, "TRIAL_WORK", 2e5)
    monkeypatch.setattr(methods, "AUTOMATIC_WORK", 2e5)
    circuit = scrambled(50, 20)
    with pytest.raises(MemoryLimitError) as caught:
        choose(circuit, Simulator(), trial=True)
    message = str(caught.value)
    assert "No method can run this circuit of 50 qubits" in message
    assert "statevector: needs 16 PiB (2**50 amplitudes); 8 GiB are available" in message
    assert "stabilizer: operation 0, 'u(" in message
    assert "mps: after " in message and "a matrix-product state has a bond of" in message
    assert 'precision="single"' in message and "max_bond=256" in message
    with pytest.raises(
        MemoryLimitError, match=r"after [\d,]+ of 2,000 gates a matrix-product state has a bond of"
    ) as run:
        Simulator().sample(circuit.measure_all(), 10)
    assert "statevector: needs 16 PiB (2**50 amplitudes); 8 GiB are available; stabilizer: " in str(run.value)


def test_a_statevector_of_a_wide_circuit_is_refused_with_its_size(eight_gib):
    with pytest.raises(MemoryLimitError, match="statevector of 60 qubits needs 16 EiB"):
        Simulator().statevector(ladder(60))
    with pytest.raises(MemoryLimitError, match="60 qubits"):
        Simulator().gradient(ladder(60), Pauli.Z(0))


def test_a_missing_extra_is_named(eight_gib, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "stim", None)
    monkeypatch.setattr(tableau, "has_stim", lambda: False)
    with pytest.raises(QsimError, match=r'pip install "qsim-session\[clifford\]"'):
        Simulator(method="stabilizer").sample(ladder(3).measure_all(), 10)
    choice = choose(ladder(100), Simulator())
    assert choice.method == "mps" and "qsim-session[clifford]" in choice.alternatives["stabilizer"]


@pytest.mark.parametrize("method", ["stabiliser", "statevektor", "", None, 3])
def test_unknown_methods(method):
    with pytest.raises(QsimError, match="There is no method") as caught:
        Simulator(method=method)
    assert ("Did you mean" in str(caught.value)) == (method in ("stabiliser", "statevektor"))


def test_the_same_results_whatever_the_method():
    pytest.importorskip("stim", reason="the stabiliser engine is the extra clifford")
    circuit = ladder(5).s(2).h(2).measure_all()
    operator = Pauli.Z(0) * Pauli.Z(4) + 0.5 * Pauli.Y(2)
    for method in ("automatic", "statevector", "stabilizer", "mps"):
        simulator = Simulator(method=method)
        assert np.isclose(simulator.expectation(circuit, operator), 1.0)
        assert simulator.last_run["method"] == ("statevector" if method == "automatic" else method)
        assert np.allclose(simulator.probabilities(circuit, qubits=[0, 4]), [0.5, 0, 0, 0.5])
        counts = simulator.sample(circuit, 4000, seed=1)
        assert counts.shots == 4000 and len(counts) == 4 and max(counts.frequencies) < 1200


def test_a_batch_may_take_a_method_for_each_set(eight_gib):
    pytest.importorskip("stim", reason="the stabiliser engine is the extra clifford")
    theta = Parameter("theta")
    circuit = ladder(40).rx(theta, 0).measure_all()
    batch = Simulator().sample(circuit, 20, [{"theta": np.pi}, {"theta": 0.3}], seed=1)
    assert [counts.metadata["method"] for counts in batch] == ["stabilizer", "mps"]
    values = Simulator().expectation(
        circuit, [Pauli.Z(0) * Pauli.Z(39), Pauli.Z(1)], [{"theta": np.pi}, {"theta": 0.3}]
    )
    assert np.allclose(values, [[-1, 0], [np.cos(0.3), 0]])


def test_bounds_on_bonds():
    assert bond_bound(Circuit(1)) == 0
    assert bond_bound(Circuit(6).h(range(6))) == 0
    assert bond_bound(Circuit(6).swap(0, 1)) == 1  # no more than the qubits to its side
    assert bond_bound(Circuit(6).swap(2, 3).cz(1, 4)) <= 3
    far_pairs = Circuit(40)
    for k in range(20):
        far_pairs.cx(k, k + 20)
    assert bond_bound(far_pairs) == 1  # partners stand side by side
    branching = Circuit(2, 1).measure(0, 0)
    branching.if_else(Bits((0,)), branching.block().cx(0, 1))
    assert bond_bound(branching) is None


@pytest.mark.parametrize("method", ["stabilizer", "mps"])
def test_a_loop_without_end_is_stopped_by_the_limit_that_was_set(method):
    circuit = Circuit(1, 2)
    circuit.while_loop(Literal(1), circuit.block().h(0).measure(0, 0))
    with pytest.raises(CircuitError, match=r"go round while loops 300 times \(max_loop_rounds\)"):
        Simulator(method=method, max_loop_rounds=300).sample(circuit, 50, seed=1)


def test_a_trial_run_counts_small_steps_too(eight_gib):
    circuit = Circuit(40)
    for _ in range(200):  # bonds of 1: no work but calls
        circuit.x(0).cx(0, 1)
        circuit.x(1).cx(1, 2)
    with pytest.raises(MemoryLimitError, match="the work that method"):
        trial_run(circuit, Simulator(), 1e5)
