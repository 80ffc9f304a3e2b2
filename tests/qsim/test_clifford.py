"""Which gates are Clifford: against the definition, by dense matrices, however a gate is written."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import append_gate

from qsim import Circuit, Gate, GateDefinition, Parameter, QsimError, Simulator
from qsim.gates import GATES
from qsim.stabilizer.clifford import CX, CZ, SWAP, Recognizer
from qsim.stabilizer.program import check_clifford

MATRICES = [
    oracle.H, np.diag([1, 1j]), np.diag([1, -1j]), oracle.SQRT_X, oracle.SQRT_X.conj().T, oracle.X, oracle.Y, oracle.Z,
    None, oracle.controlled(oracle.Z, (1,)), oracle.SWAP,
]  # fmt: skip
CNOT = oracle.controlled(oracle.X, (1,))


def is_clifford(matrix):
    """By the definition: every Pauli on one qubit goes to a product of Paulis, times a sign."""
    count = int(math.log2(len(matrix)))
    for qubit in range(count):
        for letter in "XZ":
            pauli = oracle.embed(oracle.PAULIS[letter], [qubit], np.eye(len(matrix), dtype=complex))
            moved = matrix @ pauli @ matrix.conj().T
            weights = []
            for code in range(4**count):
                product = np.eye(1)
                for k in range(count):
                    product = np.kron(oracle.PAULIS["IXYZ"[code >> 2 * k & 3]], product)
                weights.append(abs(np.trace(product @ moved)) / len(matrix))
            if not math.isclose(max(weights), 1, abs_tol=1e-7):
                return False
    return True


def matrix_of(ops, count):
    result = np.eye(1 << count, dtype=complex)
    for op, a, b in ops:
        if op in (CX, CZ, SWAP):
            result = oracle.embed(CNOT if op == CX else MATRICES[op], [a, b], result)
        else:
            result = oracle.embed(MATRICES[op], [a], result)
    return result


def check(circuit):
    """The recognizer agrees with the definition, and its simple gates are the gate up to a phase."""
    ops = Recognizer().operations(circuit, 0)
    instruction = circuit[0]
    matrix = oracle.operation_matrix(instruction.operation, {})
    assert (ops is not None) == is_clifford(matrix), instruction
    if ops is not None:
        count = len(instruction.qubits)
        product = matrix_of(ops, count).conj().T @ matrix
        assert np.allclose(product, product[0, 0] * np.eye(len(product)), atol=1e-8)


@pytest.mark.parametrize("name", [name for name, row in GATES.items() if not row.num_params and row.num_qubits < 4])
def test_gates_without_parameters(name):
    count = GATES[name].num_qubits
    check(Circuit(count).append(Gate(name), range(count)))


QUARTERS = st.sampled_from([k * math.pi / 2 for k in range(-9, 10)] + [0.3, math.pi / 4])


@settings(max_examples=150)
@given(st.data())
def test_gates_of_any_kind(data):
    circuit = Circuit(3)
    append_gate(data.draw, circuit, QUARTERS)
    if len(circuit):
        check(circuit)


@pytest.mark.parametrize(
    ("gate", "clifford"),
    [
        (Gate("s").power(2), True),
        (Gate("t").power(2), True),
        (Gate("t").power(3), False),
        (Gate("x").power(0.5), True),
        (Gate("x").power(0.5).control(), False),
        (Gate("rz", 2 * math.pi).control(), True),  # a sign under a control
        (Gate("rz", 2 * math.pi).control(2), True),  # which is CZ under two
        (Gate("rz", 2 * math.pi).control(3), False),
        (Gate("rz", 4 * math.pi).control(5), True),
        (Gate("gphase", math.pi).control(2), True),
        (Gate("gphase", math.pi / 2).control(2), False),
        (Gate("z").control(1, value=0), True),
        (Gate("h").control(), False),
        (Gate("y").control().inverse(), True),
        (Gate("swap").control(), False),
    ],
)
def test_modifiers(gate, clifford):
    circuit = Circuit(gate.num_qubits).append(gate, range(gate.num_qubits))
    assert (Recognizer().operations(circuit, 0) is not None) == clifford
    if gate.num_qubits <= 3:
        check(circuit)


def test_a_definition_that_is_clifford_only_as_a_whole():
    body = Circuit(2).t(0).cx(0, 1).t(0).cx(0, 1)
    check(Circuit(2).append(Gate(GateDefinition("s_from_t", [], body)), [0, 1]))
    toffoli_twice = Circuit(3).ccx(0, 1, 2).ccx(0, 1, 2).h(1)
    check(Circuit(3).append(Gate(GateDefinition("h_in_the_end", [], toffoli_twice)), [0, 1, 2]))


def test_angles_with_ten_digits_are_close_enough_and_with_six_are_not():
    assert Recognizer().operations(Circuit(1).rx(1.570796327, 0), 0) is not None
    assert Recognizer().operations(Circuit(1).rx(1.570796, 0), 0) is None


def test_the_gate_that_is_not_clifford_is_named_with_its_place():
    circuit = Circuit(4).h(0).cx(0, 1).cp(0.3, 1, 3)
    with pytest.raises(QsimError, match=r"operation 2, 'cp\(0\.3\)' on qubits 1, 3, is no Clifford gate"):
        check_clifford(circuit)
    inner = Circuit(2, 1).measure(0, 0)
    from qsim.classical import Bits

    inner.if_else(Bits((0,)), inner.block().t(1))
    with pytest.raises(QsimError, match="in the body of operation 1, operation 0, 't' on qubit 1"):
        check_clifford(inner)


def test_open_parameters_are_refused_and_bound_ones_decide():
    theta = Parameter("theta")
    circuit = Circuit(1).rx(theta, 0).measure_all()
    pytest.importorskip("stim", reason="the stabiliser engine is the extra clifford")
    simulator = Simulator(method="stabilizer")
    assert dict(simulator.sample(circuit, 10, {"theta": math.pi})) == {"1": 10}
    with pytest.raises(QsimError, match=r"'rx\(0\.5\)' on qubit 0, is no Clifford gate"):
        simulator.sample(circuit, 10, {"theta": 0.5})
