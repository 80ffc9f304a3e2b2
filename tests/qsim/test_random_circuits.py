"""Random circuits of one kind of gates each, on more qubits than dense matrices reach, against gate by gate products.

Kinds of few gates reach what circuits of all gates rarely do: long runs that commute, chains, swaps between them.
"""

from __future__ import annotations

import numpy as np
import pytest

from qsim import Circuit, Simulator

#: Gates that circuits are made of, each with its number of parameters and of qubits.
KINDS = {
    "real and swap": [("ry", 1, 1), ("h", 0, 1), ("cx", 0, 2), ("swap", 0, 2), ("x", 0, 1)],
    "Clifford and T": [("h", 0, 1), ("s", 0, 1), ("t", 0, 1), ("cx", 0, 2), ("cx", 0, 2), ("sdg", 0, 1)],
    "swaps alone": [("swap", 0, 2)],
    "diagonal": [("rz", 1, 1), ("cz", 0, 2), ("ccz", 0, 3), ("rzz", 1, 2), ("crz", 1, 2), ("swap", 0, 2)],
    "phases": [("rz", 1, 1), ("rzz", 1, 2), ("cz", 0, 2), ("cp", 1, 2), ("rx", 1, 1), ("h", 0, 1), ("t", 0, 1)],
    "ladders": [("cx", 0, 2), ("rz", 1, 1), ("cx", 0, 2), ("cx", 0, 2), ("rx", 1, 1)],
    "dense": [("u", 3, 1), ("cx", 0, 2), ("rxx", 1, 2), ("iswap", 0, 2), ("cu3", 3, 2)],
    "arithmetic": [("ccx", 0, 3), ("cx", 0, 2), ("x", 0, 1), ("cswap", 0, 3), ("h", 0, 1), ("ccz", 0, 3), ("c3x", 0, 4)],
    "controlled": [("cry", 1, 2), ("crx", 1, 2), ("crz", 1, 2), ("ch", 0, 2), ("csx", 0, 2), ("cy", 0, 2), ("ry", 1, 1)],
}  # fmt: skip
TOLERANCES = {"double": 1e-12, "single": 1e-5}


def random_circuit(kind, n, gates, random):
    """Gates of a kind on random qubits: anywhere, near each other, or in layers of the same gate."""
    circuit, table, way = Circuit(n), KINDS[kind], random.integers(3)
    if random.random() < 0.7:  # else the state often stays thin
        for q in range(n):
            getattr(circuit, str(random.choice(["h", "sx", "x", "id"])))(q)
    while len(circuit) < gates:
        name, parameters, count = table[random.integers(len(table))]
        if way == 2:
            places = [random.permutation(n)[:count] for _ in range(random.integers(1, n))]
        elif way == 1:
            start = random.integers(n - count + 1)
            places = [start + random.permutation(count)]
        else:
            places = [random.permutation(n)[:count]]
        for place in places:
            angles = [float(random.choice([random.uniform(-4, 4), np.pi, np.pi / 2, 0.0])) for _ in range(parameters)]
            getattr(circuit, name)(*angles, *(int(q) for q in place))
    return circuit


def by_products(circuit, state=None):
    """The final state, one gate after another."""
    n = circuit.num_qubits
    if state is None:
        state = np.zeros(1 << n, np.complex128)
        state[0] = 1
    state = state.reshape((2,) * n)
    for instruction in circuit:
        qubits, matrix = instruction.qubits, instruction.operation.matrix()
        # Axis k of the state is qubit n - 1 - k; a matrix has its first qubit as the lowest bit.
        axes = [n - 1 - q for q in reversed(qubits)]
        tensor = matrix.reshape((2,) * (2 * len(qubits)))
        state = np.tensordot(tensor, state, (range(len(qubits), 2 * len(qubits)), axes))
        state = np.moveaxis(state, range(len(qubits)), axes)
    return state.reshape(-1) * np.exp(1j * circuit.global_phase)


def check(kind, n, gates, seed):
    random = np.random.default_rng([seed, n, sorted(KINDS).index(kind)])
    circuit = random_circuit(kind, n, gates, random)
    expected = by_products(circuit)
    start = random.normal(size=1 << n) + 1j * random.normal(size=1 << n)
    start /= np.linalg.norm(start)
    expected_from = by_products(circuit, start)
    for precision, tolerance in TOLERANCES.items():
        one = Simulator(precision=precision, threads=1)
        state = one.statevector(circuit)
        assert np.abs(state - expected).max() < tolerance
        assert np.abs(one.statevector(circuit, initial_state=start) - expected_from).max() < tolerance
        for threads in (2, 3):
            assert np.array_equal(Simulator(precision=precision, threads=threads).statevector(circuit), state)
        for tile_bits in (6, int(random.integers(min(7, n), n + 1))):
            one._tile_bits = tile_bits
            assert np.abs(one.statevector(circuit) - expected).max() < tolerance
            assert np.abs(one.statevector(circuit, initial_state=start) - expected_from).max() < tolerance


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(("n", "gates"), [(8, 120), (10, 150), (15, 90)])
def test_random(kind, n, gates):
    check(kind, n, gates, seed=1)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_short_ones(kind):
    for seed in range(30):
        random = np.random.default_rng(seed)
        check(kind, int(random.integers(4, 9)), int(random.integers(0, 6)), seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("seed", range(2, 40))
def test_more(kind, seed):
    random = np.random.default_rng(seed)
    check(kind, int(random.integers(5, 18)), int(random.integers(10, 400)), seed)
