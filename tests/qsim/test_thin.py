"""Circuits whose state stays thin, against dense matrices and against planned programs."""

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Gate, Parameter, Simulator
from qsim.compiler import compile_circuit, compile_thin, thin
from qsim.compiler.program import _kind
from qsim.gates import GATES
from qsim.kernels.opcodes import DENSE
from qsim.state import evolve, write_thin

NAMES = sorted(name for name in oracle.TABLE if oracle.TABLE[name][0] <= 4)


@pytest.fixture(autouse=True)
def always_thin(monkeypatch):
    """No limit, so that small circuits are done in this way too."""
    monkeypatch.setattr(thin, "_LEAST_ENTRIES", 1 << 12)
    monkeypatch.setattr(thin, "_LEAST_WORK", 1 << 30)


def planned(circuit):
    return evolve(compile_circuit(circuit, tile_bits=12), np.zeros(0), np.complex128, 1)


def assert_right(circuit):
    found = compile_thin(circuit)
    if found is None:
        return False
    expected = oracle.statevector(circuit)
    for dtype, tolerance in ((np.complex128, 1e-12), (np.complex64, 1e-5)):
        state = write_thin(found, dtype, 2)
        assert state.dtype == dtype
        assert np.abs(state - expected).max() < tolerance
        sparse = np.zeros(len(state), dtype)
        found.put_entries(sparse.view(state.real.dtype))
        assert np.abs(sparse - expected).max() < tolerance
    return True


@settings(max_examples=60)
@given(strategies.circuits(max_qubits=8))
def test_a_circuit(circuit):
    assert_right(circuit)


@settings(max_examples=100)
@given(st.integers(1, 9), st.integers(0, 2**32), st.integers(0, 40))
def test_many_gates_of_few_kinds(n, seed, gates):
    random = np.random.default_rng(seed)
    kinds = random.choice([name for name in NAMES if oracle.TABLE[name][0] <= n], 5)
    circuit = Circuit(n)
    circuit.global_phase = 0.7
    for _ in range(gates):
        name = str(random.choice(kinds))
        qubits, angles = oracle.TABLE[name][:2]
        gate = Gate(name, *random.choice([0.0, np.pi, np.pi / 2, 2.5, -0.3], angles))
        for _ in range(min(int(random.choice([0, 0, 1, 2])), n - qubits)):
            gate = gate.control(1, value=int(random.integers(2)))
        circuit.append(gate, [int(q) for q in random.permutation(n)[: gate.num_qubits]])
    assert_right(circuit)


@pytest.mark.parametrize("name", NAMES)
def test_every_gate(name):
    """On qubits that are loose or joined, basis states or not; gates with a dense 4 x 4 matrix are left to others."""
    qubits, count = oracle.TABLE[name][:2]
    random = np.random.default_rng(len(name))
    done = 0
    for trial in range(8):
        n = qubits + 3
        circuit = Circuit(n)
        for q in range(n):
            if random.random() < 0.6:
                circuit.u(*random.uniform(-3, 3, 3), q)
            elif random.random() < 0.5:
                circuit.x(q)
        if trial % 2:
            circuit.cx(0, n - 1).ch(n - 1, 1)
        gate = Gate(name, *random.uniform(-3, 3, count))
        if trial % 3 == 2:
            gate = gate.control(1, value=int(random.integers(2)))
        circuit.append(gate, [int(q) for q in random.permutation(n)[: gate.num_qubits]])
        done += assert_right(circuit)
    assert done == (0 if _kind(GATES[name]) == DENSE else 8)


def test_interference_takes_entries_away():
    circuit = Circuit(3).h(0).cx(0, 1).cx(0, 1).h(0).x(2)
    circuit.ry(0.3, 1).cx(1, 2).h(1).h(1).cx(1, 2)
    assert assert_right(circuit)
    twice = Circuit(2).h(0).cx(0, 1).ch(1, 0).ch(1, 0)
    assert assert_right(twice)


def test_a_target_that_is_an_eigenvector_stays_loose():
    n, secret = 9, 0b10110010
    circuit = Circuit(n).x(n - 1).h(n - 1).h(range(n - 1))
    for q in range(n - 1):
        if secret >> q & 1:
            circuit.cx(q, n - 1)
    circuit.h(range(n - 1))
    found = compile_thin(circuit)
    assert len(found.keys) == 1
    assert found.qubits.tolist() == [n - 1]
    assert assert_right(circuit)


def superposed_adder(bits):
    """A carry, b, a alternating; half of the inputs are superposed."""
    circuit = Circuit(2 * bits + 2)
    for q in range(1, 2 * bits + 1, 4):
        circuit.ry(0.4 + q, q)
    circuit.x(2).rz(0.3, 1)
    for k in range(bits):
        c, b, a = 2 * k, 2 * k + 1, 2 * k + 2
        circuit.cx(a, b).cx(a, c).ccx(c, b, a)
    return circuit


@pytest.mark.parametrize("bits", [3, 7])
def test_arithmetic_on_superpositions(bits):
    circuit = superposed_adder(bits)
    found = compile_thin(circuit)
    assert np.abs(write_thin(found, np.complex128, 2) - planned(circuit)).max() < 1e-14


@pytest.mark.parametrize("n", [14, 17, 18, 19])
def test_wide_circuits(n):
    ghz = Circuit(n).h(n - 1)
    for q in reversed(range(n - 1)):
        ghz.cx(q + 1, q)
    state = Simulator().statevector(ghz)
    assert np.flatnonzero(state).tolist() == [0, 2**n - 1]
    assert state.flags.writeable
    fourier = Circuit(n).x([1, n - 2])
    for i in reversed(range(n)):
        fourier.h(i)
        for j in range(i):
            fourier.cp(np.pi / 2 ** (i - j), j, i)
    for precision, tolerance in (("double", 1e-14), ("single", 1e-7)):
        states = [Simulator(precision, threads=threads).statevector(fourier) for threads in (1, 2, 3)]
        assert np.array_equal(states[0], states[1])
        assert np.array_equal(states[0], states[2])
        assert np.abs(states[0] - planned(fourier)).max() < tolerance
    mixed = Circuit(n).h([0, 3, 5]).ry(0.3, n - 1).cx(0, 8).cx(3, n - 1).cp(0.2, 5, 8).cswap(5, 2, n - 3)
    mixed.x(n - 4).swap(1, n - 4).u(0.1, 0.2, 0.3, 7).crx(0.4, 8, 6)
    assert len(compile_thin(mixed).keys) > 4
    assert np.abs(Simulator().statevector(mixed) - planned(mixed)).max() < 1e-14


def test_what_is_not_thin(monkeypatch):
    monkeypatch.undo()
    dense = Circuit(14)
    for q in range(14):
        dense.ry(0.1 + q, q)
    for q in range(13):
        dense.cx(q, q + 1)
    assert compile_thin(dense) is None
    assert compile_thin(dense) is None  # known by now
    expected = planned(dense)
    assert np.abs(Simulator().statevector(dense) - expected).max() < 1e-14
    busy = Circuit(14).h(0).cx(0, 1)
    for _ in range(1000):
        busy.ry(0.3, 0).ch(0, 1)
    assert compile_thin(busy) is None
    assert compile_thin(Circuit(14).rxx(0.3, 0, 1)) is None


def test_symbolic_circuits_and_changed_ones():
    angle = Parameter("angle")
    circuit = Circuit(14).rx(angle, 0)
    assert compile_thin(circuit) is None
    assert abs(Simulator().statevector(circuit, {"angle": np.pi})[1] + 1j) < 1e-15
    plain = Circuit(14).x(0)
    assert Simulator().statevector(plain)[1] == 1
    plain.x(13)
    assert Simulator().statevector(plain)[1 + 2**13] == 1
    plain.global_phase = np.pi
    assert abs(Simulator().statevector(plain)[1 + 2**13] + 1) < 1e-15
