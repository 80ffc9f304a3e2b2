"""One tile that is the whole state: stages on fewer qubits, and threads that share every operation."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Gate, Simulator, pool
from qsim.compiler import Program, compile_circuit
from qsim.kernels import opcodes as oc


@pytest.fixture
def four_cores(monkeypatch):
    """More helpers than a small machine has cores, so that three threads are three; and they share whatever it costs."""
    monkeypatch.setattr(pool, "available_cores", lambda: 4)
    monkeypatch.setattr(Program, "worth_sharing", lambda *_: True)


def sizes(program):
    return program.section(oc.IN_PASSES).reshape(-1, oc.PASS_RECORD)[:, oc.PASS_BITS].tolist()


def mixed(num_qubits, layers, seed):
    """Layers of gates of all kernels: real, complex, phases, 4 x 4, many controls, X and CX, negative controls."""
    random, circuit = np.random.default_rng(seed), Circuit(num_qubits)
    for _ in range(layers):
        for q in random.permutation(num_qubits).tolist():
            gate = random.integers(5)
            if gate == 0:
                circuit.u(*random.uniform(-3, 3, 3), q)
            elif gate == 1:
                circuit.ry(random.uniform(-3, 3), q)
            elif gate == 2:
                circuit.rz(random.uniform(-3, 3), q)
            elif gate == 3:
                circuit.x(q)
        order = random.permutation(num_qubits).tolist()
        for a, b in zip(order[::2], order[1::2], strict=False):
            gate = random.integers(5)
            if gate == 0:
                circuit.rxx(random.uniform(-3, 3), a, b).ryy(0.3, a, b)
            elif gate == 1:
                circuit.cp(random.uniform(-3, 3), a, b)
            elif gate == 2:
                circuit.append(Gate("ry", 0.4).control(1, 0), [a, b])
            else:
                circuit.cx(a, b)
        circuit.ccx(*order[:3]).append(Gate("h").control(6), order[:7]).rzz(0.2, order[3], order[-1])
    return circuit


@settings(max_examples=20)
@given(st.data(), st.integers(8, 10))
def test_stages_against_the_oracle(data, num_qubits):
    circuit = data.draw(strategies.circuits(min_qubits=num_qubits, max_qubits=num_qubits, max_gates=20))
    expected = oracle.statevector(circuit)
    for precision, tolerance in (("double", 1e-12), ("single", 1e-5)):
        state = Simulator(precision, _tile_bits=num_qubits).statevector(circuit)
        assert np.abs(state - expected).max() < tolerance


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("num_qubits", [15, 16, 17])
def test_any_number_of_threads_gives_the_same_bits(four_cores, num_qubits, precision):
    circuit = mixed(num_qubits, 3, num_qubits)
    program = compile_circuit(circuit, dtype=np.complex128 if precision == "double" else np.complex64)
    assert program.is_whole and program.tile_bits == num_qubits
    expected = Simulator(precision, threads=1, _tile_bits=10).statevector(circuit)
    one = Simulator(precision, threads=1, _tile_bits=num_qubits).statevector(circuit)
    assert np.abs(one - expected).max() < (1e-12 if precision == "double" else 1e-5)
    for threads in (2, 3, 4):
        for _ in range(3):
            assert np.array_equal(one, Simulator(precision, threads=threads).statevector(circuit))


def test_a_given_initial_state_goes_through_one_tile(four_cores):
    circuit, random = mixed(15, 2, 5), np.random.default_rng(1)
    start = random.normal(size=1 << 15) + 1j * random.normal(size=1 << 15)
    start /= np.linalg.norm(start)
    expected = Simulator(threads=1, _tile_bits=10).statevector(circuit, initial_state=start)
    for threads in (1, 2, 3):
        state = Simulator(threads=threads).statevector(circuit, initial_state=start)
        assert np.abs(state - expected).max() < 1e-12


def test_first_operations_are_done_on_few_qubits():
    circuit = Circuit(16)
    for layer in range(8):
        for q in range(16):
            circuit.ry(0.1 + q + layer, q)
        for q in range(15):
            circuit.cz(q, q + 1)
    found = sizes(compile_circuit(circuit))
    assert found[0] < 16 and found[-1] == 16 and found == sorted(found)


def test_idle_qubits_and_long_circuits():
    """Qubits that nothing acts on end as |0>; very many operations are several passes."""
    circuit = Circuit(15)
    for k in range(9000):
        circuit.ry(0.3 + k, k % 3).rx(0.1 * k, (k + 1) % 3).cx(k % 3, (k + 1) % 3)
    for q in range(3, 11):
        circuit.h(q).cx(q % 3, q)
    program = compile_circuit(circuit)
    assert program.num_passes > 1
    state = Simulator(threads=2).statevector(circuit)
    assert np.abs(state - Simulator(threads=1, _tile_bits=10).statevector(circuit)).max() < 1e-11
    assert not state[1 << 11 :].any()


def test_scale_is_kept_in_single_precision(four_cores):
    circuit = Circuit(15)
    for k in range(900):
        circuit.ry(1.5, k % 15).cx(k % 15, (k + 1) % 15)
    state = Simulator("single", threads=2).statevector(circuit)
    assert abs(np.linalg.norm(state) - 1) < 1e-4
    assert np.array_equal(state, Simulator("single", threads=1).statevector(circuit))
