"""Fidelities of states and channels against their definitions."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from qsim import Circuit, NoiseModel, QsimError, Simulator
from qsim.fidelities import average_gate_fidelity, process_fidelity, state_fidelity
from qsim.noise import amplitude_damping, depolarizing, kraus
from qsim.readout import fidelity


def density(seed, size, rank):
    random = np.random.default_rng(seed)
    tall = random.normal(size=(size, rank)) + 1j * random.normal(size=(size, rank))
    return tall @ tall.conj().T / np.trace(tall @ tall.conj().T)


def vector(seed, size):
    random = np.random.default_rng(seed)
    state = random.normal(size=size) + 1j * random.normal(size=size)
    return state / np.linalg.norm(state)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ranks", [(8, 8), (8, 5), (3, 8)])
def test_the_fidelity_of_density_matrices_is_jozsa_s(seed, ranks):
    first, second = density(seed, 8, ranks[0]), density(seed + 10, 8, ranks[1])
    expected = np.trace(sqrtm(sqrtm(first) @ second @ sqrtm(first))).real ** 2
    assert state_fidelity(first, second) == pytest.approx(expected, abs=1e-6)
    assert state_fidelity(first, second) == pytest.approx(state_fidelity(second, first), abs=1e-9)


def test_vectors_are_pure_density_matrices():
    first, second, mixed = vector(1, 8), vector(2, 8), density(3, 8, 8)
    assert fidelity(first, second) == pytest.approx(abs(np.vdot(first, second)) ** 2, abs=1e-14)
    assert fidelity(first, mixed) == pytest.approx(np.vdot(first, mixed @ first).real, abs=1e-14)
    assert fidelity(mixed, first) == fidelity(first, mixed)
    assert fidelity(np.outer(first, first.conj()), second) == pytest.approx(fidelity(first, second), abs=1e-12)
    assert fidelity(mixed.astype(np.complex64), mixed.astype(np.complex64)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("channel", [depolarizing(0.3), amplitude_damping(0.4), depolarizing(0.2, 2)])
def test_process_fidelity_is_by_kraus_operators(channel):
    size = len(channel.kraus[0])
    random = np.random.default_rng(5)
    unitary = np.linalg.qr(random.normal(size=(size, size)) + 1j * random.normal(size=(size, size)))[0]
    expected = sum(abs(np.trace(unitary.conj().T @ k)) ** 2 for k in channel.kraus) / size**2
    assert process_fidelity(channel, unitary) == pytest.approx(expected, abs=1e-13)
    assert process_fidelity(channel.superoperator(), kraus([unitary])) == pytest.approx(expected, abs=1e-7)
    assert average_gate_fidelity(channel, unitary) == pytest.approx((size * expected + 1) / (size + 1), abs=1e-13)
    assert process_fidelity(channel, channel) == pytest.approx(1, abs=1e-7)


def test_the_average_gate_fidelity_is_an_average_over_states():
    channel, total, count = amplitude_damping(0.3), 0.0, 4000
    for seed in range(count):
        state = vector(seed, 2)
        total += sum(abs(np.vdot(state, k @ state)) ** 2 for k in channel.kraus)
    assert average_gate_fidelity(channel) == pytest.approx(total / count, abs=0.01)


def test_a_noisy_gate_is_compared_with_the_ideal_one():
    circuit = Circuit(2).h(0).cx(0, 1)
    noisy = Simulator(noise=NoiseModel().add(depolarizing(0.1, 2), "cx")).superoperator(circuit)
    assert process_fidelity(noisy, Simulator().unitary(circuit)) == pytest.approx(1 - 0.1 * 15 / 16, abs=1e-13)


BAD = [
    (lambda: state_fidelity(np.eye(2) + 0j, vector(1, 2)), "trace 1"),
    (lambda: state_fidelity(np.ones(2) + 0j, vector(1, 2)), "normalised"),
    (lambda: state_fidelity(vector(1, 4), vector(1, 2)), "one size"),
    (lambda: state_fidelity([1, 0], vector(1, 2)), "NumPy array"),
    (lambda: state_fidelity(np.full((2, 2), np.nan + 0j), vector(1, 2)), "finite"),
    (lambda: state_fidelity(np.diag([1.5, -0.5]) + 0j, vector(1, 2)), "negative eigenvalues"),
    (lambda: process_fidelity(np.ones((4, 4))), "trace; this superoperator is off by 2"),
    (lambda: process_fidelity(np.eye(4)[[0, 2, 1, 3]]), "completely positive"),  # the transpose
    (lambda: process_fidelity(depolarizing(0.1), 1.01 * np.eye(4)), "off by 0.01"),
    (lambda: process_fidelity(np.eye(2) + 0j), r"\(4\*\*n, 4\*\*n\)"),
    (lambda: process_fidelity(np.eye(8) + 0j), r"\(4\*\*n, 4\*\*n\)"),
    (lambda: process_fidelity(depolarizing(0.1), np.ones((2, 2)) + 0j), "unitary; this one is off"),
    (lambda: process_fidelity(depolarizing(0.1), depolarizing(0.1, 2)), "as many qubits"),
    (lambda: average_gate_fidelity(depolarizing(0.1), depolarizing(0.1)), "with a unitary"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_refused(call, message):
    with pytest.raises(QsimError, match=message):
        call()
