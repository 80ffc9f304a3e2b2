"""The adapter against a server that botocore's model of Braket validates, programs run by AWS's own simulator."""

import contextlib
import json
import socket
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qsim import Circuit, Parameter, Simulator
from session import ExecutionSession, Pauli
from session.backends.braket import BraketBackend
from session.backends.protocol import CancelOutcome, RawResult, RemoteState
from session.backends.remote import run_remotely
from session.errors import BadReply, ServiceRefused, ServiceUnavailable, SessionError, SubmitUnknown
from session.programs import read_program
from session.tasks import Task, TaskKind

pytest.importorskip("boto3")
from braket_server import DEVICE, BraketModel, ContractError, Fault, check_action, simulator_capabilities

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'


def sample_task(shots: int = 100, rows: Any = ((),)) -> Task:
    return Task(TaskKind.SAMPLE, np.array(rows, dtype=float).reshape(len(rows), -1), False, shots, 7)


def run(backend: Any, program: Any, task: Task) -> Any:
    return run_remotely(backend, read_program(program), task, sleep=lambda seconds: None)


def test_a_program_goes_through_boto3_and_comes_back(backend: Any, service: Any) -> None:
    [details] = run(backend, BELL, sample_task(1000))
    assert set(details.counts) == {"00", "11"} and details.num_shots == 1000
    [sent] = service.calls("CreateQuantumTask")
    source = json.loads(sent["action"])["source"]
    assert "include" not in source and "cnot q[0], q[1];" in source
    assert sent["shots"] == 1000 and len(sent["clientToken"]) <= 64


CANARIES = {
    "x on one of three": (Circuit(3).x(2).measure_all(), "100"),
    "partial": (Circuit(3, 1).x(2).measure(2, 0), "1"),
    "partial, others idle": (Circuit(3, 2).x(2).measure(2, 1).measure(0, 0), "10"),
    "crossed": (Circuit(3, 3).x(0).measure([0, 1, 2], [2, 0, 1]), "100"),
}


@pytest.mark.parametrize("name", CANARIES)
def test_bits_are_where_they_belong(backend: Any, name: str) -> None:
    circuit, expected = CANARIES[name]
    [details] = run(backend, circuit, sample_task(20))
    assert details.counts == {expected: 20}


def test_registers_of_unequal_size(backend: Any) -> None:
    text = """OPENQASM 3.0; include "stdgates.inc"; qubit[4] q; bit[3] low; bit high; bit[2] never; x q[3]; x q[1];
    low[2] = measure q[1]; high = measure q[0]; low[0] = measure q[3];"""
    [details] = run(backend, text, sample_task(10))
    assert details.counts == {"000101": 10}
    assert details.parsed_counts[0].state == {"low": 5, "high": 0, "never": 0}


def test_a_status_goes_through_all_words(backend: Any, service: Any) -> None:
    service.course = ("CREATED", "QUEUED", "RUNNING", "COMPLETED")
    program = read_program(BELL)
    ref = backend.submit(backend.prepare(program, sample_task()), "ref-1")
    assert ref.endpoint == "us-east-1" and ref.target == DEVICE
    seen = [backend.status(ref) for _ in range(4)]
    assert [one.raw for one in seen] == ["CREATED", "QUEUED", "RUNNING", "COMPLETED"]
    assert seen[1].queue_position == 7 and seen[1].state is RemoteState.QUEUED


def test_batches_and_estimates_are_tasks_of_their_own(backend: Any, service: Any) -> None:
    text = 'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit[2] q; ry(a) q[0]; cx q[0], q[1];'
    program = read_program(text)
    values = [[0.3], [1.9]]
    operator = Pauli.Z(0) * Pauli.Z(1) + 0.5 * Pauli.X(0) * Pauli.X(1) - 0.25 * Pauli.Z(0)
    task = Task(TaskKind.ESTIMATE, np.array(values), True, 4000, 3, (operator,))
    found = run_remotely(backend, program, task, sleep=lambda seconds: None)
    assert len(service.calls("CreateQuantumTask")) == 4
    assert len({one["clientToken"] for one in service.calls("CreateQuantumTask")}) == 4
    for result, (a,) in zip(found, values, strict=True):
        exact = Simulator().expectation(program.circuit, operator, {"a": a})
        assert abs(result.value - exact) < 5 * result.standard_error + 1e-9


def test_a_session_runs_on_it(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("session.backends.remote.FIRST_WAIT", 0.01)
    with ExecutionSession(BELL, backend=backend, num_shots=200) as session:
        assert set(session.sample().counts) == {"00", "11"}


# submit safety --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "kind, error",
    [
        ("error", "InternalServiceException"),
        ("error", "ThrottlingException"),
        ("reset", ""),
        ("reset-before", ""),
        ("garbage", ""),
    ],
)
def test_a_submission_that_is_not_answered_is_sent_again_with_its_token(
    backend: Any, service: Any, kind: str, error: str
) -> None:
    service.faults = [Fault("CreateQuantumTask", kind, 1 if kind == "garbage" else 2, error)]
    program, task = read_program(BELL), sample_task()
    prepared = backend.prepare(program, task)
    if kind == "garbage":  # boto3 does not repeat what was answered: the caller may, with the same reference
        with pytest.raises(SubmitUnknown):
            backend.submit(prepared, "ref-2")
    ref = backend.submit(prepared, "ref-2")
    assert len(service.tasks) == 1 and ref.remote_id in service.tasks
    sent = service.calls("CreateQuantumTask")
    assert len(sent) == (2 if kind == "garbage" else 3) and len({one["clientToken"] for one in sent}) == 1


def test_a_submission_that_is_never_answered_is_unknown_and_found_by_its_tag(backend: Any, service: Any) -> None:
    service.faults = [Fault("CreateQuantumTask", "reset", 5)]
    prepared = backend.prepare(read_program(BELL), sample_task())
    with pytest.raises(SubmitUnknown):
        backend.submit(prepared, "ref-3")
    for k in range(3):  # others, so that the search goes over pages
        backend.submit(prepared, f"other-{k}")
    assert backend.find("ref-3").remote_id in service.tasks
    assert backend.find("ref-4") is None
    assert len([one for one in service.tasks.values() if one["given"]["clientToken"] == "ref-3-0"]) == 1


def test_throttling_that_lasts_says_when_to_come_back(backend: Any, service: Any) -> None:
    service.faults = [Fault("CreateQuantumTask", "error", 9, "ThrottlingException", {"Retry-After": "7"})]
    with pytest.raises(ServiceUnavailable, match="ThrottlingException") as caught:
        backend.submit(backend.prepare(read_program(BELL), sample_task()), "ref-5")
    assert caught.value.retry_after_sec == 7 and caught.value.status == 429 and not service.tasks


@pytest.mark.parametrize(
    "error", ["ValidationException", "AccessDeniedException", "ServiceQuotaExceededException", "DeviceOfflineException"]
)
def test_a_refusal_is_final_and_the_tasks_before_it_are_stopped(backend: Any, service: Any, error: str) -> None:
    service.course = ("QUEUED",)
    program = read_program('OPENQASM 3.0; include "stdgates.inc"; input float a; qubit q; ry(a) q;')
    prepared = backend.prepare(program, Task(TaskKind.SAMPLE, np.array([[0.1], [0.2]]), True, 10, 1))
    backend.submit(backend.prepare(program, sample_task(10, [[0.3]])), "earlier")
    real = service._CreateQuantumTask

    def second_is_refused(given: dict[str, Any]) -> Any:
        service.faults = [Fault("CreateQuantumTask", "error", 1, error)]
        return real(given)

    service._CreateQuantumTask = second_is_refused
    with pytest.raises(ServiceRefused, match=error):
        backend.submit(prepared, "ref-6")
    states = [task["status"] for task in service.tasks.values()]
    assert states == ["CREATED", "CANCELLING"]


def test_a_service_that_is_too_busy_midway_is_asked_again_with_the_same_tokens(backend: Any, service: Any) -> None:
    program = read_program('OPENQASM 3.0; include "stdgates.inc"; input float a; qubit q; ry(a) q;')
    prepared = backend.prepare(program, Task(TaskKind.SAMPLE, np.array([[0.1], [0.2]]), True, 10, 1))
    real = service._CreateQuantumTask

    def second_is_throttled(given: dict[str, Any]) -> Any:
        service._CreateQuantumTask = real
        service.faults = [Fault("CreateQuantumTask", "error", 5, "ThrottlingException", {"Retry-After": "3"})]
        return real(given)

    service._CreateQuantumTask = second_is_throttled
    with pytest.raises(SubmitUnknown, match="1 of 2 tasks") as caught:
        backend.submit(prepared, "ref-11")
    assert caught.value.retry_after_sec == 3
    ref = backend.submit(prepared, "ref-11")
    assert len(service.tasks) == 2 and set(ref.remote_id.split()) == set(service.tasks)


# results --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda body: body[: len(body) // 2], "no JSON"),
        (lambda body: b"\xff\xfe", "no JSON"),
        (lambda body: b"[" * 100000, "no JSON"),
        (lambda body: b"[1, 2]", "not an object"),
        (lambda body: b"{}", "neither"),
        (lambda body: None, "not in S3"),
        (lambda body: body.replace(b'"measuredQubits": [0, 1]', b'"measuredQubits": [0, 5]'), "qubit 1"),
        (lambda body: body.replace(b'"measuredQubits": [0, 1]', b'"measuredQubits": [0]'), "columns"),
        (lambda body: body.replace(b"[[", b"[[7, 7], ["), "0 and 1"),
        (lambda body: body.replace(b"[[", b"[[0], ["), "lengths"),
        (lambda body: body.replace(b"gate_model_task_result", b"pickled_v4"), "pickled_v4"),
    ],
)  # fmt: skip
def test_a_result_that_is_none_is_an_error_that_says_so(backend: Any, service: Any, spoil: Any, said: str) -> None:
    service.spoil = spoil
    with pytest.raises(BadReply, match=said):
        run(backend, BELL, sample_task())


def test_probabilities_alone_become_counts(backend: Any, service: Any) -> None:
    def only_probabilities(body: bytes) -> bytes:
        data = json.loads(body)
        data["measurements"], data["measurementProbabilities"] = None, {"00": 0.3, "01": 0.3333, "11": 0.3667}
        return json.dumps(data).encode()

    service.spoil = only_probabilities
    [details] = run(backend, BELL, sample_task(10))
    assert details.counts == {"11": 4, "00": 3, "10": 3}  # Braket's first bit is the first qubit


def test_unknown_fields_and_columns_do_no_harm(backend: Any, service: Any) -> None:
    def more(body: bytes) -> bytes:
        data = json.loads(body)
        data["measurements"] = [[1, *row] for row in data["measurements"]]
        data["measuredQubits"], data["novelty"] = [9, *data["measuredQubits"]], {"a": 1}
        return json.dumps(data).encode()

    service.spoil = more
    [details] = run(backend, BELL, sample_task(50))
    assert set(details.counts) == {"00", "11"}


def test_a_result_that_is_too_large_is_not_read(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("session.backends.braket.client.MOST_RESULT_BYTES", 200)
    with pytest.raises(BadReply, match="at most 200"):
        run(backend, BELL, sample_task())


@pytest.mark.parametrize(
    "head",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"measure',
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
    ],
)
def test_a_result_that_is_cut_off_on_the_way_is_not_taken(backend: Any, service: Any, head: bytes) -> None:
    """By an S3 that ends its replies too early, or announces more than anybody wants."""
    program, task = read_program(BELL), sample_task()
    prepared = backend.prepare(program, task)
    ref = backend.submit(prepared, "ref-12")
    while not backend.status(ref).state.is_final:
        pass
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer_all, args=(listener, head), daemon=True).start()
        broken = replace(backend.options, s3_endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}")
        other = BraketBackend(broken)
        other._client._clients["braket"] = backend._client._client("braket")
        with pytest.raises(BadReply):
            other.decode(other.fetch(ref), prepared, program, task)


def _answer_all(listener: socket.socket, content: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(content)


@pytest.mark.parametrize("name", ["bell", "ghz", "ansatz"])
def test_distributions_are_the_engine_s(backend: Any, name: str) -> None:
    """AWS's simulator with its seed, five standard deviations for each outcome."""
    a = [Parameter(f"a{k}") for k in range(4)]
    ansatz = (
        Circuit(3).ry(a[0], 0).ry(a[1], 1).cx(0, 1).rz(a[2], 1).cx(1, 2).rx(a[3], 2).crz(0.7, 0, 2).ccx(0, 1, 2).h(1)
    )
    circuit, values = {
        "bell": (Circuit(2).h(0).cx(0, 1), []),
        "ghz": (Circuit(5).h(0).cx(0, 1).cx(1, 2).cx(2, 3).cx(3, 4), []),
        "ansatz": (ansatz, [0.4, 1.3, -0.8, 2.1]),
    }[name]
    shots = 4000
    [details] = run(backend, circuit, sample_task(shots, [values]))
    expected = Simulator().probabilities(circuit, {f"a{k}": v for k, v in enumerate(values)})
    seen = np.array([details.counts.get(format(k, f"0{circuit.num_qubits}b"), 0) for k in range(len(expected))])
    assert np.all(np.abs(seen - shots * expected) <= 5 * np.sqrt(shots * expected * (1 - expected)) + 1e-9)


def test_an_unknown_word_of_status_is_not_final(backend: Any, service: Any) -> None:
    service.faults = [Fault("GetQuantumTask", "word")]
    ref = backend.submit(backend.prepare(read_program(BELL), sample_task()), "ref-7")
    status = backend.status(ref)
    assert status.raw == "DREAMING" and not status.state.is_final


def test_reads_are_tried_again_and_then_given_up(backend: Any, service: Any) -> None:
    ref = backend.submit(backend.prepare(read_program(BELL), sample_task()), "ref-8")
    service.faults = [Fault("GetQuantumTask", "error", 3)]
    assert backend.status(ref).raw == "QUEUED"
    service.faults = [Fault("GetQuantumTask", "error", 9)]
    with pytest.raises(ServiceUnavailable):
        backend.status(ref)


def test_a_failed_task_says_why(backend: Any, service: Any) -> None:
    service.course = ("RUNNING", "FAILED")
    with pytest.raises(SessionError, match="the ion was lost"):
        run(backend, BELL, sample_task())


def test_cancelling(backend: Any, service: Any) -> None:
    service.course = ("QUEUED", "QUEUED")
    program = read_program(BELL)
    ref = backend.submit(backend.prepare(program, sample_task()), "ref-9")
    assert backend.cancel(ref) is CancelOutcome.REQUESTED
    assert backend.status(ref).state is RemoteState.CANCELLED
    assert backend.cancel(ref) is CancelOutcome.ALREADY_FINAL


def test_results_are_decoded_again_from_what_was_stored(backend: Any) -> None:
    program, task = read_program(BELL), sample_task(30)
    prepared = backend.prepare(program, task)
    ref = backend.submit(prepared, "ref-10")
    while not backend.status(ref).state.is_final:
        pass
    raw = backend.fetch(ref)
    again = RawResult(bytes(raw.body), raw.media_type)
    assert backend.decode(raw, prepared, program, task) == backend.decode(again, prepared, program, task)


# refusals -------------------------------------------------------------------------------------------------------
def test_what_the_device_does_not_take_is_refused_before_anything_is_sent(backend: Any, service: Any) -> None:
    for text, said in (
        ("qubit q; bit c; x q; c = measure q; \nreset q;", r"reset \(line 2\)"),
        ("qubit q; bit c; c = measure q; \n\nif (c) { x q; }", r"if \(line 3\)"),
        ("qubit[40] q; x q[0];", "34 qubits"),
        ("qubit q;\nx q; delay[10ns] q;", r"delay: 10ns \(line 2\)"),
    ):
        program = 'OPENQASM 3.0; include "stdgates.inc"; ' + text
        with (
            ExecutionSession(program, backend=backend, num_shots=10) as session,
            pytest.raises(SessionError, match=said),
        ):
            session.sample()
    with (
        ExecutionSession(BELL, backend=backend, num_shots=100_001) as session,
        pytest.raises(SessionError, match="100,000"),
    ):
        session.sample()
    service.device_status = "RETIRED"
    backend._device = None
    with ExecutionSession(BELL, backend=backend, num_shots=10) as session, pytest.raises(SessionError, match="RETIRED"):
        session.sample()
    assert not service.calls("CreateQuantumTask")


def test_the_price_is_the_device_s(backend: Any) -> None:
    backend.capabilities()
    prepared = backend.prepare(read_program(BELL), sample_task(200))
    cost = backend.cost(prepared)
    assert (cost.amount, cost.currency) == (2.0, "USD") and cost.basis.startswith("200 shots at $0.01")


# the server is held to the vendor's model -----------------------------------------------------------------------
def good_request() -> dict[str, Any]:
    action = json.dumps(
        {
            "braketSchemaHeader": {"name": "braket.ir.openqasm.program", "version": "1"},
            "source": "OPENQASM 3.0; qubit[1] q; h q[0];",
        }
    )
    return {
        "clientToken": "t", "deviceArn": DEVICE, "shots": 1, "outputS3Bucket": "abc", "outputS3KeyPrefix": "p", "action": action,
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"clientToken": "x" * 65}, {"clientToken": ""}, {"clientToken": None}, {"shots": -1}, {"shots": "1"}, {"shots": True},
        {"outputS3Bucket": "ab"}, {"outputS3Bucket": "a" * 64}, {"outputS3KeyPrefix": ""}, {"deviceArn": "a" * 257},
        {"action": None}, {"action": {}}, {"tags": {"a": 1}}, {"novelty": 1}, {"deviceParameters": ""},
    ],
)  # fmt: skip
def test_mutated_requests_fail_the_model(change: dict[str, Any]) -> None:
    model = BraketModel()
    model.check("CreateQuantumTaskRequest", good_request())
    with pytest.raises(ContractError):
        model.check("CreateQuantumTaskRequest", {**good_request(), **change})


@pytest.mark.parametrize(
    "source",
    [
        'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; h q[0];', "OPENQASM 3.0; qubit[2] q; cx q[0], q[1];",
        "OPENQASM 3.0; qubit[2] q; ctrl @ x q[0], q[1];", "OPENQASM 3.0; gate a q { h q; } qubit[1] q; a q[0];",
        "OPENQASM 3.0; qubit[1] q; reset q[0];", "OPENQASM 3.0; qubit[1] q; h q[0]", "",
    ],
)  # fmt: skip
def test_mutated_programs_fail(source: str) -> None:
    pytest.importorskip("braket.ir.openqasm")
    head = {"name": "braket.ir.openqasm.program", "version": "1"}
    check_action(good_request()["action"], simulator_capabilities())
    with pytest.raises(ContractError):
        check_action(json.dumps({"braketSchemaHeader": head, "source": source or 7}), simulator_capabilities())


def test_boto3_itself_is_answered_by_the_server(service: Any, one_client: Any) -> None:
    client = one_client._client("braket")
    with pytest.raises(client.exceptions.ValidationException, match="clientToken"):
        client.create_quantum_task(**{**good_request(), "clientToken": "x" * 65})
    arn = client.create_quantum_task(**{**good_request(), "outputS3Bucket": "amazon-braket-qsim-tests"})[
        "quantumTaskArn"
    ]
    assert client.get_quantum_task(quantumTaskArn=arn)["status"] == "QUEUED"
    assert client.get_device(deviceArn=DEVICE)["deviceType"] == "SIMULATOR"
    with pytest.raises(client.exceptions.ValidationException, match="another task"):
        client.create_quantum_task(**{**good_request(), "shots": 2, "outputS3Bucket": "amazon-braket-qsim-tests"})
