"""The stabiliser and matrix-product-state engines against Qiskit Aer's."""

from __future__ import annotations

import numpy as np
import pytest

from qsim import Circuit, Pauli, Simulator
from qsim.noise import NoiseModel, ReadoutError, depolarizing

pytestmark = pytest.mark.peer

aer = pytest.importorskip("qiskit_aer", reason="compares with Qiskit Aer")
SHOTS = 4000


def counts_of(circuit, method, noise=None):
    from parsers import to_qiskit

    backend = aer.AerSimulator(method=method, noise_model=noise, max_parallel_threads=1)
    return backend.run(to_qiskit(circuit), shots=SHOTS, seed_simulator=3).result().get_counts()


def correlations(counts, num_bits):
    """The mean of each bit and of each pair of neighbours' parity, in units of their standard error at most."""
    total = np.zeros(2 * num_bits - 1)
    for key, count in counts.items():
        bits = np.array([int(letter) for letter in reversed(key.replace(" ", ""))])
        total += count * np.concatenate([bits, bits[1:] ^ bits[:-1]])
    return total / SHOTS


def check(circuit, method, ours):
    theirs = counts_of(circuit, method)
    difference = correlations(ours, circuit.num_clbits) - correlations(theirs, circuit.num_clbits)
    assert np.abs(difference).max() < 5 * np.sqrt(0.5 / SHOTS)


@pytest.mark.parametrize("seed", range(3))
def test_random_clifford_circuits(seed):
    pytest.importorskip("stim", reason="the stabiliser engine is the extra clifford")
    random = np.random.default_rng(seed)
    circuit = Circuit(20)
    for kind in random.integers(4, size=200).tolist():
        a, b = random.choice(20, 2, replace=False).tolist()
        circuit.append(["h", "s", "sx", "cx"][kind], [a, b][: 1 + (kind == 3)])
    circuit.measure_all()
    check(circuit, "stabilizer", Simulator(method="stabilizer").sample(circuit, SHOTS, seed=seed))


def test_noise_on_a_repetition_of_entangling_gates():
    pytest.importorskip("stim", reason="the stabiliser engine is the extra clifford")
    from qiskit_aer.noise import NoiseModel as AerModel
    from qiskit_aer.noise import ReadoutError as AerReadout
    from qiskit_aer.noise import depolarizing_error

    circuit = Circuit(8).h(0)
    for k in range(7):
        circuit.cx(k, k + 1)
    circuit.measure_all()
    model = NoiseModel().add(depolarizing(0.1, 2), "cx").add_readout_error(ReadoutError(0.05, 0.1))
    theirs = AerModel()
    theirs.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), ["cx"])
    theirs.add_all_qubit_readout_error(AerReadout([[0.95, 0.05], [0.1, 0.9]]))
    ours = Simulator(noise=model, method="stabilizer").sample(circuit, SHOTS, seed=1)
    difference = correlations(ours, 8) - correlations(counts_of(circuit, "stabilizer", theirs), 8)
    assert np.abs(difference).max() < 5 * np.sqrt(0.5 / SHOTS)


def test_matrix_product_states():
    random = np.random.default_rng(2)
    circuit = Circuit(24)
    for layer in range(5):
        for qubit in range(24):
            circuit.u(*random.uniform(0, 3, 3).tolist(), qubit)
        for qubit in range(layer % 2, 23, 2):
            circuit.cx(qubit, qubit + 1)
    measured = circuit.copy().measure_all()
    check(measured, "matrix_product_state", Simulator(method="mps").sample(measured, SHOTS, seed=1))
    exact = Simulator(method="statevector").expectation(circuit, Pauli.Z(11) * Pauli.X(12))
    assert np.isclose(Simulator(method="mps").expectation(circuit, Pauli.Z(11) * Pauli.X(12)), exact, atol=1e-7)
