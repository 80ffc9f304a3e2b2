"""What a compiled program tells of itself, and rules of the scheduler."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Simulator
from qsim.compiler import compile_circuit
from qsim.gates import Gate, UnitaryMatrix
from qsim.kernels import opcodes as oc
from qsim.state import evolve


def kinds(program):
    return program.section(oc.IN_OPS).reshape(-1, oc.RECORD)[:, oc.KIND].tolist()


def evolved(circuit, tile_bits, natural_start=False, dtype=np.complex128):
    """The final state, from a program that begins with |0...0> in any order or, if asked, in natural order."""
    program = compile_circuit(circuit, dtype=dtype, tile_bits=tile_bits, natural_start=natural_start)
    state = None
    if natural_start:
        state = np.zeros(1 << circuit.num_qubits, dtype)
        state[0] = 1
    return evolve(program, np.zeros(0), dtype, 2, state)


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


@pytest.mark.parametrize("natural_start", [False, True])
def test_real_matrices_on_both_sides_of_a_swap_are_one(natural_start):
    circuit = Circuit(9).ry(1.78, 4).swap(5, 4).ry(1.35, 5).h(8).swap(8, 2).ry(0.2, 2).cx(2, 8)
    assert np.abs(evolved(circuit, 9, natural_start) - oracle.statevector(circuit)).max() < 1e-12


@pytest.mark.parametrize("num_qubits", [2, 3, 4, 5, 9, 12])
def test_swaps_alone_permute_a_given_state(num_qubits):
    circuit = Circuit(num_qubits).swap(0, 1)
    for q in range(2, num_qubits):
        circuit.swap(q - 1, q)
    start = np.random.default_rng(1).normal(size=(1 << num_qubits, 2)) @ (1, 1j)
    # The qubits shift: what was 0 comes last, all others one place down.
    expected = start.reshape([2] * num_qubits).transpose([num_qubits - 1, *range(num_qubits - 1)]).reshape(-1)
    for tile_bits in (8, 14):
        program = compile_circuit(circuit, tile_bits=tile_bits, natural_start=True)
        assert np.array_equal(evolve(program, np.zeros(0), np.complex128, 2, start.copy()), expected)


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


KINDS = {
    "real": "h ry cx swap", "diagonal": "ry rz cz cp rzz swap", "complex": "u cx cz t", "controlled": "h cry ccx cswap rxx x",
}  # fmt: skip
ANGLES = {"ry": 1, "rz": 1, "cp": 1, "rzz": 1, "cry": 1, "rxx": 1, "u": 3}
QUBITS = {"cx": 2, "swap": 2, "cz": 2, "cp": 2, "rzz": 2, "cry": 2, "rxx": 2, "ccx": 3, "cswap": 3}


@settings(max_examples=20)
@given(st.sampled_from(sorted(KINDS)), st.integers(9, 11), st.integers(1, 120), st.integers(0, 10**6))
def test_lanes_are_exchanged_and_wires_come_home(kind, num_qubits, gates, seed):
    random, circuit = np.random.default_rng(seed), Circuit(num_qubits)
    for name in random.choice(KINDS[kind].split(), gates).tolist():
        angles = random.uniform(-3, 3, ANGLES.get(name, 0)).tolist()
        qubits = random.permutation(num_qubits)[: QUBITS.get(name, 1)].tolist()
        getattr(circuit, name)(*angles, *qubits)
    expected = oracle.statevector(circuit)
    for tile_bits in (8, 9, 10):
        for natural_start in (False, True):
            for dtype, tolerance in ((np.complex128, 1e-12), (np.complex64, 1e-5)):
                state = evolved(circuit, tile_bits, natural_start, dtype)
                assert np.abs(state - expected).max() < tolerance


def test_no_pass_only_restores_an_order():
    circuit = layered(12, 6)
    program = compile_circuit(circuit, tile_bits=8)
    assert all(program.num_operations_of(k) for k in range(program.num_passes))
    records = program.section(oc.IN_OPS).reshape(-1, oc.RECORD)
    limits = program.section(oc.IN_PASSES).reshape(-1, oc.PASS_RECORD)
    for first, last in limits[:, [oc.OPS_FROM, oc.OPS_TO]].tolist():
        assert not set(records[first:last, oc.KIND].tolist()) <= {oc.TRANSPOSITION}


def test_passes_on_few_qubits_come_first():
    circuit = Circuit(12)
    for layer in range(4):
        for q in range(12):
            circuit.ry(0.1 + layer + q, q)
        for q in range(11):
            circuit.cx(q, q + 1)
    program = compile_circuit(circuit, tile_bits=8)
    tiles = [program.num_tiles(k) for k in range(program.num_passes)]
    assert tiles[0] == 1 and tiles == sorted(tiles)
    assert sum(1 for count in tiles if count < 16) >= 2


def test_a_state_of_no_qubits_takes_one_amplitude():
    circuit = Circuit(0)
    circuit.append(Gate(UnitaryMatrix([[1j]])), [])
    for natural_start in (False, True):
        program = compile_circuit(circuit, natural_start=natural_start)
        room = np.array([1, 7], np.complex128)  # what lies behind the state
        state = evolve(program, np.zeros(0), np.complex128, 1, room[:1] if natural_start else None)
        np.testing.assert_allclose(state, [1j], atol=1e-15)
        assert room[1] == 7


@pytest.mark.parametrize("num_qubits", [16, 18])
def test_large_matrices_are_few_to_a_pass(num_qubits):
    """A pass over one tile is one call, which nothing interrupts: 17 qubits and a matrix on 8 take 30 ms."""
    random = np.random.default_rng(num_qubits)
    large, _ = np.linalg.qr(random.normal(size=(256, 256)))
    circuit = Circuit(num_qubits).ry(0.3, range(num_qubits))
    for k in range(9):
        circuit.unitary(large, np.roll(range(num_qubits), 3 * k)[:8].tolist()).cx(k, k + 1).rz(0.2, k)
    program = compile_circuit(circuit)
    operations = program.section(oc.IN_OPS).reshape(-1, oc.RECORD)
    for row in program.section(oc.IN_PASSES).reshape(-1, oc.PASS_RECORD):
        of_pass = operations[row[oc.OPS_FROM] : row[oc.OPS_TO]]
        assert ((of_pass[:, oc.KIND] == oc.DENSE) & (of_pass[:, oc.TARGETS] > 2)).sum() <= 2
    assert sum(program.nanoseconds) > 4 * 256 << num_qubits  # what is done while qubits are |0> takes less
    forth_and_back = Simulator().statevector(circuit.copy(), initial_state=Simulator().statevector(circuit.inverse()))
    assert abs(forth_and_back[0] - 1) < 1e-11


def test_one_large_matrix_takes_one_more_pass_at_most():
    matrix = np.linalg.qr(np.random.default_rng(2).normal(size=(64, 64)))[0]
    circuit, plain = Circuit(16), Circuit(16)
    for k in range(60):
        circuit.ry(0.3, k % 16).cx(k % 16, (k + 3) % 16)
        plain.ry(0.3, k % 16).cx(k % 16, (k + 3) % 16)
        if k == 30:
            circuit.unitary(matrix, [1, 3, 5, 7, 9, 11])
    assert compile_circuit(circuit).num_passes <= compile_circuit(plain).num_passes + 1
