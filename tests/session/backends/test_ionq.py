"""IonQ's adapter against a service on this machine: results, bit order, limits and refusals."""

# ruff: noqa: SIM117  (a server, then a session, then what is expected)
from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from ionq_fixtures import HEAD, preferences, quick, sample_task, submitted  # noqa: F401  (a fixture)
from ionq_service import IonQService, parse
from loopback import loopback

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from qsim import Circuit, Simulator
from session import ExecutionSession, Pauli
from session.backends.experiments import Experiment
from session.backends.ionq import IonQBackend, decoding, payload
from session.backends.ionq.options import IonQOptions
from session.backends.ionq.payload import copies
from session.backends.protocol import RemoteBackend
from session.errors import (
    SessionError,
)
from session.preferences import ExecutionPreferences
from session.preparation import TargetError
from session.programs import read_program
from session.testing.canary import run_canaries

CANARY = HEAD + "qubit[3] q;\nbit[2] a;\nbit[4] b;\nx q[2];\nb[1] = measure q[2];\na[1] = measure q[0];\n"
ANSATZ = HEAD + "input array[float[64], 3] t;\nqubit[3] q;\nry(t[0]) q[0];\ncx q[0], q[1];\nry(t[1]) q[1];\ncx q[1], q[2];\nrz(t[2]) q[2];\nsx q[2];\n"  # fmt: skip
FORMATS = decoding.FORMATS


# results ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [{}, {"format": "json"}, {"target": "qpu.forte-1"}, {"target": "qpu.forte-1", "format": "json"}])  # fmt: skip
def test_canary_of_bit_order(options: dict[str, Any]) -> None:
    """X on one of three qubits, registers of unequal size, partly measured."""
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        with ExecutionSession(CANARY, execution_preferences=preferences(server.url, **options)) as session:
            details = session.sample()
    assert details.counts == {"001000": 1000}  # b = 0010, then a = 00
    assert details.parsed_counts[0].state == {"a": 0, "b": 2}
    assert details.counts_of_qubits(2) == {"1": 1000}


@pytest.mark.parametrize(
    "options",
    [
        {"target": "qpu.forte-1", "mid_circuit": True},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"format": "json"}, marks=pytest.mark.slow),
        pytest.param({"target": "qpu.forte-1"}, marks=pytest.mark.slow),
    ],
)
def test_all_canaries_of_bit_order(options: dict[str, Any]) -> None:
    with loopback(otherwise=IonQService(way=("completed",)).answer) as server:
        run_canaries(IonQBackend(preferences(server.url, **options)))


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_of_results_gives_the_same_bits(format: str) -> None:
    program = HEAD + "qubit[3] q;\nbit[3] c;\nx q[2];\nh q[0];\nc[0] = measure q[2];\nc[2] = measure q[0];\n"
    service = IonQService(formats=(format,))
    with loopback(otherwise=service.answer) as server:
        with ExecutionSession(program, execution_preferences=preferences(server.url, target="qpu.forte-1")) as session:
            counts = session.sample().counts
    assert set(counts) == {"001", "101"}
    assert sum(counts.values()) == 1000
    assert abs(counts["001"] - 500) < 5 * math.sqrt(250)


def test_measurements_in_the_middle_and_resets() -> None:
    program = (
        HEAD + "qubit[2] q;\nbit m;\nbit[2] c;\nx q[0];\nm = measure q[0];\nreset q[0];\nh q[1];\nc = measure q;\n"
    )
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        wanted = preferences(server.url, target="qpu.forte-1", mid_circuit=True)
        with ExecutionSession(program, execution_preferences=wanted) as session:
            details = session.sample()
    assert set(details.counts) == {"001", "101"}
    assert details.counts_of_output("m") == {"1": 1000}


@pytest.mark.parametrize("target", ["simulator", "qpu.forte-1"])
@pytest.mark.parametrize("name", ["bell", "ghz", "ansatz"])
def test_distributions_are_the_engines(name: str, target: str) -> None:
    circuit = {
        "bell": lambda: Circuit(2).h(0).cx(0, 1),
        "ghz": lambda: Circuit(4).h(2).cx(2, 0).cx(0, 3).cx(3, 1),
        "ansatz": lambda: ANSATZ,
    }[name]()
    values = {"t": [0.4, 1.1, -0.7]} if name == "ansatz" else None
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        wanted = preferences(server.url, target=target, shots=4000)
        with ExecutionSession(circuit, execution_preferences=wanted) as session:
            counts = session.sample(values).counts
            exact = Simulator().probabilities(session.circuit, values)
    assert chi_square(counts, exact) < 40  # at most 7 degrees of freedom: 1 in a million


def chi_square(counts: dict[str, int], exact: Any) -> float:
    """Of counts by bitstring against probabilities by basis state; impossible outcomes must not occur."""
    shots, total = sum(counts.values()), 0.0
    for state, p in enumerate(exact):
        seen = counts.get(f"{state:0{len(next(iter(counts)))}b}", 0)
        assert p > 1e-12 or not seen
        total += (seen - shots * p) ** 2 / (shots * p) if p > 1e-12 else 0.0
    return total


@pytest.mark.parametrize("target", ["simulator", "qpu.forte-1"])
def test_estimates_of_a_batch(target: str) -> None:
    """Groups of terms with different shares of the shots, several sets, one job."""
    rows = [{"t": [0.4, 1.1, -0.7]}, {"t": [1.4, -0.2, 0.3]}]
    observable = Pauli.Z(0) * Pauli.Z(1) + 0.3 * Pauli.X(2) + 2.0 * Pauli.Y(1) + 0.25
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        wanted = preferences(server.url, target=target, shots=6000)
        with ExecutionSession(ANSATZ, execution_preferences=wanted) as session:
            found = session.estimate(observable, rows)
            exact = [Simulator().expectation(session.circuit, observable, row) for row in rows]
    posts = [request for request in server.requests if request.method == "POST"]
    assert len(posts) == 1
    for one, value in zip(found, exact, strict=True):
        assert 0.001 < one.standard_error < 0.1
        assert abs(one.value - value) < 5 * one.standard_error
        assert 5800 < one.metadata["num_shots"] <= 6000


def test_a_batch_of_samples_is_one_job_and_keeps_its_order() -> None:
    program = HEAD + "input float t;\nqubit q;\nrx(t) q;\n"
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        with ExecutionSession(program, execution_preferences=preferences(server.url)) as session:
            found = session.sample([{"t": math.pi * (k % 2)} for k in range(7)])
    assert [one.counts for one in found] == [{str(k % 2): 1000} for k in range(7)]
    assert sum(request.method == "POST" for request in server.requests) == 1


@pytest.mark.parametrize("target", ["simulator", "qpu.forte-1"])
@pytest.mark.parametrize("formats", [(), ("ionq.result.shots.json.v2",), ("ionq.result.histogram.json.v1",)])
def test_results_are_put_in_order_by_the_names_of_circuits(formats: tuple[str, ...], target: str) -> None:
    """IonQ does not say in which order it lists the jobs of a job's circuits."""
    program = HEAD + "input float t;\nqubit q;\nrx(t) q;\n"
    service = IonQService(formats=formats if target != "simulator" else ())
    service.shuffles = True
    angles = [math.pi * (k in (1, 4, 5)) for k in range(8)]
    with loopback(otherwise=service.answer) as server:
        with ExecutionSession(program, execution_preferences=preferences(server.url, target=target)) as session:
            found = session.sample([{"t": angle} for angle in angles])
    assert [one.counts for one in found] == [{str(int(angle > 0)): 1000} for angle in angles]


def test_children_are_read_one_by_one_when_there_is_no_aggregate() -> None:
    service = IonQService(formats=("ionq.result.shots.json.v2",))
    program = HEAD + "input float t;\nqubit[2] q;\nrx(t) q[1];\n"
    with loopback(otherwise=service.answer) as server:
        with ExecutionSession(program, execution_preferences=preferences(server.url, target="qpu.forte-1")) as session:
            found = session.sample([{"t": 0.0}, {"t": math.pi}])
    assert [one.counts for one in found] == [{"00": 1000}, {"10": 1000}]


def test_draws_from_exact_probabilities_are_repeatable() -> None:
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        wanted = preferences(server.url)
        made = IonQBackend(wanted)
        program, task = read_program(Circuit(2).h(0).cx(0, 1)), sample_task()
        prepared = made.prepare(program, task)
        ref = made.submit(prepared, "r")
        while not made.status(ref).state.is_final:
            pass
        stored = made.fetch(ref)
    first, again = (made.decode(stored, prepared, program, task)[0] for _ in range(2))
    assert first == again
    assert first.metadata["drawn_from"] == "probabilities"  # type: ignore[union-attr]


def test_shares_of_shots_are_counts_again() -> None:
    asked = decoding.Asked((0,), (), (0,), 997, 7, False, 1)
    data = {"0": 331 / 997, "1": 666 / 997}
    assert decoding.read("ionq.result.probabilities.json.v1", data, asked) == {0: 331, 1: 666}


def test_costs_minimisations_and_mitigation() -> None:
    """They are made of samples and estimates: each is a job of its own, calibrations are in the job of their estimate."""
    program = HEAD + "input float t;\nqubit[2] q;\nry(t) q[0];\ncx q[0], q[1];\n"
    with loopback(otherwise=IonQService(way=("completed",)).answer) as server:
        wanted = preferences(server.url, shots=2000).updated(readout_mitigation=True)
        with ExecutionSession(program, execution_preferences=wanted) as session:
            value = session.estimate(Pauli.Z(0) * Pauli.Z(1) + Pauli.X(0) * Pauli.X(1), {"t": 1.0})
            before = len([request for request in server.requests if request.method == "POST"])
            ones = session.estimate_cost(lambda state: float(state["q"] == 3), {"t": math.pi})
            found = session.minimize(Pauli.Z(0), {"t": 2.5}, 5)
    assert before == 1
    assert abs(value.value - 1 - math.sin(1.0)) < 5 * value.standard_error
    assert ones == 1.0
    assert found.optimal_cost < 0


def test_prepared_is_the_same_whenever_it_is_made() -> None:
    made = IonQBackend(ExecutionPreferences(backend="ionq"))
    program, task = read_program(ANSATZ), sample_task(rows=[[0.1, 0.2, 0.3]])
    first, second = made.prepare(program, task), made.prepare(program, task)
    assert first == second
    assert isinstance(made, RemoteBackend)
    json.dumps(first.about())
    text = json.loads(first.payload)["input"]["data"]
    assert parse(text).qubits == 3


def test_names_of_registers_that_mean_something_else() -> None:
    circuit = Circuit(3)
    for name in ("output_all", "h", "θ"):
        circuit.add_clbits(1, name)
    circuit.x(0).measure(0, 0).measure(1, 1).measure(2, 2)
    made = IonQBackend(ExecutionPreferences(backend="ionq")).prepare(read_program(circuit), sample_task())
    names = [name for name, _ in made.details["registers"]]
    assert len(set(names)) == 3
    assert not {"output_all", "h", "θ", "q"} & set(names)
    parse(json.loads(made.payload)["input"]["data"])


def test_measurements_come_last_where_none_is_midway() -> None:
    program = read_program(HEAD + "qubit[2] q;\nbit[2] c;\nc[0] = measure q[0];\nh q[1];\nc[1] = measure q[1];\n")
    made = IonQBackend(ExecutionPreferences(backend="ionq")).prepare(program, sample_task())
    steps = [name for name, _, _ in parse(json.loads(made.payload)["input"]["data"]).steps]
    assert steps == ["h", "measure", "measure"]


# what is refused before anything is sent -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("qubit q;\nbit c;\nh q;\nc = measure q;\nif (c) x q;", r"if \(line 7\)"),
        ("qubit q;\nbit c;\nc = measure q;\nwhile (c) { c = measure q; }", r"while \(line 6\)"),
        ("qubit q;\nh q;\nreset q;", r"reset \(line 5\)"),
        ("qubit q;\nbit c;\nc = measure q;\nh q;", r"'h' acts on qubit 0 after it was measured \(line 6\)"),
        ("qubit q;\ndelay[10ns] q;", r"delay: 10ns \(line 4\)"),
    ],
)
def test_statements_are_refused_by_name_and_line(body: str, said: str) -> None:
    made = IonQBackend(ExecutionPreferences(backend="ionq"))
    with pytest.raises(TargetError, match=said):
        made.prepare(read_program(HEAD + body), sample_task())


def test_branches_are_refused_where_measurements_midway_are_not() -> None:
    made = IonQBackend(ExecutionPreferences(backend="ionq", backend_options={"mid_circuit": True}))
    program = read_program(HEAD + "qubit q;\nbit c;\nh q;\nc = measure q;\nif (c) x q;")
    with pytest.raises(TargetError, match=r"if \(line 7\)"):
        made.prepare(program, sample_task())


def test_limits_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (payload.MAX_GATES, payload.MAX_CIRCUITS, payload.MAX_BODY) == (150_000, 5_000, 10_000_000)
    plain = IonQBackend(ExecutionPreferences(backend="ionq"))
    debiased = IonQBackend(
        ExecutionPreferences(backend="ionq", backend_options={"debiasing": True, "target": "qpu.forte-1"})
    )
    program = read_program(Circuit(1).h(0))
    with pytest.raises(SessionError, match="1,000,000 shots"):
        plain.prepare(program, sample_task(1_000_001))
    with pytest.raises(SessionError, match="at least 500 shots"):
        debiased.prepare(program, sample_task(499))
    assert json.loads(debiased.prepare(program, sample_task(500)).payload)["settings"] == {
        "error_mitigation": {"debiasing": True}
    }
    monkeypatch.setattr(payload, "MAX_GATES", 100)
    with pytest.raises(SessionError, match="at most 100 gates in a job, and this task has 101"):
        plain.prepare(read_program(long_circuit(101)), sample_task())
    rotated = read_program(HEAD + "input float t;\nqubit q;\nrx(t) q;\n")
    with pytest.raises(SessionError, match="at most 100 gates"):
        plain.prepare(rotated, sample_task(rows=np.zeros((101, 1))))  # over all circuits
    monkeypatch.setattr(payload, "MAX_CIRCUITS", 7)
    with pytest.raises(SessionError, match="at most 7 circuits"):
        plain.prepare(rotated, sample_task(rows=np.zeros((8, 1))))
    monkeypatch.setattr(payload, "MAX_BODY", 400)
    with pytest.raises(SessionError, match="at most 400 bytes"):
        plain.prepare(read_program(long_circuit(90)), sample_task())


def long_circuit(gates: int) -> Circuit:
    """So many gates on one qubit."""
    circuit = Circuit(1)
    for _ in range(gates):
        circuit.x(0)
    return circuit


def test_more_qubits_than_the_device_has() -> None:
    with loopback(otherwise=IonQService().answer) as server:
        with pytest.raises(SessionError, match="29 qubits"):
            ExecutionSession(Circuit(30).h(0), execution_preferences=preferences(server.url)).sample()
    assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "qasm2"}, "'qasm3' or 'json'"),
        ({"formatt": "json"}, "Did you mean 'format'"),
        ({"debiasing": 1}, "debiasing of backend 'ionq' is a bool"),
        ({"noise_seed": 3}, "is of a noise_model"),
        ({"noise_model": "forte-1", "noise_seed": -1}, "from 0 to"),
        ({"mid_circuit": True, "format": "json"}, "no measurements in the middle"),
        ({"api_key": "x" * 20}, "credential"),
        ({"endpoint": "https://example.com"}, "profile"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SessionError, match=said):
        IonQBackend(ExecutionPreferences(backend="ionq", backend_options=options))


def test_noise_is_of_the_simulator() -> None:
    made = IonQBackend(
        ExecutionPreferences(backend="ionq", backend_options={"noise_model": "forte-1", "noise_seed": 3})
    )
    prepared = made.prepare(read_program(Circuit(1)), sample_task())
    assert json.loads(prepared.payload)["noise"] == {"model": "forte-1", "seed": 3}
    assert not prepared.details["is_exact"]
    device = IonQBackend(ExecutionPreferences(backend_options={"noise_model": "forte-1", "target": "qpu.forte-1"}))
    with pytest.raises(SessionError, match="noise_model is of IonQ's target 'simulator'"):
        device.prepare(read_program(Circuit(1)), sample_task())


def test_copies_never_use_more_shots_than_were_asked_for() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        shots = [int(n) for n in rng.integers(2, 10_000, rng.integers(1, 12))]
        made = [remote_experiment(n) for n in shots]
        counts, each = copies(made, IonQOptions())
        assert min(counts) >= 1
        assert each >= 1
        assert sum(counts) * each <= sum(shots)
        assert sum(counts) * each >= sum(shots) - sum(counts)


def remote_experiment(shots: int) -> Any:
    """A circuit with a number of shots."""
    return Experiment(Circuit(1), shots, 0)
