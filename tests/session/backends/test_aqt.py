"""AQT's adapter against a service on this machine: results, bit order, limits, refusals and faults."""

# ruff: noqa: SIM117  (a server, then a session, then what is expected)
from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import small_engine as engine
from aqt_service import TOKEN, AQTService, steps
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import cut_off, loopback, reply, reset

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from qsim import Circuit, Simulator
from session import ExecutionSession, Pauli
from session.backends import remote
from session.backends.aqt import AQTBackend
from session.backends.aqt.payload import GATES, operations, repetitions
from session.backends.http import HttpClient
from session.backends.profiles import Profile, define_profile, forget_profile
from session.backends.protocol import CancelOutcome, RawResult, RemoteBackend, RemoteState
from session.errors import BadReply, CredentialError, ServiceRefused, SessionError, SubmitUnknown
from session.preferences import ExecutionPreferences
from session.preparation import TargetError, rebase
from session.programs import read_program
from session.tasks import Task, TaskKind
from session.testing.canary import run_canaries

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
CANARY = HEAD + "qubit[3] q;\nbit[2] a;\nbit[4] b;\nx q[2];\nb[1] = measure q[2];\na[1] = measure q[0];\n"
ANSATZ = HEAD + "input array[float[64], 3] t;\nqubit[3] q;\nry(t[0]) q[0];\ncx q[0], q[1];\nry(t[1]) q[1];\ncx q[1], q[2];\nrz(t[2]) q[2];\nsx q[2];\n"  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A token, no waiting between questions and tries, and profiles that are gone afterwards."""
    monkeypatch.setenv("AQT_TOKEN", TOKEN)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(remote, "LONGEST_WAIT", 0.002)
    plain = HttpClient.__init__
    monkeypatch.setattr(HttpClient, "__init__", lambda self, *a, **k: plain(self, *a, **{**k, "sleep": lambda s: None}))
    yield
    forget_profile("here")


def preferences(url: str, shots: int = 1000, **options: Any) -> ExecutionPreferences:
    """Of a backend that speaks to a server on this machine."""
    define_profile(Profile("here", "aqt", url + "/api/v1", target="lab/ibex"))
    options = {"profile": "here", **options}
    return ExecutionPreferences(backend="aqt", num_shots=shots, random_seed=7, backend_options=options)


def sample_task(shots: int = 100, rows: Any = None) -> Task:
    """A sample without parameters, or with rows of them."""
    return Task(TaskKind.SAMPLE, np.zeros((1, 0)) if rows is None else np.array(rows), False, shots, 7)


# results ----------------------------------------------------------------------------------------------------------
def test_canary_of_bit_order() -> None:
    """X on one of three qubits, registers of unequal size, partly measured."""
    with loopback(otherwise=AQTService().answer) as server:
        with ExecutionSession(CANARY, execution_preferences=preferences(server.url)) as session:
            details = session.sample()
    assert details.counts == {"001000": 1000}  # b = 0010, then a = 00
    assert details.parsed_counts[0].state == {"a": 0, "b": 2}
    assert details.counts_of_qubits(2) == {"1": 1000}
    assert {request.path for request in server.requests if request.method == "POST"} == {"/api/v1/submit/lab/ibex"}


def test_all_canaries_of_bit_order() -> None:
    with loopback(otherwise=AQTService(way=("finished",)).answer) as server:
        run_canaries(AQTBackend(preferences(server.url)))


@st.composite
def circuits(draw: Any) -> Circuit:
    """Gates of many kinds on three qubits."""
    circuit = Circuit(3)
    angle = st.floats(-7, 7, allow_nan=False)
    for _ in range(draw(st.integers(0, 12))):
        a, b, c = draw(st.permutations(range(3)))
        kind = draw(
            st.sampled_from(["h", "t", "sx", "u", "cx", "cp", "swap", "iswap", "ccx", "rxx", "rzz", "r", "barrier"])
        )
        if kind in ("h", "t", "sx"):
            getattr(circuit, kind)(a)
        elif kind == "u":
            circuit.u(draw(angle), draw(angle), draw(angle), a)
        elif kind == "r":
            circuit.r(draw(angle), draw(angle), a)
        elif kind in ("cp", "rxx", "rzz"):
            getattr(circuit, kind)(draw(angle), a, b)
        elif kind == "ccx":
            circuit.ccx(a, b, c)
        elif kind == "barrier":
            circuit.barrier(a)
        else:
            getattr(circuit, kind)(a, b)
    return circuit


@settings(max_examples=60, deadline=None)
@given(circuits())
def test_what_is_sent_makes_the_same_state(circuit: Circuit) -> None:
    """Up to the global phase, within the ranges of the models, run by an engine that shares nothing with this package."""
    made = operations(rebase(circuit, GATES, small_angles=True))
    for one in made[:-1]:
        if one["operation"] == "R":
            assert 0 <= one["theta"] <= 1
            assert 0 <= one["phi"] <= 2
        elif one["operation"] == "RXX":
            assert 0 <= one["theta"] <= 0.5
    state = engine.run(3, steps(made))
    assert abs(abs(np.vdot(Simulator().statevector(circuit), state)) - 1) < 1e-9


@pytest.mark.parametrize("name", ["bell", "ghz", "ansatz"])
def test_distributions_are_the_engines(name: str) -> None:
    circuit = {
        "bell": lambda: Circuit(2).h(0).cx(0, 1),
        "ghz": lambda: Circuit(4).h(2).cx(2, 0).cx(0, 3).cx(3, 1),
        "ansatz": lambda: ANSATZ,
    }[name]()
    values = {"t": [0.4, 1.1, -0.7]} if name == "ansatz" else None
    with loopback(otherwise=AQTService().answer) as server:
        with ExecutionSession(circuit, execution_preferences=preferences(server.url, 5000)) as session:
            counts = session.sample(values).counts
            exact = Simulator().probabilities(session.circuit, values)
    assert sum(counts.values()) == 5000  # in three circuits of one job
    total = 0.0
    for state, p in enumerate(exact):
        seen = counts.get(f"{state:0{len(next(iter(counts)))}b}", 0)
        assert p > 1e-12 or not seen
        total += (seen - 5000 * p) ** 2 / (5000 * p) if p > 1e-12 else 0.0
    assert total < 40
    posts = [json.loads(request.body) for request in server.requests if request.method == "POST"]
    assert [one["repetitions"] for one in posts[0]["payload"]["circuits"]] == [1667, 1667, 1666]


def test_estimates_of_a_batch() -> None:
    """Each group of terms has its share of the shots; several sets, one job."""
    rows = [{"t": [0.4, 1.1, -0.7]}, {"t": [1.4, -0.2, 0.3]}]
    observable = Pauli.Z(0) * Pauli.Z(1) + 0.3 * Pauli.X(2) + 2.0 * Pauli.Y(1) + 0.25
    with loopback(otherwise=AQTService().answer) as server:
        with ExecutionSession(ANSATZ, execution_preferences=preferences(server.url, 6000)) as session:
            found = session.estimate(observable, rows)
            exact = [Simulator().expectation(session.circuit, observable, row) for row in rows]
    assert sum(request.method == "POST" for request in server.requests) == 1
    for one, value in zip(found, exact, strict=True):
        assert 0.001 < one.standard_error < 0.1
        assert abs(one.value - value) < 5 * one.standard_error
        assert one.metadata["num_shots"] == 6000


def test_a_batch_of_samples_keeps_its_order() -> None:
    program = HEAD + "input float t;\nqubit q;\nrx(t) q;\n"
    with loopback(otherwise=AQTService().answer) as server:
        with ExecutionSession(program, execution_preferences=preferences(server.url, 2001)) as session:
            found = session.sample([{"t": math.pi * (k % 2)} for k in range(12)])
    assert [one.counts for one in found] == [{str(k % 2): 2001} for k in range(12)]


def test_costs_minimisations_and_mitigation() -> None:
    """They are made of samples and estimates: each is a job of its own, calibrations are in the job of their estimate."""
    program = HEAD + "input float t;\nqubit[2] q;\nry(t) q[0];\ncx q[0], q[1];\n"
    with loopback(otherwise=AQTService(way=("finished",)).answer) as server:
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
    made = AQTBackend(ExecutionPreferences(backend="aqt", backend_options={"target": "lab/ibex"}))
    program, task = read_program(ANSATZ), sample_task(rows=[[0.1, 0.2, 0.3]])
    first, second = made.prepare(program, task), made.prepare(program, task)
    assert first == second
    assert isinstance(made, RemoteBackend)
    json.dumps(first.about())


# what is refused before anything is sent ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("qubit q;\nbit c;\nh q;\nc = measure q;\nif (c) x q;", r"if \(line 7\)"),
        ("qubit q;\nh q;\nreset q;", r"reset \(line 5\)"),
        ("qubit q;\nbit c;\nc = measure q;\nh q;", r"'h' acts on qubit 0 after it was measured \(line 6\)"),
        ("qubit q;\ndelay[10ns] q;", r"delay: 10ns \(line 4\)"),
    ],
)
def test_statements_are_refused_by_name_and_line(body: str, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        AQTBackend(ExecutionPreferences(backend="aqt", backend_options={"target": "lab/ibex"})).prepare(
            read_program(HEAD + body), sample_task()
        )


def test_limits_of_the_service() -> None:
    made = AQTBackend(ExecutionPreferences(backend="aqt", backend_options={"target": "lab/ibex"}))
    one = read_program(HEAD + "input float t;\nqubit q;\nrx(t) q;\n")
    assert made.prepare(one, sample_task(100_000, [[0.1]])).circuits == 50
    with pytest.raises(SessionError, match="at most 50 circuits"):
        made.prepare(one, sample_task(2001, np.zeros((26, 1))))
    with pytest.raises(SessionError, match="100,000 shots"):
        made.prepare(one, sample_task(100_001, [[0.1]]))
    long = Circuit(3)
    for k in range(1000):  # on changing pairs: neighbours on one pair are put together
        long.rzz(0.3, k % 2, k % 2 + 1).rx(0.2, 1)
    with pytest.raises(SessionError, match="2,000 operations"):
        made.prepare(read_program(long), sample_task())


def test_more_qubits_than_the_resource_has() -> None:
    with loopback(otherwise=AQTService().answer) as server:
        with pytest.raises(SessionError, match="12 qubits"):
            ExecutionSession(Circuit(13).h(0), execution_preferences=preferences(server.url)).sample()
    assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs a target"),
        ({"target": "ibex"}, "workspace/resource"),
        ({"target": "a/b/c"}, "workspace/resource"),
        ({"target": 7}, "is a text"),
        ({"label": "x"}, "no option 'label'"),
        ({"url": "https://example.com"}, "profile"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SessionError, match=said):
        AQTBackend(ExecutionPreferences(backend="aqt", backend_options=options))


@given(st.integers(1, 100_000))
def test_repetitions_are_the_shots(shots: int) -> None:
    parts = repetitions(shots)
    assert sum(parts) == shots
    assert all(1 <= n <= 2000 for n in parts)
    assert len(parts) <= 50


# steps ------------------------------------------------------------------------------------------------------------
def submitted(url: str) -> tuple[AQTBackend, Any]:
    """A backend, and a job of it."""
    made = AQTBackend(preferences(url))
    return made, made.submit(made.prepare(read_program(Circuit(1).x(0)), sample_task()), "ref-1")


def test_states_and_cancelling() -> None:
    service = AQTService()
    with loopback(otherwise=service.answer) as server:
        made, ref = submitted(server.url)
        assert [made.status(ref).state for _ in range(3)] == [
            RemoteState.QUEUED,
            RemoteState.RUNNING,
            RemoteState.COMPLETED,
        ]
        assert made.cancel(ref) is CancelOutcome.ALREADY_FINAL
        other = made.submit(made.prepare(read_program(Circuit(1).x(0)), sample_task()), "ref-2")
        assert made.cancel(other) is CancelOutcome.REQUESTED
        assert made.cancel(other) is CancelOutcome.ALREADY_FINAL
        assert made.status(other).state is RemoteState.CANCELLED
        with pytest.raises(ServiceRefused, match="404"):
            made.status(type(ref)("nothing/../here"))
        assert made.find("ref-1") is None
    assert made.capabilities().idempotency == "none"
    assert service.jobs[ref.remote_id].about["label"] == "ref-1"


def test_a_failure_tells_its_reason() -> None:
    with loopback(otherwise=AQTService(way=("queued", "error")).answer) as server:
        with ExecutionSession(Circuit(1).x(0), execution_preferences=preferences(server.url)) as session:
            with pytest.raises(SessionError, match="the ions are gone"):
                session.sample()


def test_a_result_that_can_be_read_once() -> None:
    service = AQTService()
    service.read_once = True
    with loopback(otherwise=service.answer) as server:
        with ExecutionSession(Circuit(1).x(0), execution_preferences=preferences(server.url)) as session:
            assert session.sample().counts == {"1": 1000}
    assert not service.jobs


# faults -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "answer", [reset, reply(500, {}), reply(502, {}), reply(503, {}, {"Retry-After": "1"}), cut_off(200, {"job": {}})]
)
def test_what_may_have_been_taken_is_unknown_and_never_sent_twice(answer: Any) -> None:
    with loopback(otherwise=AQTService().answer) as server:
        made = AQTBackend(preferences(server.url))
        server.answers[:] = [answer]
        with pytest.raises((SubmitUnknown, BadReply)):
            made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer", [reply(200, {}), reply(200, []), reply(200, {"job": {"job_id": 7}}), reply(200, body=b"{")]
)
def test_a_malformed_answer_to_a_submission_is_no_definite_no(answer: Any) -> None:
    with loopback(answer) as server:
        made = AQTBackend(preferences(server.url))
        with pytest.raises(BadReply):
            made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_no_job(status: int) -> None:
    with loopback(reply(status, {"detail": "no"})) as server:
        made = AQTBackend(preferences(server.url))
        with pytest.raises(ServiceRefused):
            made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")


def test_too_many_requests_are_waited_for() -> None:
    service = AQTService()
    with loopback(reply(429, {}, {"Retry-After": "1"}), otherwise=service.answer) as server:
        made, ref = submitted(server.url)
        server.answers[:] = [reply(429, {}), reply(500, {}), reset, cut_off(200, {})]
        assert made.status(ref).state is RemoteState.QUEUED
    assert len(service.jobs) == 1


def test_an_unknown_word_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    with loopback(otherwise=AQTService(way=("queued", "musing", "musing", "finished")).answer) as server:
        with ExecutionSession(Circuit(1).x(0), execution_preferences=preferences(server.url)) as session:
            assert session.sample().counts == {"1": 1000}
    assert sum("musing" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(
    "result", [{}, {"0": [[2]]}, {"0": [[0, 1]] * 100}, {"0": [[0]] * 99}, {"0": 7}, {"1": [[0]] * 100}, [[0]],
               {"0": [[0]] * 100, "1": [[0]] * 100}, {"0": [0] * 100}, {"0": [["a"]] * 100}, {"0": [[True]] * 100}]
)  # fmt: skip
def test_malformed_results_are_told(result: Any) -> None:
    made = AQTBackend(ExecutionPreferences(backend="aqt", backend_options={"target": "lab/ibex"}))
    program, task = read_program(Circuit(1).x(0)), sample_task()
    body = json.dumps({"job": {}, "response": {"status": "finished", "result": result}}).encode()
    with pytest.raises(BadReply):
        made.decode(RawResult(body, "application/json"), made.prepare(program, task), program, task)


def test_no_token_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AQT_TOKEN")
    with loopback() as server:
        made = AQTBackend(preferences(server.url))
        assert made.capabilities().num_qubits is None
        with pytest.raises(CredentialError, match="AQT_TOKEN"):
            made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")
    assert not server.requests


@pytest.mark.parametrize("target", ["../ibex", "lab/..", "./ibex", "lab/.", "a/b/c", "ibex", "lab/ib ex"])
def test_targets_that_are_no_parts_of_a_path_are_refused_before_anything_is_sent(target: str) -> None:
    with loopback(otherwise=AQTService().answer) as server:
        with pytest.raises(SessionError, match="needs a target"):
            AQTBackend(preferences(server.url, target=target))
