"""What the parser tests share: headers, and comparison of a program with a circuit that was built by hand."""

import numpy as np
from oracle import circuit_unitary, distribution

from parsers import loads

H2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
H3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def assert_same(text, circuit, values=None):
    """The program's unitary is the circuit's, global phase included."""
    read = loads(text)
    assert read.num_qubits == circuit.num_qubits
    np.testing.assert_allclose(circuit_unitary(read, values), circuit_unitary(circuit, values), atol=1e-12)


def unitary(text, values=None):
    return circuit_unitary(loads(text), values)


def outcomes(text, values=None):
    """Exact probabilities of the values of the declared classical bits, the first one least significant."""
    circuit = loads(text)
    bits = [bit for register in circuit.clbit_registers for bit in register.indices]
    result = {}
    for memory, weight in distribution(circuit, values).items():
        if weight > 1e-9:
            value = sum((memory >> bit & 1) << k for k, bit in enumerate(bits))
            result[value] = result.get(value, 0.0) + weight
    return result


def assert_outcomes(text, expected, values=None):
    found = outcomes(text, values)
    assert found.keys() == expected.keys()
    for memory, weight in expected.items():
        assert abs(found[memory] - weight) < 1e-9
