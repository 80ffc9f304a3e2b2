"""What a compiled program tells of itself, and rules of the scheduler."""

from __future__ import annotations

import numpy as np
import oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Simulator
from qsim.compiler import compile_circuit
from qsim.kernels import opcodes as oc


def kinds(program):
    return program.section(oc.IN_OPS).reshape(-1, oc.RECORD)[:, oc.KIND].tolist()


def layered(num_qubits, layers, seed=0):
    random, circuit = np.random.default_rng(seed), Circuit(num_qubits)
    for _ in range(layers):
        for q in range(num_qubits):
            circuit.u(*random.uniform(-3, 3, 3), q)
        order = random.permutation(num_qubits).tolist()
        for a, b in zip(order[::2], order[1::2], strict=False):
            random.choice([circuit.cz, circuit.cx])(a, b)
    return circuit


def test_swaps_and_identities_take_no_operation():
    circuit = Circuit(10).swap(0, 9).swap(3, 4).id(2).h(5).h(5).cx(1, 2).cx(1, 2).rz(0.0, 7)
    assert kinds(compile_circuit(circuit)) == []
    state = Simulator().statevector(circuit.x(0))
    assert abs(state[1] - 1) < 1e-12


def test_diagonal_gates_become_one_product():
    circuit = Circuit(12)
    for q in range(12):
        circuit.rz(0.1 * q + 0.1, q)
        circuit.rzz(0.3, q, (q + 1) % 12)
        circuit.cp(0.2, q, (q + 5) % 12)
    assert kinds(compile_circuit(circuit)) == [oc.PHASES]
    expected = np.exp(1j * np.angle(oracle.statevector(circuit)[0]))
    assert abs(Simulator().statevector(circuit)[0] - expected) < 1e-12


def test_x_and_cx_on_blocks_take_no_operation():
    circuit = Circuit(11).x(4)
    for q in range(4, 10):
        circuit.cx(q, q + 1)
    assert kinds(compile_circuit(circuit)) == []
    assert np.flatnonzero(Simulator().statevector(circuit)).tolist() == [0b11111110000]


def test_real_matrices_go_in_groups():
    circuit = Circuit(12)
    for q in range(4, 12):
        circuit.ry(0.3 + q, q)
    program = compile_circuit(circuit)
    assert kinds(program) == [oc.REALS] * 3
    assert program.flops_per_amplitude == 16


@settings(max_examples=25)
@given(st.integers(9, 11), st.integers(1, 6), st.integers(0, 10**6), st.sampled_from([6, 7, 8, 14, None]))
def test_layers_split_into_phases_and_real_matrices(num_qubits, layers, seed, tile_bits):
    circuit = layered(num_qubits, layers, seed)
    expected = oracle.statevector(circuit)
    for precision, tolerance in (("double", 1e-12), ("single", 1e-5)):
        state = Simulator(precision, _tile_bits=tile_bits).statevector(circuit)
        assert np.abs(state - expected).max() < tolerance


def test_many_rotations_in_single_precision_keep_their_scale():
    circuit = Circuit(10)
    for k in range(600):
        circuit.ry(1.5, k % 10).cx(k % 10, (k + 1) % 10)
    state = Simulator("single").statevector(circuit)
    assert abs(np.linalg.norm(state) - 1) < 1e-4
    assert np.abs(state - Simulator().statevector(circuit)).max() < 1e-4


def test_a_long_circuit_is_cut_into_passes():
    def rounds(circuit, count):
        for _ in range(count):
            for k in range(13):
                circuit.u(0.3 + k, 0.2, 0.1, k).cx(k, (k + 1) % 13).cry(0.4, k, (k + 5) % 13).swap(k, (k + 3) % 13)
        return circuit

    circuit, short = rounds(Circuit(13), 500), rounds(Circuit(13), 1)
    program = compile_circuit(circuit)
    assert program.num_passes > 1
    state = Simulator().statevector(circuit)
    expected = np.zeros(1 << 13, dtype=complex)
    expected[0] = 1
    step = Simulator()
    for _ in range(500):
        expected = step._state(short, np.zeros(0), expected)
    assert np.abs(state - expected).max() < 1e-11
