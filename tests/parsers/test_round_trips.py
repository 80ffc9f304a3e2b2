"""Circuits of every kind written and read back, against the oracle: gates, modifiers, matrices, parameters."""

import doctest
from pathlib import Path

import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import bound_circuits, circuits

from parsers import QasmError, QasmWarning, dumps, loads
from qsim import Circuit, Gate, Parameter
from qsim.circuit import GateDefinition
from qsim.gates import UnitaryMatrix
from qsim.parameters import ParameterArray

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def random_unitary(rng, qubits):
    size = 1 << qubits
    return np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]


def assert_same_unitary(circuit, text, values=None, phase=True, atol=1e-11):
    found, expected = oracle.circuit_unitary(loads(text), values), oracle.circuit_unitary(circuit, values)
    if not phase:
        overlap = np.vdot(expected, found) / len(found)
        assert abs(abs(overlap) - 1) < 1e-9, text
        expected = expected * overlap / abs(overlap)
    np.testing.assert_allclose(found, expected, atol=atol, err_msg=text)


@given(circuits(max_qubits=4, max_gates=6))
@relaxed
def test_gates_of_every_kind(circuit):
    assert_same_unitary(circuit, dumps(circuit))
    assert_same_unitary(circuit, dumps(circuit, standalone=True))


@given(circuits(max_qubits=4, max_gates=5))
@relaxed
def test_gates_of_every_kind_in_version_2(circuit):
    assert_same_unitary(circuit, dumps(circuit, version="2.0"), phase=False)


@given(bound_circuits(max_qubits=3, max_gates=6))
@relaxed
def test_parameters_of_every_kind(circuit_and_values):
    circuit, values = circuit_and_values
    text = dumps(circuit)
    assert_same_unitary(circuit, text, values, atol=1e-9)
    assert loads(text).parameters == circuit.parameters


@pytest.mark.parametrize("qubits", [2, 3, 4])
@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_matrices_of_several_qubits(qubits, version):
    rng = np.random.default_rng(qubits)
    for matrix in (
        random_unitary(rng, qubits),
        np.eye(1 << qubits)[rng.permutation(1 << qubits)],
        np.diag(np.exp(1j * rng.normal(size=1 << qubits))),
        1j * np.eye(1 << qubits),
    ):
        circuit = Circuit(qubits + 1).unitary(matrix, range(qubits)[::-1], name="my matrix")
        gate = Gate(UnitaryMatrix(matrix))
        circuit.append(gate.control(1, 0), range(qubits + 1)).append(gate.power(0.3), range(1, qubits + 1))
        assert_same_unitary(circuit, dumps(circuit, version=version), phase=version == "3.0", atol=1e-12)


def test_a_matrix_that_is_too_wide_is_refused():
    for version in ("2.0", "3.0"):
        with pytest.raises(QasmError, match="at most 8 qubits"):
            dumps(Circuit(9).unitary(np.eye(512), range(9)), version=version)


@pytest.mark.parametrize("controls", [3, 5, 6])
def test_many_controls_in_version_2(controls):
    rng = np.random.default_rng(controls)
    gates = [
        Gate("x"),
        Gate("t"),
        Gate("gphase", 0.4),
        Gate("u", 0.1, 0.2, 0.3),
        Gate(UnitaryMatrix(random_unitary(rng, 1))),
    ]
    for gate in gates:
        circuit = Circuit(controls + 1)
        circuit.append(gate.control(controls - 2).control(2, 0), list(rng.permutation(controls + gate.num_qubits)))
        assert_same_unitary(circuit, dumps(circuit, version="2.0"), phase=False)


def test_a_hundred_controls_are_not_expanded():
    text = dumps(Circuit(63).append(Gate("x").control(62), range(63)), version="2.0")
    assert len(text) < 1_000_000
    assert loads(text).num_qubits == 63


def test_controlled_definitions_with_parameters_in_version_2():
    theta = Parameter("theta")
    made = GateDefinition("made", [theta], Circuit(2).rzz(theta, 0, 1).h(0).u(theta, 2 * theta, 1, 1).gphase(theta / 2))
    circuit = Circuit(4).append(Gate(made, 0.4).control(2), [3, 1, 0, 2]).append(Gate(made, 0.7).power(0.5), [1, 2])
    circuit.append(Gate(made, 1.1).power(-3).control(), [0, 3, 1])
    assert_same_unitary(circuit, dumps(circuit, version="2.0"), phase=False)


def test_names_that_an_include_has_are_kept_in_a_text_without_it():
    circuit = Circuit()
    circuit.add_qubits(2, "x")
    circuit.add_clbits(1, "s")
    t, p = Parameter("t"), ParameterArray("p", 2)
    circuit.rx(t, 0).h(0).cx(0, 1).rz(p[1], 1).t(0).append(GateDefinition_h(), [1])
    text = dumps(circuit)
    assert "include" not in text
    again = loads(text)
    assert again.parameters == (t, *p)
    assert again.qubit_registers == circuit.qubit_registers and again.clbit_registers == circuit.clbit_registers
    assert_same_unitary(circuit, text, {"t": 0.3, "p[0]": 0, "p[1]": 1.7})


def GateDefinition_h():
    return Gate(GateDefinition("h", [], Circuit(1).y(0)))


@pytest.mark.parametrize("name", ["θ", "λ_1", "alpha", "Ω", "q", "a0", "q0", "c", "_x", "theta", "value"])
def test_parameters_are_called_as_before(name):
    theta = Parameter(name)
    inner = GateDefinition("a0", [Parameter("b")], Circuit(1).rx(Parameter("b"), 0))
    outer = GateDefinition("q0", [Parameter("b")], Circuit(2).append(Gate(inner, Parameter("b")), [1]))
    circuit = Circuit(2, 1).rx(theta, 0).append(Gate(outer, theta), [1, 0])
    assert loads(dumps(circuit)).parameters == (theta,)
    assert_same_unitary(circuit, dumps(circuit), {name: 0.3})


@pytest.mark.parametrize(
    "name", ["pi", "π", "input", "ctrl", "my angle", "2a", "a-b", "__a", "a.b", "sin", "U", "a\n;x"]
)
def test_parameters_that_cannot_keep_their_names_are_refused(name):
    with pytest.raises(QasmError, match="Rename it"):
        dumps(Circuit(1).rx(Parameter(name), 0))


def test_awkward_registers_and_gates():
    names = [
        "input",
        "qubit",
        "a b",
        "é",
        "π",
        "2",
        "",
        "q_2",
        "_",
        "if",
        "U",
        "OPENQASM",
        "Big",
        "gphase",
        "x" * 300,
        "q\n;h",
    ]
    circuit = Circuit()
    for name in names:
        circuit.add_qubits(1, name)
        circuit.append(Gate(GateDefinition(name, [], Circuit(1).h(0))), [circuit.num_qubits - 1])
        circuit.append(Gate(UnitaryMatrix(np.eye(2) * 1j, name)), [circuit.num_qubits - 1])
    for version in ("2.0", "3.0"):
        again = loads(dumps(circuit, version=version))
        assert again.num_qubits == len(names) and len(again) == 2 * len(names)
        kept = {r.name for r in again.qubit_registers}
        assert {"é", "_", "Big"} <= kept if version == "3.0" else "input" in kept


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_snapshots_become_barriers_with_a_warning(version):
    with pytest.warns(QasmWarning, match="Snapshot 'here'"):
        text = dumps(Circuit(2).h(0).save_statevector("here").h(1), version=version)
    assert loads(text).count_ops() == {"h": 2, "barrier": 1}


def test_delays():
    circuit = Circuit(2).delay("100ns", 0).delay("2.5 us", [0, 1]).delay("10dt", 1)
    assert [i.operation.duration for i in loads(dumps(circuit)) if i.qubits == (0,)] == ["100ns", "2500ns"]
    with pytest.warns(QasmWarning, match="no delay"):
        assert loads(dumps(circuit, version="2.0")).count_ops() == {}
    for duration in ("soon", "1ns; x q[0]", "-1ns", "", "1"):
        with pytest.raises(QasmError, match="ns, us, ms, s or dt"):
            dumps(Circuit(1).delay(duration, 0))


def test_what_is_no_circuit_or_version_is_refused():
    with pytest.raises(QasmError, match=r"takes a qsim\.Circuit"):
        dumps("OPENQASM 3.0;")
    with pytest.raises(QasmError, match="standalone"):
        dumps(Circuit(1), version="2.0", standalone=True)


def test_gates_on_no_qubits_are_phases():
    theta = Parameter("theta")
    minus = GateDefinition("minus", [], Circuit(0).gphase(0.4))
    turned = GateDefinition("turned", [theta], Circuit(0).gphase(theta / 2).append(Gate(minus), []))
    for gate in (
        Gate(minus),
        Gate(turned, 0.3),
        Gate(UnitaryMatrix([[1j]])),
        Gate(minus).power(0.5),
        Gate(turned, theta),
    ):
        circuit = (
            Circuit(2)
            .h([0, 1])
            .append(gate, [])
            .append(gate.control(), [1])
            .append(gate.control(1, 0).control(), [0, 1])
        )
        wrapped = GateDefinition("wrapped", circuit.parameters, circuit)
        circuit = Circuit(3).append(Gate(wrapped, *circuit.parameters).control(), [1, 2, 0])
        assert_same_unitary(circuit, dumps(circuit), {"theta": 0.7})
        assert_same_unitary(circuit, dumps(circuit, standalone=True), {"theta": 0.7})
        if not circuit.parameters:
            assert_same_unitary(circuit, dumps(circuit, version="2.0"), phase=False)


def test_definitions_many_deep():
    made = GateDefinition("d", [], Circuit(1).h(0))
    for k in range(400):
        made = GateDefinition(f"d_{k}", [], Circuit(1).append(Gate(made), [0]))
    for version in ("2.0", "3.0"):
        assert dumps(Circuit(1).append(Gate(made), [0]), version=version).count("gate ") == 401


def test_long_sums_of_parameters():
    theta = Parameter("theta")
    total = theta
    for k in range(500):
        total = total + 1.5 * theta if k % 3 else total - 0.25
    text = dumps(Circuit(1).rx(total, 0))
    value = loads(text)[0].operation.params[0].evaluate({"theta": 0.3})
    assert abs(value - total.evaluate({"theta": 0.3})) < 1e-11


def test_the_page_of_the_documentation():
    page = Path(__file__).parents[2] / "docs" / "interop.md"
    assert doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0
