"""OpenQASM 2 as Qiskit reads it: the same unitary up to a global phase, the same outcomes."""

import numpy as np
import oracle
import pytest
from corpus import programs

from parsers import QasmError, dumps, load, loads
from qsim.gates import Gate

pytestmark = pytest.mark.peer
qasm2 = pytest.importorskip("qiskit.qasm2", reason="Qiskit is not installed")


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


def random_circuit(seed, measured=False):
    """A Qiskit circuit over many of its gates, some with controls."""
    from qiskit.circuit import library as lib
    from qiskit.circuit.random import random_circuit as qiskit_random

    theirs = qiskit_random(4, 12, max_operands=4, seed=seed)
    rng = np.random.default_rng(seed)
    special = [lib.RXXGate(0.3), lib.RZXGate(-1.2), lib.ECRGate(), lib.iSwapGate(), lib.DCXGate(), lib.RGate(0.4, 1.1)]
    special += [lib.XXPlusYYGate(0.7, 0.2), lib.XXMinusYYGate(0.7, 0.2), lib.RCCXGate(), lib.C3SXGate(), lib.CSdgGate()]
    plain = {"annotated": False}
    special += [lib.XGate().control(2, ctrl_state=1, **plain), lib.UGate(0.1, 0.2, 0.3).control(2, **plain)]
    special += [lib.SXGate().control(1, ctrl_state=0, **plain)]
    for k in rng.permutation(len(special))[:6]:
        theirs.append(special[k], rng.permutation(4)[: special[k].num_qubits].tolist())
    return theirs


@pytest.mark.parametrize("seed", range(30))
def test_reads_what_qiskit_writes(seed):
    from qiskit import qasm3
    from qiskit.quantum_info import Operator

    theirs = random_circuit(seed)
    for text in (qasm2.dumps(theirs), qasm3.dumps(theirs)):
        found, expected = unitary(loads(text)), Operator(theirs).data
        overlap = np.vdot(expected, found) / len(found)
        np.testing.assert_allclose(found, overlap * expected, atol=1e-9, err_msg=text)


@pytest.mark.parametrize("seed", range(30))
def test_qiskit_reads_what_is_written(seed):
    from qiskit.quantum_info import Operator

    theirs = random_circuit(seed)
    ours = loads(qasm2.dumps(theirs))
    text = dumps(ours, version="2.0")
    found, expected = Operator(qasm2.loads(text)).data, Operator(theirs).data
    overlap = np.vdot(expected, found) / len(found)
    np.testing.assert_allclose(found, overlap * expected, atol=1e-9, err_msg=text)
