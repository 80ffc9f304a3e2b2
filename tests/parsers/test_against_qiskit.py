"""OpenQASM 2 as Qiskit reads it: the same unitary up to a global phase, the same outcomes."""

import numpy as np
import oracle
import pytest
from corpus import programs

from parsers import QasmError, load
from qsim.gates import Gate

pytestmark = pytest.mark.peer
qasm2 = pytest.importorskip("qiskit.qasm2", reason="Qiskit is not installed")

#: Qiskit refuses, or means something else: why we may differ.
KNOWN = {
    "undeclared extras of exporters are accepted here",
}


def qiskit_circuit(path):
    return qasm2.load(path, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS, include_path=[path.parent])


@pytest.mark.parametrize("path", programs(largest=60_000))
def test_same_as_qiskit(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    if "OPENQASM 2" not in text:
        pytest.skip("not OpenQASM 2")
    try:
        theirs = qiskit_circuit(path)
    except Exception as problem:
        # Qiskit refuses it: so do we, or we know more.
        try:
            load(path, include_dirs=[path.parent])
        except QasmError:
            return
        pytest.skip(f"Qiskit refuses it: {str(problem)[:80]}")
    ours = load(path, include_dirs=[path.parent])
    assert ours.num_qubits == theirs.num_qubits
    assert ours.num_clbits == theirs.num_clbits
    if ours.num_qubits > 10:
        pytest.skip("more than 10 qubits")
    if ours.is_dynamic:
        compare_outcomes(ours, theirs)
    else:
        compare_unitaries(ours, theirs)


def compare_unitaries(ours, theirs):
    from qiskit.quantum_info import Operator

    expected = (
        Operator(theirs.remove_final_measurements(inplace=False)).data if theirs.clbits else Operator(theirs).data
    )
    if expected.shape[0] != 1 << ours.num_qubits:  # idle qubits went with their measurements
        pytest.skip("Qiskit dropped qubits")
    found = unitary(ours)
    overlap = np.vdot(expected, found) / len(found)
    assert abs(abs(overlap) - 1) < 1e-10
    np.testing.assert_allclose(found, overlap / abs(overlap) * expected, atol=1e-9)


def unitary(circuit):
    from qsim.linalg import apply_matrix

    result = np.eye(1 << circuit.num_qubits, dtype=complex)
    matrices = {}
    for instruction in circuit:
        gate = instruction.operation
        if isinstance(gate, Gate):
            matrix = matrices.get(gate)
            if matrix is None:
                matrix = matrices[gate] = gate.matrix()
            result = apply_matrix(result, matrix, instruction.qubits, circuit.num_qubits)
    return result


def compare_outcomes(ours, theirs):
    aer = pytest.importorskip("qiskit_aer")
    if not any(i.operation.name == "measure" for i in theirs.data) and not theirs.clbits:
        return
    shots = 20_000
    counts = aer.AerSimulator(seed_simulator=7).run(theirs.decompose(reps=6), shots=shots).result().get_counts()
    frequencies = {int(key.replace(" ", ""), 2): value for key, value in counts.items()}
    oracle.assert_sampled(frequencies, oracle.distribution(ours))
