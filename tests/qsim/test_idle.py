"""What does nothing to qubits that are still |0> is left out, and nothing else is."""

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given

from qsim import Circuit, Simulator
from qsim.compiler import compile_circuit, lower
from qsim.compiler.idle import drop_idle


def kept(circuit):
    lowered = lower(circuit)
    drop_idle(lowered, circuit.num_qubits)
    return len(lowered.rows)


@given(strategies.circuits(max_qubits=7, max_gates=20))
def test_the_state_from_zero_stays_the_same(circuit):
    state = Simulator(_tile_bits=5)._state(circuit, np.zeros(0))
    assert np.abs(state - oracle.statevector(circuit)).max() < 1e-12


@pytest.mark.parametrize(
    "add",
    [
        lambda c: c.cx(0, 1), lambda c: c.ccx(2, 0, 1), lambda c: c.cp(0.3, 2, 0), lambda c: c.cp(0.3, 0, 2), lambda c: c.z(0),
        lambda c: c.ccz(0, 2, 1), lambda c: c.swap(0, 1), lambda c: c.cswap(2, 0, 1), lambda c: c.crx(0.1, 0, 2),
        lambda c: c.cu(0.1, 0.2, 0.3, 0.4, 1, 2),
    ],
)  # fmt: skip
def test_left_out(add):
    circuit = Circuit(3).h(2)
    add(circuit)
    assert kept(circuit) == 1


@pytest.mark.parametrize(
    "add",
    [
        lambda c: c.cx(2, 1), lambda c: c.rz(0.3, 0), lambda c: c.rzz(0.3, 0, 1), lambda c: c.rxx(0.3, 0, 1), lambda c: c.x(0),
        lambda c: c.swap(0, 2), lambda c: c.crz(0.4, 2, 0),
    ],
)  # fmt: skip
def test_kept(add):
    circuit = Circuit(3).h(2)
    add(circuit)
    assert kept(circuit) == 2


def test_a_swap_moves_what_is_zero():
    assert kept(Circuit(2).h(0).swap(0, 1).cx(0, 1)) == 2
    assert kept(Circuit(2).h(0).swap(0, 1).cx(1, 0)) == 3
    assert kept(Circuit(3).h(0).cx(0, 1).cx(1, 2).cx(2, 0)) == 4


def test_a_control_that_wants_a_zero_is_kept():
    from qsim import Gate

    circuit = Circuit(2).append(Gate("x").control(1, value=0), [0, 1])
    assert kept(circuit) == 1
    assert Simulator(_tile_bits=4).statevector(circuit)[2] == 1


def test_nothing_is_left_out_where_the_state_is_given():
    program = compile_circuit(Circuit(2).cx(0, 1), natural_start=True)
    assert program.num_operations == 1
