"""Jobs of services elsewhere: sent once whatever happens, found again, never lost and never leaking the key."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from loopback import cut_off, hang, raw, reply, reset
from toy import KEY, ToyBackend, ToyService, install, toy_service
from toy_fixtures import state, toy_vendor  # noqa: F401  (fixtures)

from qsim import Circuit, Parameter, Pauli
from session import ExecutionJob, ExecutionPreferences, ExecutionSession
from session.backends.profiles import Profile, define_profile, forget_profile
from session.cli import main
from session.errors import (
    CredentialError,
    JobCancelledError,
    JobError,
    JobFailedError,
    JobTimeoutError,
    ProfileError,
    ServiceRefused,
    ServiceUnavailable,
    SessionError,
    SubmitUnknown,
)
from session.store.faults import REMOTE_PLACES
from session.store.jobs import JobStore
from session.store.records import JobStatus
from session.store.recovery import recover
from session.testing import find_canary

HERE = Path(__file__).parent


@pytest.fixture
def toy(toy_vendor: Path) -> Iterator[ToyService]:
    with toy_service() as service:
        install(toy_vendor, service.server.url)
        yield service


def session(program: Any = None, **options: Any) -> ExecutionSession:
    program = Circuit(3, 3).x(1).measure(range(3), range(3)) if program is None else program
    preferences = ExecutionPreferences(backend="toy", num_shots=50, backend_options=options)
    return ExecutionSession(program, execution_preferences=preferences)


def status_of(job: ExecutionJob, wanted: JobStatus, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while job.status is not wanted and time.monotonic() < end:
        time.sleep(0.01)
    assert job.status is wanted


def posts(service: ToyService) -> int:
    return sum(call.startswith("POST") for call in service.calls)


# the session ----------------------------------------------------------------------------------------------------
def test_the_same_session_code_runs_there(toy: ToyService) -> None:
    theta = Parameter("theta")
    with session(Circuit(2).ry(theta, 0).cx(0, 1)) as one:
        assert one.sample({"theta": 0.0}).counts == {"00": 50}
        several = one.sample([{"theta": 0.0}, {"theta": 3.141592653589793}])
        assert [found.counts for found in several] == [{"00": 50}, {"11": 50}]
        assert one.estimate(Pauli.Z(0) * Pauli.Z(1), {"theta": 1.0}).value == 1.0
        job = one.submit_sample({"theta": 0.0})
        assert asyncio.run(job.result_async(20)).counts == {"00": 50}
        assert (job.provider, job.backend_name) == ("Toy Vendor", "toy")
        assert one.estimate_run_cost({"theta": 0.0}).amount == 0.01
        assert job.remote_tasks[0].word == "done" and job.remote_tasks[0].target == "toy-1"
    assert posts(toy) == 4


def test_a_wait_that_is_over_cancels_nothing_and_the_queue_is_told(toy: ToyService, capsys: Any) -> None:
    toy.words = ["waiting"]
    with session() as one:
        job = one.submit_sample()
        with pytest.raises(JobTimeoutError):
            job.result(0.3)
        assert job.status is JobStatus.RUNNING and job.queue_position == 3
        assert (job.remote_tasks[0].word, job.remote_tasks[0].eta_sec) == ("waiting", 90.0)
        assert main(["jobs", "show", job.id]) == 0
        assert "QUEUED (waiting), number 3 in the queue, about 90 s" in capsys.readouterr().out
        next(iter(toy.jobs.values()))["words"] = ["done"]
        assert job.result(10).counts == {"010": 50}
    assert posts(toy) == 1


def test_a_local_job_does_not_wait_for_a_remote_one(toy: ToyService) -> None:
    toy.words = ["waiting"]
    with session() as there, ExecutionSession(Circuit(1).x(0), num_shots=3) as here:
        job = there.submit_sample()
        assert here.submit_sample().result(60).counts == {"1": 3}
        assert job.cancel()
        status_of(job, JobStatus.CANCELLED)


def test_a_minimisation_is_many_tasks_and_each_is_sent_once(toy: ToyService) -> None:
    theta = Parameter("theta")
    with session(Circuit(1).ry(theta, 0)) as one:
        job = one.submit_minimize(Pauli.Z(0), {"theta": 1.0}, 6)
        found = job.result(60)
        assert len(job.remote_tasks) == posts(toy) > 3
        assert len(job.decode_again()) == 1 and job.decode_again()[0].optimal_cost == found.optimal_cost
    assert len({one.client_ref for one in job.remote_tasks}) == len(job.remote_tasks)


# faults ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", [reply(429, headers={"Retry-After": "0"}), reply(503), reset, cut_off(200, {}),
                                   reply(200, body=b"{"), reply(200, {"status": "thinking", "message": "", "position": None}),
                                   raw(b"no http")])  # fmt: skip
def test_faults_while_asking_are_waited_out(toy: ToyService, fault: Any) -> None:
    toy.faults = [("GET", r"/jobs/toy-[^/]*$", fault)] * 3
    with session() as one:
        assert one.sample().counts == {"010": 50}
    assert posts(toy) == 1


@pytest.mark.parametrize("fault", [reset, reply(500), reply(503), cut_off(201, {"id": "x"}), reply(201, body=b"{"),
                                   reply(201, {"no": "id"}), hang(1.0)])  # fmt: skip
def test_a_lost_answer_to_a_submission_is_found_by_search(toy: ToyService, fault: Any) -> None:
    toy.after = [("POST", fault)]
    with session() as one:
        job = one.submit_sample()
        assert job.result(20).counts == {"010": 50}
    assert posts(toy) == 1 and len(toy.jobs) == 1


def test_a_lost_answer_with_a_token_is_sent_again_and_done_once(toy: ToyService) -> None:
    toy.tokens, toy.after = True, [("POST", reset), ("POST", reply(500))]
    with session(idempotency="token") as one:
        assert one.sample().counts == {"010": 50}
    assert posts(toy) == 3 and len(toy.jobs) == 1


def test_a_lost_answer_that_nothing_can_settle_is_told_and_never_sent_again(toy: ToyService, capsys: Any) -> None:
    toy.after = [("POST", reset)]
    with session(idempotency="none") as one:
        job = one.submit_sample()
        assert job.poll(10) is JobStatus.SUBMIT_UNKNOWN
        with pytest.raises(SubmitUnknown, match="qsim jobs resolve .* --remote-id"):
            job.result(10)
        assert ExecutionJob.from_id(job.id).poll(1) is JobStatus.SUBMIT_UNKNOWN
        assert posts(toy) == 1
        with pytest.raises(JobError, match="no way to look"):
            job.resolve()
        (remote_id,) = toy.jobs
        assert main(["jobs", "resolve", job.id, "--remote-id", remote_id]) == 0
        assert job.result(10).counts == {"010": 50}
    assert posts(toy) == 1


def test_what_is_not_there_after_the_grace_is_unknown_and_sent_again_when_told(toy: ToyService) -> None:
    toy.faults = [("POST", "/jobs", reset)]  # it never arrives
    with session(grace_sec=0.2) as one:
        job = one.submit_sample()
        assert job.poll(10) is JobStatus.SUBMIT_UNKNOWN
        assert "was searched for" in str(job.error) and posts(toy) == 1
        job.resolve()
        assert job.poll(10) is JobStatus.SUBMIT_UNKNOWN and posts(toy) == 1
        job.resolve(send_again=True)
        assert job.result(10).counts == {"010": 50}
        with pytest.raises(JobError, match="only one that is SUBMIT_UNKNOWN"):
            job.resolve()
    assert posts(toy) == 2 and len(toy.jobs) == 1


def test_what_is_refused_has_failed_and_says_why(toy: ToyService) -> None:
    toy.faults = [("POST", "/jobs", reply(422, {"message": "no such gate"}))]
    with session() as one:
        job = one.submit_sample()
        with pytest.raises(ServiceRefused, match="no such gate"):
            job.result(10)
        assert job.status is JobStatus.FAILED and job.remote_tasks[0].word == "refused"


def test_a_service_that_is_too_busy_is_waited_for(toy: ToyService) -> None:
    toy.faults = [("POST", "/jobs", reply(429, headers={"Retry-After": "0"}))] * 12  # more than the tries of one call
    with session(idempotency="none") as one:
        job = one.submit_sample()
        assert job.result(20).counts == {"010": 50}
    assert posts(toy) == 13 and len(toy.jobs) == 1


def test_what_waits_for_a_busy_service_was_not_sent_and_a_kill_changes_nothing(
    toy: ToyService, toy_vendor: Path
) -> None:
    toy.faults = [("POST", "/jobs", reply(429))] * 1000
    process = child(toy_vendor, "idempotency", "none")
    assert process.stdout is not None
    job = ExecutionJob.from_id(process.stdout.readline().strip())
    end = time.monotonic() + 10
    while not (job.remote_tasks and job.remote_tasks[0].word == "not sent") and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)  # not in the middle of a try, as the word says
    process.kill()
    process.communicate()
    toy.faults.clear()
    if job.poll(20) is JobStatus.SUBMIT_UNKNOWN:  # it had begun another try
        job.resolve(send_again=True)
    assert job.result(20).counts == {"010": 50} and len(toy.jobs) == 1


def test_a_service_that_is_silent_is_told_of(toy: ToyService) -> None:
    toy.words = ["busy"]
    with session() as one:
        job = one.submit_sample()
        status_of_remote(job)
        toy.faults = [("GET", "/jobs", reply(503))] * 10_000
        end = time.monotonic() + 10
        while "no answer since" not in job.remote_tasks[0].message and time.monotonic() < end:
            time.sleep(0.01)
        assert "no answer since" in job.remote_tasks[0].message and job.status is JobStatus.RUNNING
        toy.faults.clear()
        for job_there in toy.jobs.values():
            job_there["words"] = ["done"]
        assert job.result(20).counts == {"010": 50} and job.remote_tasks[0].message == "as it went"


def test_what_never_left_has_failed_and_may_be_submitted_again(toy: ToyService, toy_vendor: Path) -> None:
    install(toy_vendor, "http://127.0.0.1:1")
    with session() as one, pytest.raises(ServiceUnavailable, match="nothing was sent"):
        one.sample()


def test_a_task_that_the_service_gives_up_has_failed(toy: ToyService) -> None:
    toy.words = ["busy", "broken"]
    with session() as one, pytest.raises(JobFailedError, match="as FAILED: as it went"):
        one.sample()


def test_a_result_that_is_given_once_is_stored_before_it_is_decoded(
    toy: ToyService, monkeypatch: Any, capfdbinary: Any
) -> None:
    toy.once = True

    def broken(*args: Any) -> Any:
        raise KeyError("measurements")

    with session() as one:
        with monkeypatch.context() as patch:
            patch.setattr(ToyBackend, "decode", broken)
            job = one.submit_sample()
            with pytest.raises(KeyError, match="measurements"):
                job.result(10)
        assert job.status is JobStatus.FAILED
        assert json.loads(job.raw_replies()[0].body)["circuits"] == [[[[0, 1, 0], 50]]]
        assert job.decode_again()[0].counts == {"010": 50}
        capfdbinary.readouterr()
        assert main(["jobs", "raw", job.id]) == 0
        assert capfdbinary.readouterr().out == job.raw_replies()[0].body
        assert main(["jobs", "raw", job.id, "--part", "2"]) == 1


def test_what_a_damaged_store_may_have_sent_is_not_sent_again(toy: ToyService, toy_vendor: Path, state: Path) -> None:
    job = after_a_kill(toy, toy_vendor, "ref-after-commit")
    with sqlite3.connect(state / "jobs.db") as connection:
        connection.execute("DELETE FROM submission")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event_job'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    data = bytearray((state / "jobs.db").read_bytes())
    data[(page - 1) * size : page * size] = b"\xff" * size  # an index, so that the tables can be read
    (state / "jobs.db").write_bytes(data)
    recovered = recover(state)
    assert recovered.aside is not None
    (one,) = JobStore().find()
    assert one.status is JobStatus.FAILED
    with pytest.raises(SubmitUnknown, match="Look there"):
        ExecutionJob.from_id(job.id).result(5)
    assert posts(toy) == 1


def test_a_large_reply_is_a_file_and_damage_is_noticed(toy: ToyService, state: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("session.store.submissions.INLINE_BYTES", 10)
    with session() as one:
        job = one.submit_sample()
        assert job.result(10).counts == {"010": 50}
        (file,) = (state / "replies").iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        file.write_bytes(b"{}")
        with pytest.raises(SessionError, match="SHA-256"):
            job.raw_replies()
        assert main(["jobs", "prune", "--older-than", "0"]) == 0
        assert not file.exists()


def test_the_command_line_stores_a_job_for_a_worker(toy: ToyService, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "x.qasm").write_text("OPENQASM 3.0;\nqubit[2] q;\nbit[2] c;\nU(pi, 0, pi) q[1];\nc = measure q;\n")
    command = ["run", str(tmp_path / "x.qasm"), "--backend", "toy", "--shots", "7", "--backend-option"]
    assert main([*command, "target=toy-2", "--submit"]) == 0
    job_id = capsys.readouterr().out.strip()
    assert posts(toy) == 0
    assert main(["worker", "--once"]) == 0
    capsys.readouterr()
    assert main(["jobs", "show", job_id, "--json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert (task["target"], task["word"], task["reply_is_stored"], task["profile"]) == ("toy-2", "done", True, "toy")
    assert main(["jobs", "result", job_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["counts"] == {"10": 7}
    assert main([*command, "token_x=1", "--submit"]) == 1
    assert "called like a credential" in capsys.readouterr().err
    assert posts(toy) == 1


# cancelling -----------------------------------------------------------------------------------------------------
def test_cancelling_tells_the_service(toy: ToyService) -> None:
    toy.words = ["busy"]
    with session() as one:
        job = one.submit_sample()
        status_of_remote(job)
        assert job.cancel()
        status_of(job, JobStatus.CANCELLED)
        with pytest.raises(JobCancelledError):
            job.result(1)
    assert next(iter(toy.jobs.values()))["words"] == ["stopped"]
    (note,) = [e.note for e in JobStore().events(job.id) if e.after is JobStatus.CANCELLED]
    assert "was told to cancel task toy-" in note


def status_of_remote(job: ExecutionJob) -> None:
    end = time.monotonic() + 10
    while not (job.remote_tasks and job.remote_tasks[0].ref) and time.monotonic() < end:
        time.sleep(0.01)


def test_the_command_that_cancels_waits_for_the_service_and_says_what_it_said(
    toy: ToyService, toy_vendor: Path, capsys: Any
) -> None:
    toy.words = ["busy"]
    job = after_a_kill(toy, toy_vendor, "ref-after-commit")  # nobody watches it
    assert main(["jobs", "cancel", job.id]) == 0
    assert "CANCELLED; toy was told to cancel task toy-" in capsys.readouterr().out
    assert next(iter(toy.jobs.values()))["words"] == ["stopped"]


def test_cancelling_without_a_credential_says_that_the_task_may_run(
    toy: ToyService, toy_vendor: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = after_a_kill(toy, toy_vendor, "ref-after-commit")
    monkeypatch.delenv("TOY_KEY")
    assert main(["jobs", "cancel", job.id, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)[job.id]
    assert told["status"] == "CANCELLED" and "may run" in told["service"] and "CredentialError" in told["service"]


def test_cancelling_what_is_unknown_looks_for_it(toy: ToyService) -> None:
    toy.words, toy.after = ["busy"], [("POST", reset)]
    toy.faults = [("GET", "ref=", reply(200, {"jobs": []}))]
    with session(grace_sec=0.0) as one:
        job = one.submit_sample()
        assert job.poll(10) is JobStatus.SUBMIT_UNKNOWN
        assert job.cancel()
        status_of(job, JobStatus.CANCELLED)
    assert next(iter(toy.jobs.values()))["words"] == ["stopped"]


# other processes ------------------------------------------------------------------------------------------------
CHILD = """
import sys
from qsim import Circuit
from session import ExecutionPreferences, ExecutionSession
from session.backends import remote
remote.FIRST_WAIT = 0.02
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
is_object = options.pop("as_object", None)
preferences = ExecutionPreferences(backend="toy", num_shots=50, backend_options=options)
backend = None
if is_object:
    from toy import ToyBackend
    backend = ToyBackend(preferences)
program = Circuit(3, 3).x(1).measure(range(3), range(3))
with ExecutionSession(program, backend, execution_preferences=preferences) as one:
    job = one.submit_sample()
    print(job.id, flush=True)
    job.poll(30)
"""


def child(toy_vendor: Path, *options: str, fault: str = "", code: str = CHILD) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(HERE.parents[2]), str(HERE), str(toy_vendor), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "QSIM_FAULT": fault}
    command = [sys.executable, "-c", code, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def killed(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, error
    return out.strip()


def after_a_kill(toy: ToyService, toy_vendor: Path, place: str, *options: str) -> ExecutionJob:
    killed(child(toy_vendor, *options, fault=place))
    (record,) = JobStore().find()
    return ExecutionJob.from_id(record.id)


@pytest.mark.parametrize("place", ["intent-after-commit", "fetched"])  # the slow tests have all places
def test_a_kill_at_any_step_sends_nothing_twice(toy: ToyService, toy_vendor: Path, place: str) -> None:
    job = after_a_kill(toy, toy_vendor, place, "grace_sec", "0.5")
    assert job.status is JobStatus.QUEUED
    if place == "intent-after-commit":  # it never left, which nobody can know
        assert job.poll(20) is JobStatus.SUBMIT_UNKNOWN and toy.jobs == {}
        job.resolve(send_again=True)
    assert job.result(20).counts == {"010": 50}
    assert len(toy.jobs) == 1 and posts(toy) == 1


@pytest.mark.slow
@pytest.mark.parametrize("place", REMOTE_PLACES)
@pytest.mark.parametrize("idempotency", ["token", "search", "none"])
def test_a_kill_at_every_step_for_every_kind(toy: ToyService, toy_vendor: Path, place: str, idempotency: str) -> None:
    toy.tokens = idempotency == "token"
    job = after_a_kill(toy, toy_vendor, place, "grace_sec", "0.5", "idempotency", idempotency)
    at_submit = place in ("intent-after-commit", "sent", "ref-before-commit")
    if at_submit and (idempotency == "none" or (idempotency == "search" and place == "intent-after-commit")):
        assert job.poll(20) is JobStatus.SUBMIT_UNKNOWN
        job.resolve(*toy.jobs) if toy.jobs else job.resolve(send_again=True)
    assert job.result(20).counts == {"010": 50}
    assert len(toy.jobs) == 1


def test_a_kill_while_the_service_answers(toy: ToyService, toy_vendor: Path) -> None:
    """The service has the task, the process dies before its answer arrives: only the intent is in the store."""
    process = child(toy_vendor)
    toy.on_submit = lambda: os.kill(process.pid, signal.SIGKILL)
    job_id = killed(process)
    toy.on_submit = lambda: None
    job = ExecutionJob.from_id(job_id)
    assert job.remote_tasks[0].ref is None
    assert job.result(20).counts == {"010": 50}
    assert posts(toy) == 1


@pytest.mark.slow
@pytest.mark.parametrize("place", ["intent-after-commit", "sent", "ref-after-commit"])
def test_three_processes_that_ask_for_an_orphan_send_it_once(toy: ToyService, toy_vendor: Path, place: str) -> None:
    toy.tokens = True
    job = after_a_kill(toy, toy_vendor, place, "idempotency", "token")
    before = posts(toy)
    code = "import sys; from session import ExecutionJob; print(ExecutionJob.from_id(sys.argv[1]).result(60).counts)"
    asking = [child(toy_vendor, job.id, code=code) for _ in range(3)]
    assert [one.communicate(timeout=90)[0] for one in asking] == ["{'010': 50}\n"] * 3
    assert len(toy.jobs) == 1 and posts(toy) - before == (place != "ref-after-commit")


@pytest.mark.slow
@pytest.mark.parametrize("idempotency", ["token", "search"])
def test_kills_at_random_moments(toy: ToyService, toy_vendor: Path, idempotency: str) -> None:
    """Twenty processes die wherever they are; each of their jobs is one task there, and has its result."""
    toy.tokens = idempotency == "token"
    random = Random(idempotency)
    for _ in range(20):
        process = child(toy_vendor, "grace_sec", "0.5", "idempotency", idempotency)
        assert process.stdout is not None
        if process.stdout.readline():
            time.sleep(random.random() * 0.15)
        process.kill()
        process.communicate()
    jobs = [ExecutionJob.from_id(record.id) for record in JobStore().find()]
    assert len(jobs) == 20
    for job in jobs:
        if job.poll(30) is JobStatus.SUBMIT_UNKNOWN:
            assert job.remote_tasks[0].client_ref not in [one["ref"] for one in toy.jobs.values()]
            job.resolve(send_again=True)
        assert job.result(30).counts == {"010": 50}
    assert len(toy.jobs) == 20


def test_a_worker_goes_on_with_what_another_process_sent(toy: ToyService, toy_vendor: Path, capsys: Any) -> None:
    toy.words = ["busy"]
    process = child(toy_vendor)
    assert process.stdout is not None
    job = ExecutionJob.from_id(process.stdout.readline().strip())
    status_of_remote(job)
    process.kill()
    process.communicate()
    for one in toy.jobs.values():
        one["words"] = ["done"]
    assert main(["worker", "--once"]) == 0
    assert job.status is JobStatus.COMPLETED and job.result(1).counts == {"010": 50}
    assert posts(toy) == 1


# profiles and credentials -----------------------------------------------------------------------------------------
def orphan(toy: ToyService, toy_vendor: Path) -> ExecutionJob:
    job = after_a_kill(toy, toy_vendor, "ref-after-commit")
    assert job.status is JobStatus.QUEUED
    return job


def test_a_job_is_not_gone_on_with_where_the_profile_leads_elsewhere(toy: ToyService, toy_vendor: Path) -> None:
    job = orphan(toy, toy_vendor)
    with toy_service() as other:
        install(toy_vendor, other.server.url)
        with pytest.raises(ProfileError, match="set the profile back"):
            job.result(10)
        assert other.calls == [] and job.status is JobStatus.QUEUED
    install(toy_vendor, toy.server.url)
    assert job.result(10).counts == {"010": 50}


def test_a_credential_that_is_missing_later_is_asked_for_and_the_job_goes_on(
    toy: ToyService, toy_vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = orphan(toy, toy_vendor)
    with monkeypatch.context() as patch:
        patch.delenv("TOY_KEY")
        with pytest.raises(CredentialError, match="TOY_KEY"):
            job.result(10)
        patch.setenv("TOY_KEY", "another-key-that-is-wrong")
        with pytest.raises(ServiceRefused, match="the credential is wrong"):
            job.result(10)
        assert job.status is JobStatus.QUEUED
    assert job.result(10).counts == {"010": 50}


def test_a_backend_object_and_a_credential_that_a_function_gives(toy: ToyService, monkeypatch: Any) -> None:
    monkeypatch.delenv("TOY_KEY")
    define_profile(Profile("mine", "toy", f"{toy.server.url}/v1"), lambda: KEY)
    try:
        backend = ToyBackend(ExecutionPreferences(backend_options={"profile": "mine"}))
        with ExecutionSession(Circuit(1).x(0), backend, num_shots=5) as one:
            job = one.submit_sample()
            assert job.result(10).counts == {"1": 5}
            assert ExecutionJob.from_id(job.id, backend=backend).decode_again()[0].counts == {"1": 5}
    finally:
        forget_profile("mine")


def test_a_job_of_an_object_is_gone_on_with_by_an_equal_one(toy: ToyService, toy_vendor: Path) -> None:
    job = after_a_kill(toy, toy_vendor, "ref-after-commit", "as_object", "1")
    for _ in range(2):
        with pytest.raises(JobError, match="Only the process that submitted"):
            job.result(10)
    assert job.status is JobStatus.QUEUED  # it is not given up: the service has it
    backend = ToyBackend(ExecutionPreferences())
    assert ExecutionJob.from_id(job.id, backend=backend).result(10).counts == {"010": 50}
    assert posts(toy) == 1


def test_the_key_is_nowhere(toy: ToyService, state: Path, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    """After success, failure, cancelling and lost answers: in no file of the store, log, message, repr or traceback."""
    caplog.set_level(logging.DEBUG)
    texts, errors = [], list[BaseException]()
    for fault in (None, reply(401, {"message": KEY}), reply(500, {"message": KEY}), reset):
        toy.after = [("POST", fault)] if fault is not None else []
        with session(idempotency="none") as one:
            job = one.submit_sample()
            try:
                texts.append(repr(job.result(10)))
            except SessionError as error:
                errors.append(error)
                texts.append(str(job.error))
            texts += [repr(job), repr(job.remote_tasks), repr(one), repr(vars(one._backend.backend))]
            assert main(["jobs", "show", job.id]) == 0
            assert main(["backends", "toy"]) == 0
    assert len(errors) == 3 and "httpcore2" in caplog.text
    texts += [caplog.text, *capfd.readouterr()]
    assert find_canary(KEY, folders=[state], texts=texts, errors=errors, own_files=[__file__]) == []
    assert find_canary("toy-1", folders=[state], texts=[]) != []  # the search finds what is there


@pytest.mark.parametrize("step", ["submit", "status", "fetch", "decode", "cancel"])
def test_an_adapter_whose_errors_hold_the_key_does_not_put_it_into_the_store(
    toy: ToyService, state: Path, step: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    toy.words = ["waiting"] if step == "cancel" else toy.words
    with session(idempotency="none") as one:

        def fails(*arguments: Any, **named: Any) -> Any:
            raise RuntimeError(f"half \ud83d of a request with {KEY}")

        monkeypatch.setattr(type(one._backend.backend), step, fails)
        job = one.submit_sample()
        if step == "cancel":
            status_of(job, JobStatus.RUNNING)
            job.cancel()
        with contextlib.suppress(SessionError, RuntimeError):
            job.result(10)
        texts = [str(job.error), repr(job.remote_tasks), caplog.text]
        assert main(["jobs", "show", job.id]) == 0
        monkeypatch.undo()
    assert find_canary(KEY, folders=[state], texts=texts, own_files=[__file__]) == []
