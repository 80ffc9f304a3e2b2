"""What is printed for Braket, run by Amazon's own local simulator, against this package's engine."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsim import Circuit, Parameter, Simulator
from qsim.circuit import GateDefinition
from qsim.gates import GATES, Gate
from session.backends.braket import BraketBackend, BraketOptions, open_braket
from session.backends.braket.device import read_device
from session.backends.braket.dialect import COMMON, NAMES, ROWS, print_circuit
from session.backends.braket.options import check_endpoint
from session.backends.braket.results import read_outcomes
from session.errors import SessionError
from session.preferences import ExecutionPreferences
from session.preparation import rebase
from session.programs import read_program
from session.tasks import Task, TaskKind

MINE = BraketOptions(target="sv1", bucket="amazon-braket-mine")


def amplitudes(source: str, num_qubits: int) -> Any:
    """By Amazon's simulator, in this package's order: its first qubit is the most significant."""
    pytest.importorskip("braket.default_simulator")
    from braket.default_simulator.openqasm.interpreter import Interpreter
    from braket.default_simulator.state_vector_simulation import StateVectorSimulation

    simulation = StateVectorSimulation(num_qubits, 0, 1)
    simulation.evolve(Interpreter().build_circuit(source).instructions)
    state = simulation.state_vector.reshape((2,) * num_qubits)
    return state.transpose(range(num_qubits)[::-1]).reshape(-1)


def turned(circuit: Circuit, first: float) -> Circuit:
    """Each qubit turned in its own way, so that every gate shows."""
    for k in range(circuit.num_qubits):
        circuit.ry(first + k, k).rz(1.1 * k + 0.2, k)
    return circuit


@pytest.mark.parametrize("row", NAMES)
def test_each_name_is_the_same_gate_phase_included(row: str) -> None:
    gate = GATES[row]
    circuit = turned(Circuit(gate.num_qubits), 0.3)
    circuit.append(Gate(row, *(0.37 + 0.5 * k for k in range(gate.num_params))), range(gate.num_qubits))
    turned(circuit, 0.7)
    found = amplitudes(print_circuit(circuit).source, gate.num_qubits)
    assert np.abs(found - Simulator().statevector(circuit)).max() < 1e-12


@st.composite
def circuits(draw: st.DrawFn) -> Circuit:
    """Gates of the whole table on up to four qubits, with controls, inverses and definitions."""
    circuit = Circuit(4)
    own = GateDefinition("own", [], Circuit(2).h(0).cp(0.3, 0, 1).gphase(0.2))
    for _ in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from([*GATES, "own"]))
        base: Any = own if name == "own" else GATES[name]
        gate = Gate(base, *[draw(st.floats(-7, 7)) for _ in range(base.num_params)])
        if draw(st.booleans()):
            gate = gate.inverse()
        if gate.num_qubits < 4 and draw(st.booleans()):
            gate = gate.control(1, draw(st.integers(0, 1)))
        if gate.num_qubits <= 4:
            qubits = draw(st.permutations(range(4)))[: gate.num_qubits]
            circuit.append(gate, qubits)
    return circuit


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(circuits(), st.sampled_from([COMMON, frozenset(NAMES), frozenset(("rz", "r", "rxx")), frozenset(("cz", "r"))]))
def test_any_circuit_in_any_gates_is_the_same_state(circuit: Circuit, gates: frozenset[str]) -> None:
    made = rebase(turned(circuit.block(), 0.3), gates, merge=False)
    for one in rebase(circuit, gates, merge=False):
        made._append(one.operation, one.qubits, one.clbits)
    printed = print_circuit(made)
    assert printed.num_qubits == 4
    expected = Simulator().statevector(_after(turned(circuit.block(), 0.3), circuit))
    assert abs(abs(np.vdot(amplitudes(printed.source, 4), expected)) - 1) < 1e-9


def _after(first: Circuit, second: Circuit) -> Circuit:
    for one in second:
        first._append(one.operation, one.qubits, one.clbits)
    return first


def test_a_program_has_no_include_no_definition_and_only_listed_gates() -> None:
    circuit = Circuit(3).ccx(0, 1, 2).append(Gate("h").control(2), [0, 1, 2]).rzz(0.3, 0, 1)
    task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 10, 1)
    [program] = json.loads(BraketBackend(MINE).prepare(read_program(circuit), task).payload)
    source = json.loads(program["action"])["source"]
    names = {line.split("(")[0].split()[0] for line in source.splitlines()[3:] if "measure" not in line}
    assert names <= {NAMES[row] for row in COMMON}
    assert "include" not in source and "gate " not in source


def test_qubits_that_nothing_uses_are_not_declared() -> None:
    printed = print_circuit(Circuit(30, 2).h(7).cx(7, 20).measure(20, 1))
    assert printed.num_qubits == 2 and printed.bits == ((1, 1),)
    assert "qubit[2] q;" in printed.source


def test_all_is_measured_where_a_device_needs_it() -> None:
    printed = print_circuit(Circuit(2, 1).h(0).cx(0, 1).measure(0, 0), measure_all=True)
    assert printed.source.count("measure") == 2 and printed.bits == ((0, 0),)


def test_numbers_are_exact_and_in_plain_form() -> None:
    values = [0.1, 1e-20, -2.0, 1e22, 3.141592653589793, 5e-324]
    circuit = Circuit(1)
    for value in values:
        circuit.rz(value, 0)
    lines = [line for line in print_circuit(circuit).source.splitlines() if line.startswith("rz(")]
    assert [float(line[3:].split(")")[0]) for line in lines] == values
    assert all("." in line for line in lines)


@pytest.mark.parametrize(
    "circuit, said",
    [
        (Circuit(1, 1).reset(0), "'reset'"), (Circuit(1).delay("10ns", 0), "'delay'"), (Circuit(1).u(0.1, 0.2, 0.3, 0), "'u'"),
        (Circuit(1).rx(Parameter("t"), 0), "bind it first"), (Circuit(2).append(Gate("x").control(1, 0), [0, 1]), "'x'"),
    ],
)  # fmt: skip
def test_what_has_no_word_is_told_by_name(circuit: Circuit, said: str) -> None:
    with pytest.raises(SessionError, match=said):
        print_circuit(circuit)


def test_the_payload_is_the_same_each_time() -> None:
    circuit = Circuit(2).ry(Parameter("t"), 0).cx(0, 1)
    task = Task(TaskKind.SAMPLE, np.array([[0.1], [0.2]]), True, 10, 1)
    first, second = (BraketBackend(MINE).prepare(read_program(circuit), task) for _ in range(2))
    assert first == second and first.circuits == 2


def test_more_circuits_than_the_limit_are_refused() -> None:
    task = Task(TaskKind.SAMPLE, np.zeros((3, 0)), True, 10, 1)
    own = BraketBackend(BraketOptions(target="sv1", bucket="amazon-braket-mine", max_circuits=2))
    with pytest.raises(SessionError, match="at most 2 circuits"):
        own.prepare(read_program(Circuit(1).h(0)), task)


# options --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "bucket",
    [
        "ab",
        "a" * 64,
        "Capital",
        "under_score",
        "a..b",
        "a.-b",
        "192.168.1.1",
        "-ab",
        "xn--ab",
        "ab-s3alias",
        "a/b",
        "",
        None,
        3,
    ],
)
def test_bucket_names_that_s3_does_not_take(bucket: Any) -> None:
    with pytest.raises(SessionError, match="'bucket'"):
        BraketOptions(target="sv1", bucket=bucket)


@pytest.mark.parametrize(
    "prefix", ["", "/a", "a/", "a//b", "../a", "a/./b", "a b", "a{b}", "x" * 1025, "a\\b", "ä", None]
)
def test_prefixes_that_braket_does_not_take(prefix: Any) -> None:
    with pytest.raises(SessionError, match="prefix is"):
        BraketOptions(target="sv1", bucket="abc", prefix=prefix)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"target": "sv2"}, "needs a target"), ({"target": "arn:aws:s3:::x"}, "needs a target"), ({"target": 3}, "needs a target"),
        ({"region": "mars"}, "region is one"), ({"tags": {"a": 1}}, "tags maps"), ({"gates": "h"}, "gates is a list"),
        ({"max_circuits": 0}, "max_circuits"), ({"device_parameters": 3}, "device_parameters"),
        ({"endpoint": "http://braket.example.com"}, "https, or http to this machine"),
        ({"s3_endpoint": "https://user@evil.example.com"}, "https"), ({"endpoint": None}, "https"),
        ({"target": "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1", "region": "eu-west-2"}, "in region us-east-1"),
    ],
)  # fmt: skip
def test_options_that_are_wrong(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SessionError, match=said):
        BraketOptions(**{"target": "sv1", "bucket": "abc", **options})


def test_a_device_s_region_is_its_arn_s() -> None:
    assert BraketOptions(target="arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1", bucket="abc").region == "us-east-1"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:80@example.com", "http://localhost.example.com", "ftp://127.0.0.1", "http://127.0.0.1:80/x", 3],
)
def test_loopback_is_loopback(url: Any) -> None:
    with pytest.raises(SessionError, match="https"):
        check_endpoint(url, "endpoint")


def test_a_job_never_says_where_requests_go() -> None:
    for name in ("endpoint", "s3_endpoint"):
        options = {"target": "sv1", "bucket": "abc", name: "https://evil.example.com"}
        with pytest.raises(SessionError, match="never say"):
            open_braket(ExecutionPreferences(backend="braket", backend_options=options))
    options = {"target": "sv1", "bucket": "amazon-braket-mine", "region": "us-west-2"}
    made = open_braket(ExecutionPreferences(backend="braket", backend_options=options))
    assert (made.name, made.endpoint) == ("braket:sv1", "https://braket.us-west-2.amazonaws.com")


def test_gates_that_are_none_are_refused() -> None:
    own = BraketBackend(BraketOptions(target="sv1", bucket="abc", gates=["h", "nope"]))  # type: ignore[arg-type]
    with pytest.raises(SessionError, match="'nope'"):
        own.prepare(read_program(Circuit(1).h(0)), Task(TaskKind.SAMPLE, np.zeros((1, 0)), True, 10, 1))


# devices and results ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "capabilities", ["", "{", "[]", "null", "3", '{"action": 3}', '{"service": {"shotsRange": ["a", 2], "deviceCost": {"price": "x"}}}',
                     '{"paradigm": {"qubitCount": -1, "connectivity": {"fullyConnected": false, "connectivityGraph": {"a": 3}}}}'],
)  # fmt: skip
def test_a_device_that_says_odd_things_is_still_one(capabilities: str) -> None:
    device = read_device({"deviceName": "X", "deviceCapabilities": capabilities})
    assert (device.gates, device.num_qubits, device.price, device.connectivity) == (COMMON, None, None, None)


def test_a_device_s_own_words() -> None:
    said = {
        "action": {
            "braket.ir.openqasm.program": {
                "supportedOperations": ["H", "cnot", "gpi"],
                "requiresAllQubitsMeasurement": True,
            }
        },
        "paradigm": {
            "qubitCount": 3,
            "connectivity": {"fullyConnected": False, "connectivityGraph": {"0": ["1"], "1": ["2"]}},
        },
        "service": {"shotsRange": [10, 5000], "deviceCost": {"price": 0.3, "unit": "task"}},
    }
    device = read_device({"deviceName": "X", "deviceStatus": "PAUSED", "deviceCapabilities": json.dumps(said)})
    assert device.connectivity == {(0, 1), (1, 2)} and device.shots == (10, 5000) and device.price == (0.3, "task")
    assert device.gates == {"h", "cx"} and device.measure_all and device.status == "PAUSED" and device.takes_openqasm
    assert not read_device({"deviceCapabilities": '{"action": {"braket.ir.ahs.program": {}}}'}).takes_openqasm


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.recursive(st.none() | st.booleans() | st.integers(-2, 3) | st.text("01x", max_size=2), lambda x: st.lists(x, max_size=3), max_leaves=8),
       st.none() | st.lists(st.integers(-1, 3), max_size=3), st.none() | st.dictionaries(st.text("01", max_size=2), st.floats(-1, 2), max_size=3))  # fmt: skip
def test_nothing_but_an_error_of_ours_comes_of_a_strange_result(
    measurements: Any, qubits: Any, probabilities: Any
) -> None:
    body = json.dumps(
        {"measurements": measurements, "measuredQubits": qubits, "measurementProbabilities": probabilities}
    )
    try:
        found = read_outcomes(body.encode(), [(0, 0), (1, 1)], 10)
    except SessionError:
        return
    assert found and all(0 <= outcome < 4 and shots > 0 for outcome, shots in found.items())


def test_every_name_goes_both_ways() -> None:
    assert {ROWS[name]: name for name in ROWS} == NAMES


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e999", "-1", "NaN"])
def test_numbers_of_a_device_that_are_none(number: str) -> None:
    said = f'{{"paradigm": {{"connectivity": {{"fullyConnected": false, "connectivityGraph": {{"0": [{number}]}}}}}},'
    said += f' "service": {{"deviceCost": {{"price": {number}, "unit": "shot"}}}}}}'
    assert read_device({"deviceName": "X", "deviceCapabilities": said}).price is None
