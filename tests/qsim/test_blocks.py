"""X and CX that only change where the blocks of a tile lie, between operations of every kind."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Gate, Simulator
from qsim.compiler import compile_circuit
from qsim.compiler.blocks import MOST_SHIFTS
from qsim.kernels import opcodes as oc

TILES = [6, 7, 8, 14, None]


def records(circuit, **options):
    return compile_circuit(circuit, **options).section(oc.IN_OPS).reshape(-1, oc.RECORD)


def check(circuit, tile_bits):
    expected = oracle.statevector(circuit)
    for precision, tolerance in (("double", 1e-12), ("single", 1e-5)):
        state = Simulator(precision, _tile_bits=tile_bits).statevector(circuit)
        assert np.abs(state - expected).max() < tolerance


@st.composite
def circuits(draw):
    num_qubits = draw(st.integers(8, 11))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    circuit = Circuit(num_qubits)
    for q in range(num_qubits):
        circuit.u(*random.uniform(-3, 3, 3), q)
    for _ in range(draw(st.integers(1, 60))):
        a, b, c = random.permutation(num_qubits)[:3].tolist()
        angle = random.uniform(-3, 3)
        match random.integers(14):
            case 0 | 1 | 2 | 3:
                circuit.cx(a, b)
            case 4:
                circuit.x(a)
            case 5:
                circuit.append(Gate("x").control(1, 0), [a, b])
            case 6:
                circuit.append(
                    Gate("x").control(1, int(random.integers(2))).control(1, int(random.integers(2))), [a, b, c]
                )
            case 7:
                circuit.ry(angle, a).rz(angle, b)
            case 8:
                circuit.cp(angle, a, b).rzz(angle, b, c)
            case 9:
                circuit.u(angle, 0.3, 0.2, a)
            case 10:
                circuit.append(Gate("u", angle, 0.1, 0.7).control(), [a, b])
            case 11:
                circuit.swap(a, b)
            case 12:
                circuit.unitary(np.linalg.qr(random.normal(size=(4, 4)) + 1j * random.normal(size=(4, 4)))[0], [a, b])
            case 13:
                circuit.ry(angle, a).ry(angle, b).ry(angle, c)
    return circuit


@settings(max_examples=40)
@given(circuits(), st.sampled_from(TILES))
def test_operations_find_their_blocks(circuit, tile_bits):
    check(circuit, tile_bits)


@pytest.mark.parametrize("tile_bits", TILES)
def test_any_map_of_blocks(tile_bits):
    random, circuit = np.random.default_rng(5), Circuit(11)
    for _ in range(12):
        for q in range(11):
            circuit.ry(random.uniform(-3, 3), q).rz(random.uniform(-3, 3), q)
            circuit.cp(random.uniform(-3, 3), q, (q + 3) % 11)
        for _ in range(20):
            a, b = random.permutation(np.arange(4, 11))[:2].tolist()
            circuit.cx(a, b)
        circuit.x(int(random.integers(11)))
    check(circuit, tile_bits)


def test_controls_outside_the_tile_shift_its_blocks():
    circuit = Circuit(10)
    for q in range(10):
        circuit.ry(0.3 + q, q)
    for q in range(7, 10):  # in the second pass these are controls alone, and lie outside the tile
        circuit.ry(0.4, q - 3).cx(q, q - 3).append(Gate("x").control(1, 0), [q, q - 3]).ry(0.7, q - 3)
    for q in range(4, 7):
        circuit.append(Gate("x").control(1, 0).control(1), [7, 9, q]).ry(0.3, q)
    check(circuit, 7)
    assert records(circuit, tile_bits=7)[:, oc.SHIFTS].max() > 1


def test_more_shifts_than_there_is_room_for_are_done_as_they_stand():
    circuit, rest = Circuit(14), list(range(6, 14))
    pairs = [(a, b) for a in rest for b in rest if a < b]
    assert len(pairs) > MOST_SHIFTS
    for q in range(14):
        circuit.ry(0.2 + q, q)
    for a, b in pairs:
        circuit.append(Gate("x").control(2), [a, b, 5])
    circuit.ry(0.3, 5)
    assert oc.FLIP in records(circuit, tile_bits=6)[:, oc.KIND]
    double = Simulator(_tile_bits=6).statevector(circuit)
    assert np.abs(double - Simulator(_tile_bits=14).statevector(circuit)).max() < 1e-12
