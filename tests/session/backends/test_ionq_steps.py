"""IonQ's adapter against a service on this machine: its steps, and faults at each of them."""

# ruff: noqa: SIM117  (a server, then a session, then what is expected)
from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from ionq_fixtures import HEAD, preferences, quick, sample_task, submitted  # noqa: F401  (a fixture)
from ionq_service import KEY, IonQService
from loopback import Received, closed_port, cut_off, loopback, raw, reply, reset

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from qsim import Circuit
from session import ExecutionSession
from session.backends import remote
from session.backends.ionq import IonQBackend, backend, decoding
from session.backends.protocol import CancelOutcome, RawResult, RemoteRef, RemoteState
from session.errors import (
    BadReply,
    CredentialError,
    ServiceRefused,
    ServiceUnavailable,
    SessionError,
    SubmitUnknown,
)
from session.programs import read_program
from session.tasks import Task, TaskKind

ANSATZ = HEAD + "input array[float[64], 3] t;\nqubit[3] q;\nry(t[0]) q[0];\ncx q[0], q[1];\nry(t[1]) q[1];\ncx q[1], q[2];\nrz(t[2]) q[2];\nsx q[2];\n"  # fmt: skip


# steps ------------------------------------------------------------------------------------------------------------
def test_states_and_cancelling() -> None:
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        made, ref = submitted(server.url)
        states = [made.status(ref).state for _ in range(4)]
        assert states == [RemoteState.QUEUED, RemoteState.QUEUED, RemoteState.RUNNING, RemoteState.COMPLETED]
        assert made.cancel(ref) is CancelOutcome.ALREADY_FINAL
        other = made.submit(made.prepare(read_program(Circuit(1).x(0)), sample_task()), "ref-2")
        assert made.cancel(other) is CancelOutcome.REQUESTED
        assert made.status(other).state is RemoteState.CANCELLED
        with pytest.raises(ServiceRefused, match="404"):
            made.status(type(ref)("nothing/../here"))


def test_a_failure_tells_its_reason() -> None:
    service = IonQService()
    service.after_create = lambda job: (setattr(job, "failure", {"code": "TooManyShots", "message": "no"}), setattr(job, "way", ["failed"]))  # fmt: skip
    with loopback(otherwise=service.answer) as server:
        with ExecutionSession(Circuit(1).x(0), execution_preferences=preferences(server.url)) as session:
            with pytest.raises(SessionError, match="TooManyShots: no"):
                session.sample()


def test_a_job_is_found_again_by_our_reference() -> None:
    service = IonQService(page=2)
    with loopback(otherwise=service.answer) as server:
        made, ref = submitted(server.url)
        program = read_program(HEAD + "input float t;\nqubit q;\nrx(t) q;\n")
        for k in range(2):  # with children, which are older than their parents' answer and have no metadata
            made.submit(made.prepare(program, sample_task(rows=[[0.1], [0.2]])), f"other-{k}")
        assert made.find("ref-1") == ref
        assert made.find("ref-1", datetime(2026, 11, 25, 12, 0, tzinfo=UTC)) == ref
        assert made.find("nobody") is None
        before = len(server.requests)
        assert made.find("nobody", datetime(2026, 11, 26, tzinfo=UTC)) is None
    assert len(server.requests) == before + 1  # all of the first page is older


def test_price_and_dry_run() -> None:
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        made = IonQBackend(preferences(server.url, target="qpu.forte-1"))
        program = read_program(Circuit(2).h(0).cx(0, 1))
        cost = made.cost(made.prepare(program, sample_task(1000)))
        ended = made.dry_run(program, sample_task(1000), sleep=lambda seconds: None)
        with ExecutionSession(ANSATZ, execution_preferences=preferences(server.url, target="qpu.forte-1")) as session:
            batch = [{"t": [0.1, 0.2, 0.3]}, {"t": [0.4, 0.5, 0.6]}]
            assert session.estimate_run_cost(batch).amount == pytest.approx(1000 * (8 * 0.00022 + 4 * 0.000975))
    assert cost is not None
    assert cost.amount == pytest.approx(1000 * (0.00022 + 0.000975))
    assert cost.currency == "USD"
    assert ended.state is RemoteState.COMPLETED
    assert any(json.loads(one.body).get("dry_run") for one in server.requests if one.method == "POST")


# faults -----------------------------------------------------------------------------------------------------------
def test_a_reset_after_the_body_was_sent_is_unknown_and_never_sent_twice() -> None:
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        made = IonQBackend(preferences(server.url))
        prepared = made.prepare(read_program(Circuit(1).x(0)), sample_task())
        server.answers[:] = [reset]
        with pytest.raises(SubmitUnknown):
            made.submit(prepared, "ref-1")
    assert [request.method for request in server.requests] == ["POST"]


@pytest.mark.parametrize("status", [500, 502, 503, 520])
def test_an_error_of_the_service_is_unknown_and_never_sent_twice(status: int) -> None:
    with loopback(reply(status, {"message": "sorry"}), otherwise=IonQService().answer) as server:
        made = IonQBackend(preferences(server.url))
        with pytest.raises(SubmitUnknown):
            made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")
    assert len(server.requests) == 1


def test_what_was_lost_is_found_and_gone_on_with() -> None:
    """The service took the job, and the answer never came."""
    service = IonQService()

    def taken_and_lost(handler: Any) -> None:
        body = server.requests[-1]
        service.answer(body)
        reset(handler)

    with loopback(otherwise=service.answer) as server:
        made = IonQBackend(preferences(server.url))
        program, task = read_program(Circuit(1).x(0)), sample_task()
        server.answers[:] = [taken_and_lost]
        with pytest.raises(SubmitUnknown):
            made.submit(made.prepare(program, task), "ref-1")
        results = remote.run_remotely(made, program, task, client_ref="ref-1", sleep=lambda seconds: None)
    assert results[0].counts == {"1": 100}  # type: ignore[union-attr]
    assert len(service.jobs) == 1


def test_too_many_requests_are_waited_for() -> None:
    service = IonQService()
    with loopback(reply(429, {}, {"Retry-After": "1"}), otherwise=service.answer) as server:
        made = IonQBackend(preferences(server.url))
        ref = made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")
        server.answers[:] = [reply(429, {}, {"Retry-After": "1"}), reply(500, {}), reset]
        assert made.status(ref).state is RemoteState.QUEUED
    assert len(service.jobs) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 413, 422])
def test_a_refusal_is_no_job(status: int) -> None:
    with loopback(reply(status, {"message": "no such thing"})) as server:
        made = IonQBackend(preferences(server.url))
        with pytest.raises(ServiceRefused):
            made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")


@pytest.mark.parametrize("answer", [reply(201, body=b"{"), reply(201, []), reply(201, {"id": 7}), cut_off(201, {"id": "x"})])  # fmt: skip
def test_a_malformed_answer_to_a_submission_is_no_definite_no(answer: Any) -> None:
    with loopback(answer, otherwise=IonQService().answer) as server:
        made = IonQBackend(preferences(server.url))
        with pytest.raises((BadReply, SubmitUnknown)):
            made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")
    assert len(server.requests) == 1


def test_an_unknown_word_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    service = IonQService(way=("submitted", "pondering", "pondering", "completed"))
    with loopback(otherwise=service.answer) as server:
        with ExecutionSession(Circuit(1).x(0), execution_preferences=preferences(server.url)) as session:
            assert session.sample().counts == {"1": 1000}
    assert sum("pondering" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(
    "answer", [reply(200, {}), reply(200, {"shots": 7}), reply(200, {"shots": [{"registers": {"c": [2]}}]}), reply(200, []),
               reply(200, {"shots": [{"registers": {"c": [0, 1]}}]}), reply(200, {"shots": [{"registers": {}}]}),
               reply(200, {"shots": [{"registers": {"c": [[0]]}}]}),
               reply(200, body=b'{"shots": [')]
)  # fmt: skip
def test_malformed_results_are_told_and_kept(answer: Any) -> None:
    service = IonQService(formats=("ionq.result.shots.json.v2",), way=("completed",))
    with loopback(otherwise=service.answer) as server:
        made, ref = submitted(server.url, target="qpu.forte-1")
        program, task = read_program(Circuit(1).x(0)), sample_task()
        prepared = made.prepare(program, task)
        found: list[Any] = []
        server.answers[:] = [service.answer(request("GET", f"/v0.4/jobs/{ref.remote_id}")), answer]
        stored = made.fetch(ref)  # what came is kept, whatever it is
        with pytest.raises(BadReply):
            found += made.decode(stored, prepared, program, task)
    assert not found
    assert isinstance(stored, RawResult)


def request(method: str, path: str) -> Any:
    """A request as the server gets it."""
    return Received(method, path, {"authorization": f"apiKey {KEY}"}, b"")


def test_a_result_that_can_be_read_once() -> None:
    """The second child cannot be read at first; the first is not asked for again."""
    service = IonQService(formats=("ionq.result.shots.json.v2",), way=("completed",))
    service.read_once = True
    with loopback(otherwise=service.answer) as server:
        made = IonQBackend(preferences(server.url, target="qpu.forte-1"))
        program = read_program(HEAD + "input float t;\nqubit q;\nrx(t) q;\n")
        task = sample_task(rows=[[0.0], [math.pi]])
        prepared = made.prepare(program, task)
        ref = made.submit(prepared, "ref-1")
        plain, fails = service.route, iter([True])

        def route(method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
            children = service.jobs[ref.remote_id].children
            if path.startswith(f"/jobs/{children[1]}/artifacts") and next(fails, False):
                return 403, {}
            return plain(method, path, query, body)

        service.route = route  # type: ignore[method-assign]
        with pytest.raises(ServiceRefused):
            made.fetch(ref)
        results = made.decode(made.fetch(ref), prepared, program, task)
    assert [one.counts for one in results] == [{"0": 100}, {"1": 100}]  # type: ignore[union-attr]


def test_no_key_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IONQ_API_KEY")
    with loopback() as server:
        made = IonQBackend(preferences(server.url))
        with pytest.raises(CredentialError, match="IONQ_API_KEY"):
            made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")
    assert not server.requests


def test_a_service_that_is_not_there() -> None:
    made = IonQBackend(preferences(f"http://127.0.0.1:{closed_port()}"))
    assert made.capabilities().num_qubits is None
    with pytest.raises(ServiceUnavailable):
        made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")


def test_an_answer_that_is_no_http() -> None:
    with loopback(raw(b"hello\r\n\r\n")) as server:
        made = IonQBackend(preferences(server.url))
        with pytest.raises((SubmitUnknown, BadReply)):
            made.submit(made.prepare(read_program(Circuit(1)), sample_task()), "ref-1")
    assert len(server.requests) == 1


def test_what_is_printed_about_the_adapter() -> None:
    said = backend.TESTED_AGAINST
    assert "not run on the live service" in said
    assert "October 1, 2026" in said


@pytest.mark.parametrize("format", ["histogram.json.v2", "probabilities.json.v2", "histogram.json.v1", "probabilities.json.v1"])  # fmt: skip
@pytest.mark.parametrize("weight", ["1" + "0" * 400, "1e999", "-1", "true", "null", '"1"', "[]"])
def test_weights_that_are_none(format: str, weight: str) -> None:
    asked = decoding.Asked((0,), (("c", 1),), (0,), 3, 7, False, 1)
    text = f'{{"1": {weight}}}'
    if format.endswith("v2"):
        text = f'{{"{format.split(".")[0]}": {{"registers": {{"c": {text}}}}}}}'
    with pytest.raises(BadReply):
        decoding.read(f"ionq.result.{format}", json.loads(text), asked)


def test_no_shots_are_no_result() -> None:
    asked = decoding.Asked((0,), (("c", 1),), (0,), 3, 7, False, 1)
    with pytest.raises(BadReply, match="holds no shots"):
        decoding.read(decoding.FORMATS[0], {"shots": []}, asked)


def test_predictions_and_prices_beyond_reason_are_left_out() -> None:
    huge = int("1" + "0" * 400)
    answer = {"status": "submitted", "predicted_wait_time_ms": huge, "estimated_total_cost": huge}
    with loopback(otherwise=lambda request: reply(200, answer)) as here:
        one = IonQBackend(preferences(here.url))
        task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 10, 7)
        assert one.status(RemoteRef("x", here.url)).eta_sec is None
        assert one.cost(one.prepare(read_program(Circuit(1).h(0)), task)) is None
