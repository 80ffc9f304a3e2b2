"""Circuits written and read back: the same unitary, parameters and classical behaviour."""

import math

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import H2, H3

from parsers import QasmError, dump, dumps, load, loads
from qsim import Circuit, Gate, Parameter
from qsim.circuit import GateDefinition
from qsim.gates import GATES
from qsim.parameters import ParameterArray


def assert_round_trip(circuit, values=None, version="3.0"):
    text = dumps(circuit, version=version)
    again = loads(text)
    found, expected = oracle.circuit_unitary(again, values), oracle.circuit_unitary(circuit, values)
    if version == "2.0":
        overlap = np.vdot(expected, found) / len(found)
        assert abs(abs(overlap) - 1) < 1e-10, text
        expected = expected * overlap / abs(overlap)
    np.testing.assert_allclose(found, expected, atol=1e-10, err_msg=text)
    assert [r.name for r in again.clbit_registers] == [r.name for r in circuit.clbit_registers]
    return text


ROWS = [name for name in GATES if name != "gphase"]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_every_row(name, version):
    row = GATES[name]
    gate = Gate(row, *[0.3, -1.1, 2.5, 0.7][: row.num_params])
    assert_round_trip(Circuit(row.num_qubits).append(gate, range(row.num_qubits)[::-1]), version=version)


@pytest.mark.parametrize("name", ROWS)
def test_every_row_with_modifiers(name):
    row = GATES[name]
    gate = Gate(row, *[0.3, -1.1, 2.5, 0.7][: row.num_params])
    wires = list(range(row.num_qubits + 2))
    circuit = Circuit(len(wires)).h(wires)
    circuit.append(gate.inverse(), wires[2:]).append(gate.power(0.3).control(1, 0).control(), wires).append(
        gate.power(3).control(2), wires
    )
    assert_round_trip(circuit)


def test_powers_of_powers():
    gate = Gate("h").power(0.5).power(3).power(0.3).control(1, 0).control(2)
    assert_round_trip(Circuit(4).append(gate, [2, 0, 1, 3]))


def test_global_phase_and_its_controls():
    assert_round_trip(Circuit(2).h(0).gphase(0.7).append(Gate("gphase", 0.3).control(2), [1, 0]))


def test_definitions():
    theta, phi = Parameter("theta"), Parameter("phi")
    inner = GateDefinition("my gate", [theta], Circuit(1).rx(2 * theta, 0).gphase(theta / 3))
    outer = GateDefinition(
        "h", [phi, theta], Circuit(2).append(Gate(inner, phi + theta).control(), [1, 0]).append(Gate(inner, 0.5), [0])
    )
    circuit = (
        Circuit(3).append(Gate(outer, 0.3, 0.4), [2, 0]).append(Gate(outer, 0.3, 0.4).inverse().control(), [1, 0, 2])
    )
    circuit.append(Gate(outer, 1, 2).power(2), [0, 1])
    text = assert_round_trip(circuit)
    assert text.count("gate ") == 2
    assert_round_trip(Circuit(3).append(Gate(outer, 0.3, 0.4).power(-2), [2, 0]), version="2.0")
    assert_round_trip(Circuit(3).append(Gate(inner, 0.3).control(), [2, 0]), version="2.0")


def test_two_definitions_of_one_name():
    one, two = (GateDefinition("g", [], Circuit(1).append(Gate(name), [0])) for name in "xy")
    assert_round_trip(Circuit(2).append(Gate(one), [0]).append(Gate(two), [1]))
    assert_round_trip(Circuit(2).append(Gate(one), [0]).append(Gate(two), [1]), version="2.0")


def test_matrices_of_one_qubit():
    rng = np.random.default_rng(1)
    circuit = Circuit(3)
    for matrix in (
        *np.linalg.qr(rng.normal(size=(5, 2, 2)) + 1j * rng.normal(size=(5, 2, 2)))[0],
        np.eye(2) * 1j,
        [[0, 1], [1j, 0]],
    ):
        circuit.unitary(matrix, 0)
    assert_round_trip(circuit)
    assert_round_trip(circuit, version="2.0")


def test_parameters():
    theta, p = Parameter("theta"), ParameterArray("params", 2)
    circuit = Circuit(2)
    circuit.declare_parameter(Parameter("unused"))
    circuit.rx(2 * theta - 1, 0).rz((theta + p[0]).sin() ** 2 / (p[1] + 3), 1).rxx(-(theta / 2) * (1 - p[1]) % 2, 0, 1)
    circuit.ry(abs(theta - 5) - (theta - (p[0] - 1)), 0).p(2 ** (theta**2), 1).gphase(theta)
    values = {"theta": 0.3, "params[0]": 1.2, "params[1]": -0.4, "unused": 0}
    assert_round_trip(circuit, values)
    assert [x.name for x in loads(dumps(circuit)).parameters] == ["unused", "theta", "params[0]", "params[1]"]
    with pytest.raises(QasmError, match="Bind them"):
        dumps(circuit, version="2.0")


def test_a_parameter_with_a_gate_name_is_refused_or_kept():
    circuit = Circuit(1).rx(Parameter("t"), 0)
    try:
        text = dumps(circuit)
    except QasmError as error:
        assert "Rename" in error.message
    else:
        assert [p.name for p in loads(text).parameters] == ["t"]


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.integers(-1000, 1000),
    st.sampled_from([1, 2, 3, 4, 7, 8, 16, 128]),
)
def test_numbers_are_exact(value, numerator, denominator):
    for angle in (value, numerator * math.pi / denominator):
        for version in ("2.0", "3.0"):
            assert loads(dumps(Circuit(1).rx(angle, 0), version=version))[0].operation.params == (angle,)


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_measure_reset_barrier_and_registers(version):
    circuit = Circuit()
    circuit.add_qubits(2, "data")
    circuit.add_qubits(1, "anc")
    circuit.add_clbits(2, "out")
    circuit.add_clbits(1, "flag")
    circuit.x(0).measure([0, 2], [1, 2]).reset(0).barrier(0, 1).measure(0, 0)
    again = loads(dumps(circuit, version=version))
    assert list(again) == list(circuit)
    assert again.qubit_registers == circuit.qubit_registers
    assert again.clbit_registers == circuit.clbit_registers


PROGRAMS = [
    H3
    + "qubit[3] q; bit[2] c; bit d; h q[0]; c[0] = measure q[0]; if (c[0]) { x q[1]; } else { h q[2]; } c[1] = measure q[1]; d = measure q[2];",
    H3
    + "qubit[2] q; bit[2] c; h q; c = measure q; while (c != 0) { h q; c = measure q; if (c == 1) { break; } if (c[1] && !c[0]) { continue; } x q[0]; }",
    H3
    + "qubit[2] q; bit[2] c; bit e; h q; c = measure q; switch (int(c)) { case 0, 3 { x q[0]; } case 1 { end; } default { e = c[0] ^ c[1]; } } c = measure q;",
    H3
    + "qubit[2] q; bit[2] c; bit[2] e; h q; c = measure q; e = c; if (uint[2](c) + 1 == 2) { x q[0]; } if (popcount(c) > 1) { e[0] = 0; } c[0] = measure q[0];",
    H3
    + "qubit[3] q; bit[3] c; h q; c = measure q; if (int[3](c) < -1) { x q[0]; } if (c[{2, 0}] == 2) { x q[1]; } if (~c == 2) { x q[2]; } c = measure q;",
    H2
    + "qreg q[2]; creg c[2]; creg d[1]; h q[0]; measure q[0] -> c[0]; if (c == 1) x q[1]; if (c == 1) measure q[1] -> d[0]; measure q[1] -> c[1];",
]


@pytest.mark.parametrize("text", PROGRAMS)
def test_feed_forward(text):
    circuit = loads(text)
    written = dumps(circuit)
    found, expected = oracle.distribution(loads(written)), oracle.distribution(circuit)
    assert found.keys() == expected.keys(), written
    assert all(abs(found[key] - expected[key]) < 1e-9 for key in found), written


def test_conditions_of_version_2():
    circuit = loads(PROGRAMS[-1])
    assert loads(dumps(circuit, version="2.0"))[0] == circuit[0]
    found, expected = oracle.distribution(loads(dumps(circuit, version="2.0"))), oracle.distribution(circuit)
    assert found == pytest.approx(expected)
    for text in PROGRAMS[1:3]:
        with pytest.raises(QasmError, match=r"version 3\.0"):
            dumps(loads(text), version="2.0")


def test_files(tmp_path):
    dump(Circuit(1).h(0), tmp_path / "a.qasm", version="2.0")
    assert load(tmp_path / "a.qasm").count_ops() == {"h": 1}
    with pytest.raises(QasmError, match="versions"):
        dumps(Circuit(1), version="1.0")


def test_awkward_names():
    circuit = Circuit()
    for name in ("measure", "x", "my reg", "π", "2", "q", "q_2", "_"):
        circuit.add_qubits(1, name)
    circuit.h(range(8))
    for version in ("2.0", "3.0"):
        assert loads(dumps(circuit, version=version)).count_ops() == {"h": 8}
