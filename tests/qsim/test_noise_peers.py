"""Noise against Qiskit Aer: the same channels, density matrices and counts."""

import numpy as np
import oracle
import pytest

from qsim import Circuit, NoiseModel, Simulator
from qsim.noise import (
    ReadoutError,
    amplitude_damping,
    depolarizing,
    pauli_channel,
    phase_damping,
    thermal_relaxation,
)

pytestmark = pytest.mark.peer
aer = pytest.importorskip("qiskit_aer")
qiskit = pytest.importorskip("qiskit")


def pairs():
    from qiskit_aer.noise import errors as e

    return [
        (depolarizing(0.12), e.depolarizing_error(0.12, 1)),
        (depolarizing(0.2, 2), e.depolarizing_error(0.2, 2)),
        (pauli_channel({"X": 0.1, "Z": 0.2}), e.pauli_error([("X", 0.1), ("Z", 0.2), ("I", 0.7)])),
        (pauli_channel({"XI": 0.1, "ZY": 0.2}), e.pauli_error([("XI", 0.1), ("ZY", 0.2), ("II", 0.7)])),
        (amplitude_damping(0.3), e.amplitude_damping_error(0.3)),
        (amplitude_damping(0.3, 0.2), e.amplitude_damping_error(0.3, 0.2)),
        (phase_damping(0.3), e.phase_damping_error(0.3)),
        (thermal_relaxation(50, 70, 10, 0.1), e.thermal_relaxation_error(50, 70, 10, 0.1)),
        (thermal_relaxation(50, 30, 10), e.thermal_relaxation_error(50, 30, 10)),
    ]


def test_channels_of_one_name_are_one_map():
    from qiskit.quantum_info import SuperOp

    for ours, theirs in pairs():
        assert np.abs(ours.superoperator() - SuperOp(theirs).data).max() < 1e-9, ours


@pytest.mark.parametrize("seed", range(3))
def test_density_matrices_and_counts_agree(seed):
    from qiskit_aer.noise import NoiseModel as AerNoise
    from qiskit_aer.noise import ReadoutError as AerReadout

    random, noise, theirs = np.random.default_rng(seed), NoiseModel(), AerNoise()
    ones, twos = [[p for p in pairs() if p[0].num_qubits == k] for k in (1, 2)]
    for names, (channel, error) in [(["ry", "u"], ones[seed]), (["h"], ones[-1 - seed]), (["cx"], twos[seed % 2])]:
        noise.add(channel, names)
        theirs.add_all_qubit_quantum_error(error, names)
    noise.add_readout_error(ReadoutError(0.02, 0.1))
    theirs.add_all_qubit_readout_error(AerReadout([[0.98, 0.02], [0.1, 0.9]]))
    mine, other = Circuit(4), qiskit.QuantumCircuit(4)
    for _ in range(12):
        a, b = (int(q) for q in random.permutation(4)[:2])
        angles = random.uniform(0, 6, 3).tolist()
        for circuit in (mine, other):
            circuit.ry(angles[0], a)
            circuit.cx(a, b)
            circuit.h(b)
            circuit.u(*angles, a)
    other.save_density_matrix()
    backend = aer.AerSimulator(method="density_matrix", noise_model=theirs)
    expected = np.asarray(backend.run(other, shots=1).result().data()["density_matrix"])
    assert np.abs(Simulator(noise=noise).density_matrix(mine) - expected).max() < 1e-10
    counts = Simulator(noise=noise, method="statevector").sample(mine.copy().measure_all(), 2000, seed=seed)
    found = dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))
    oracle.assert_sampled(found, dict(enumerate(Simulator(noise=noise).probabilities(mine))))
