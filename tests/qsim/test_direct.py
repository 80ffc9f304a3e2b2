"""Small circuits run from their columns, against dense matrices and against planned programs."""

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Gate, Parameter, Simulator
from qsim.compiler import compile_circuit, run_directly
from qsim.state import evolve

NAMES = sorted(oracle.TABLE)


@st.composite
def repetitive_circuits(draw):
    """Many gates of few kinds, so that they meet on the same qubits: what is pending, paired and exchanged matters."""
    n = draw(st.integers(1, 10))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    fitting = [name for name in NAMES if oracle.TABLE[name][0] <= n]
    kinds = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=6))
    circuit = Circuit(n)
    circuit.global_phase = draw(st.sampled_from([0.0, 0.7]))
    for _ in range(draw(st.integers(0, 60))):
        name = str(random.choice(kinds))
        qubits, angles = oracle.TABLE[name][:2]
        gate = Gate(name, *random.choice([0.0, 1.0, 2.5, -0.3], angles))
        for _ in range(min(int(random.choice([0, 0, 0, 1, 2])), n - qubits)):
            gate = gate.control(1, value=int(random.integers(2)))
        circuit.append(gate, [int(q) for q in random.permutation(n)[: gate.num_qubits]])
    return circuit


def assert_right(circuit):
    expected = oracle.statevector(circuit)
    for dtype, tolerance in ((np.complex128, 1e-12), (np.complex64, 1e-5)):
        state = run_directly(circuit, dtype)
        assert state.dtype == dtype
        assert np.abs(state - expected).max() < tolerance


@settings(max_examples=60)
@given(strategies.circuits(max_qubits=8))
def test_a_small_circuit(circuit):
    if run_directly(circuit, np.complex128) is not None:
        assert_right(circuit)


@settings(max_examples=80)
@given(repetitive_circuits())
def test_many_gates_of_few_kinds(circuit):
    assert_right(circuit)


@pytest.mark.parametrize("name", sorted(oracle.TABLE))
def test_every_gate(name):
    qubits, count = oracle.TABLE[name][:2]
    random = np.random.default_rng(len(name))
    for width in (max(qubits, 1), 6):
        circuit = Circuit(width)
        for q in range(width):
            circuit.u(*random.uniform(-3, 3, 3), q)
        gate = Gate(name, *random.uniform(-3, 3, count))
        circuit.append(gate, [int(q) for q in random.permutation(width)[:qubits]])
        assert np.abs(run_directly(circuit, np.complex128) - oracle.statevector(circuit)).max() < 1e-12


@pytest.mark.parametrize("n", [11, 12, 13])
def test_wide_circuits_that_mostly_stay_zero(n):
    ghz = Circuit(n).h(0)
    for q in range(n - 1):
        ghz.cx(q, q + 1)
    state = run_directly(ghz, np.complex128)
    assert abs(state[0] - 0.5**0.5) < 1e-15
    assert abs(state[-1] - 0.5**0.5) < 1e-15
    assert np.count_nonzero(state) == 2
    few = Circuit(n).x(n - 1).h(2).ccx(n - 1, 2, 5).cswap(5, 0, 7).rzz(0.3, 1, 2).swap(3, n - 1)
    program = compile_circuit(few, tile_bits=7)
    assert np.abs(run_directly(few, np.complex128) - evolve(program, np.zeros(0), np.complex128, 1)).max() < 1e-14


def test_work_beyond_the_budget_is_left_to_a_program():
    circuit = Circuit(14)
    for _ in range(3):
        for q in range(14):
            circuit.h(q).cx(q, (q + 1) % 14)
    assert run_directly(circuit, np.complex128) is None
    assert abs(np.linalg.norm(Simulator().statevector(circuit)) - 1) < 1e-12


def test_what_it_leaves_to_others():
    angle = Parameter("angle")
    assert run_directly(Circuit(0), np.complex128) is None
    assert run_directly(Circuit(1).rx(angle, 0), np.complex128) is None
    assert run_directly(Circuit(1, 1).measure(0, 0).x(0), np.complex128) is None
    assert run_directly(Circuit(2, 1).measure(0, 0).measure(1, 0), np.complex128) is None
    assert run_directly(Circuit(1).reset(0), np.complex128) is None


def test_measurements_at_the_end_and_barriers_change_nothing():
    plain, marked = Circuit(3).h(0).cx(0, 2), Circuit(3, 3).h(0).barrier().cx(0, 2)
    marked.measure([0, 2], [1, 0])
    assert np.array_equal(run_directly(plain, np.complex128), run_directly(marked, np.complex128))


def test_the_tables_of_gates_are_not_written_to():
    for circuit in (Circuit(9).cx(0, 1).cx(1, 0).cswap(0, 1, 2).x(0), Circuit(3).cx(0, 1).cswap(0, 1, 2)):
        before = run_directly(circuit, np.complex128)
        assert np.array_equal(run_directly(circuit, np.complex128), before)
    assert_right(Circuit(2).x(0).cx(0, 1))
