"""Rebased circuits against Qiskit: the same operators, and as few entangling gates as its own synthesis takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import circuits, unitaries

from parsers import to_qiskit
from qsim import Circuit
from session.preparation import rebase

pytestmark = pytest.mark.peer
pytest.importorskip("qiskit")


@settings(max_examples=30, deadline=None)
@given(circuit=circuits(max_qubits=4, max_gates=4))
def test_qiskit_finds_the_same_operator(circuit: Circuit) -> None:
    from qiskit.quantum_info import Operator

    for gates in ({"r", "rz", "rxx"}, {"rz", "sx", "x", "ecr"}):
        made = Operator(to_qiskit(rebase(circuit, gates))).data
        assert np.abs(made - Operator(to_qiskit(circuit)).data).max() < 1e-10


@settings(max_examples=60, deadline=None)
@given(unitaries(2))
def test_two_qubit_unitaries_take_as_many_cx_as_qiskit_says(matrix: np.ndarray) -> None:
    from qiskit.circuit.library import CXGate
    from qiskit.quantum_info import Operator
    from qiskit.synthesis import TwoQubitBasisDecomposer

    if len(matrix) < 4:
        return
    least = TwoQubitBasisDecomposer(CXGate()).num_basis_gates(Operator(matrix).data)
    made = rebase(Circuit(2).unitary(matrix, [0, 1]), {"u", "cx"})
    assert made.count_ops().get("cx", 0) <= least


@settings(max_examples=20, deadline=None)
@given(circuit=circuits(max_qubits=4, max_gates=6))
def test_not_many_more_cx_than_qiskits_transpiler(circuit: Circuit) -> None:
    from qiskit import transpile

    theirs = transpile(to_qiskit(circuit), basis_gates=["rz", "sx", "x", "cx"], optimization_level=0)
    ours = rebase(circuit, {"rz", "sx", "x", "cx"})
    assert ours.count_ops().get("cx", 0) <= theirs.count_ops().get("cx", 0)
