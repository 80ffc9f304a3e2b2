"""Programs of the corpus as other readers read them: Qiskit's reader of OpenQASM 3, and both of Qiskit's and Braket's on
what is written here. Unitaries are compared, and exact outcomes of programs that branch.

Where the others are known to mean something else:

- Qiskit's reader of OpenQASM 3 takes `U`, `u2` and `u3` without the phases of the specification: the global phase is not
  compared, and programs with one of them under a modifier or in a definition are left out.
- Braket's reader knows no include and takes the first bit of a register as the most significant one; texts for it are
  written with `standalone=True`, bit by bit. What it reads is compared, as the product of its instructions, not what its
  simulator makes of that.
"""

import re
import warnings

import numpy as np
import oracle
import pytest
from corpus import loaded, programs
from hypothesis import HealthCheck, given, settings
from strategies import circuits
from test_round_trips_classical import shown

from parsers import QasmError, dumps, from_qiskit
from qsim.gates import Gate
from qsim.linalg import apply_matrix

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LARGEST, QUBITS, OPERATIONS, BITS = 12_000, 6, 400, 10
_PHASED = re.compile(r"\b(?:ctrl|negctrl|pow)\b[^;]*@\s*(?:U|u2|u3)\b|\bgate\b[^}]*\b(?:U|u2|u3)\b")


def unitary(circuit):
    result = np.exp(1j * circuit.global_phase) * np.eye(1 << circuit.num_qubits, dtype=complex)
    for instruction in circuit:
        if isinstance(instruction.operation, Gate):
            result = apply_matrix(result, instruction.operation.matrix(), instruction.qubits, circuit.num_qubits)
    return result


def ours_of(path):
    """Our circuit of a program, small enough to be compared."""
    try:
        circuit = loaded(path)
    except QasmError:
        pytest.skip("refused here")
    if circuit.num_qubits > QUBITS or len(circuit) > OPERATIONS or not circuit.num_qubits:
        pytest.skip("too large")
    if circuit.is_dynamic and (circuit.num_clbits > BITS or circuit.num_qubits > 4):
        pytest.skip("too large")
    values = {parameter.name: 0.3 + 0.2 * k for k, parameter in enumerate(circuit.parameters)}
    return circuit.bind(values) if values and not circuit.has_feed_forward else circuit


def assert_same(theirs, ours, phase=True):
    """The same unitary, or the same outcomes if a circuit is dynamic."""
    assert theirs.num_qubits == ours.num_qubits
    if ours.is_dynamic or theirs.is_dynamic:
        found, expected = shown(theirs), shown(ours)
        assert found.keys() == expected.keys()
        assert all(abs(found[key] - expected[key]) < 1e-6 for key in found)
        return
    found, expected = unitary(theirs), unitary(ours)
    if not phase:
        overlap = np.vdot(expected, found) / len(found)
        expected = expected * overlap / abs(overlap)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def is_version_3(text):
    return re.search(r"^\s*OPENQASM\s+2", text, re.MULTILINE) is None


@pytest.mark.parametrize("path", programs(largest=LARGEST))
def test_as_qiskit_reads_it(path):
    qasm3 = pytest.importorskip("qiskit.qasm3")
    text = path.read_text(encoding="utf-8", errors="replace")
    if not is_version_3(text):
        pytest.skip("OpenQASM 2: compared elsewhere")
    if _PHASED.search(text):
        pytest.skip("U under a modifier means something else in Qiskit")
    ours = ours_of(path)
    try:
        theirs = qasm3.loads(text)
    except Exception as problem:
        pytest.skip(f"Qiskit refuses it: {str(problem)[:80]}")
    if theirs.parameters:
        theirs = theirs.assign_parameters(
            {p: 0.3 + 0.2 * [q.name for q in loaded(path).parameters].index(p.name) for p in theirs.parameters}
        )
    assert_same(from_qiskit(theirs), ours, phase=False)


@pytest.mark.parametrize("path", programs(largest=LARGEST))
def test_qiskit_reads_what_is_written(path):
    qiskit = pytest.importorskip("qiskit")
    from qiskit import qasm2, qasm3

    assert qiskit
    ours = ours_of(path)
    read = {}
    for version, reader in (("2.0", qasm2.loads), ("3.0", qasm3.loads)):
        try:
            text = dumps(ours, version=version)
        except QasmError:
            continue
        try:
            read[version] = from_qiskit(reader(text))
        except Exception as problem:
            if not re.search(
                r"not supported|unsupported|unhandled|cannot be resolved|conditions must be|declarations", str(problem)
            ):
                raise AssertionError(f"{problem}\n{text}") from problem
    for version, theirs in read.items():
        assert_same(theirs, ours, phase=version == "3.0" and not re.search(r"\b(?:U|u2|u3)\(", dumps(ours)))
    if not read:
        pytest.skip("Qiskit reads neither")


@pytest.mark.parametrize("path", programs(largest=LARGEST))
def test_braket_reads_what_is_written(path):
    braket = pytest.importorskip("braket.default_simulator.openqasm.interpreter", reason="Braket is not installed")
    ours = ours_of(path)
    if ours.is_dynamic or ours.parameters:
        pytest.skip("compared by hand-made programs")
    text = dumps(ours, standalone=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = braket.Interpreter().build_circuit(text)
    found = np.eye(1 << ours.num_qubits, dtype=complex)
    for operation in theirs.instructions:
        found = oracle.embed(little_endian(operation), list(operation.targets), found)
    overlap = np.vdot(unitary(ours), found) / len(found)  # a global phase is no instruction there
    np.testing.assert_allclose(found, unitary(ours) * overlap / abs(overlap), atol=1e-8)


def little_endian(operation):
    """The matrix of an instruction of Braket's on all its targets, the first as least significant bit."""
    width, matrix = len(operation.targets), np.asarray(operation.matrix)
    if len(matrix) < 1 << width:  # controls are not in it
        whole = np.eye(1 << width, dtype=complex)
        values = operation._ctrl_modifiers
        kept = [k for k in range(1 << width) if all((k >> (width - 1 - j) & 1) == v for j, v in enumerate(values))]
        whole[np.ix_(kept, kept)] = matrix
        matrix = whole
    order = [int(format(k, f"0{width}b")[::-1], 2) for k in range(1 << width)]
    return matrix[np.ix_(order, order)]


@given(circuits(max_qubits=4, max_gates=5))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_braket_reads_gates_of_every_kind(circuit):
    braket = pytest.importorskip("braket.default_simulator.openqasm.interpreter", reason="Braket is not installed")
    theirs = braket.Interpreter().build_circuit(dumps(circuit, standalone=True))
    found = np.eye(1 << circuit.num_qubits, dtype=complex)
    for operation in theirs.instructions:
        if operation.targets:  # a global phase has none
            found = oracle.embed(little_endian(operation), list(operation.targets), found)
    overlap = np.vdot(oracle.circuit_unitary(circuit), found) / len(found)
    assert abs(abs(overlap) - 1) < 1e-9


#: Feed-forward that Braket's simulator knows, with one register.
BRAKET_PROGRAMS = [
    "qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0]; if (c[0]) { x q[1]; } else { h q[1]; } c[1] = measure q[1];",
    "qubit[2] q; bit[2] c; h q; c = measure q; if (c == 2) { x q[1]; } if (!c[0]) { h q[0]; } c = measure q;",
    "qubit[2] q; bit[2] c; h q; c = measure q; while (c != 0) { h q; c = measure q; } h q[0]; c[1] = measure q[0];",
    "qubit[2] q; bit[2] c; h q; c = measure q; int n = 0; if (c[0]) { n = 2; } if (n == 2) { x q[1]; } c = measure q;",
    "qubit[2] q; bit[2] c; h q; reset q[0]; ry(0.3) q[0]; c = measure q;",
]


@pytest.mark.parametrize("body", BRAKET_PROGRAMS)
def test_braket_runs_feed_forward_that_is_written(body):
    pytest.importorskip("braket.default_simulator", reason="Braket is not installed")
    from braket.default_simulator import StateVectorSimulator
    from braket.ir.openqasm import Program

    from parsers import loads

    ours = loads('OPENQASM 3.0; include "stdgates.inc";' + body)
    result = StateVectorSimulator().run(Program(source=dumps(ours, standalone=True)), shots=4000)
    keys, counts = np.unique(
        [sum(int(bit) << k for k, bit in enumerate(row)) for row in result.measurements], return_counts=True
    )
    expected = shown(ours)
    assert set(keys.tolist()) <= expected.keys()
    for key, weight in expected.items():  # six standard deviations; its generator takes no seed
        count = dict(zip(keys.tolist(), counts.tolist(), strict=True)).get(key, 0)
        assert abs(count - 4000 * weight) < 6 * (4000 * weight * (1 - weight)) ** 0.5 + 1
