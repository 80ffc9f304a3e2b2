"""Jobs on Braket as a user has them: durable, gone on with by another process, killed at each step, cancelled, priced."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from qsim import Circuit, Parameter
from session import ExecutionJob, ExecutionPreferences, ExecutionSession, JobStatus
from session.errors import JobFailedError, SessionError
from session.store.jobs import JobStore

pytest.importorskip("boto3")
from braket_server import DEVICE, Fault

from conftest import BUCKET

ROOT = Path(__file__).parents[4]
PROFILES = """
[braket]
adapter = "braket"
endpoint = "{}"
target = "sv1"
options = {{ bucket = "{}", region = "us-east-1", s3_endpoint = "{}" }}
"""
CHILD = """
from session import ExecutionPreferences, ExecutionSession, remote_runs
from session.backends import remote
from qsim import Circuit
remote.FIRST_WAIT = remote_runs._SLICE = 0.02
with ExecutionSession(Circuit(3, 3).x(1).measure(range(3), range(3)), backend="braket", num_shots=50) as session:
    job = session.submit_sample()
    print(job.id, flush=True)
    job.poll(60)
"""


@pytest.fixture(autouse=True)
def profile(service: Any, s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of profiles that names the servers, a store of its own, and short waits."""
    from session import remote_runs
    from session.backends import remote

    config = tmp_path / "config"
    config.mkdir(mode=0o700)
    file = config / "profiles.toml"
    file.write_text(PROFILES.format(service.url, BUCKET, s3_url))
    file.chmod(0o600)
    monkeypatch.setenv("QSIM_CONFIG_DIR", str(config))
    monkeypatch.setenv("QSIM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(remote_runs, "_SLICE", 0.01)


def until(holds: Any) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def session(circuit: Circuit, **options: Any) -> ExecutionSession:
    preferences = ExecutionPreferences(backend="braket", num_shots=50, backend_options=options)
    return ExecutionSession(circuit, execution_preferences=preferences)


def test_a_job_runs_and_is_known_to_another_process(service: Any) -> None:
    with session(Circuit(2).ry(Parameter("a"), 0).cx(0, 1)) as one:
        job = one.submit_sample([{"a": 0.0}, {"a": 3.141592653589793}])
        assert [details.counts for details in job.result(60)] == [{"00": 50}, {"11": 50}]
    again = ExecutionJob.from_id(job.id)
    assert again.status is JobStatus.COMPLETED and (again.provider, again.backend_name) == ("braket", "braket:sv1")
    assert len(service.tasks) == 2


@pytest.mark.parametrize(
    "place",
    [
        "sent",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("intent-after-commit", "ref-after-commit", "fetched")),
    ],
)
def test_a_kill_at_any_step_sends_nothing_twice(service: Any, place: str) -> None:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env={**os.environ, "PYTHONPATH": path, "QSIM_FAULT": place},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    (record,) = JobStore().find()
    assert ExecutionJob.from_id(record.id).result(60).counts == {"010": 50}
    assert len(service.tasks) == 1
    assert len({one["clientToken"] for one in service.calls("CreateQuantumTask")}) == 1


def test_an_answer_that_never_comes_is_asked_for_again_with_the_same_token(service: Any) -> None:
    service.faults = [Fault("CreateQuantumTask", "reset", 6)]
    with session(Circuit(1).x(0)) as one:
        assert one.submit_sample().result(60).counts == {"1": 50}
    assert len(service.tasks) == 1


def test_faults_while_asking_are_waited_out(service: Any) -> None:
    service.faults = [
        Fault("GetQuantumTask", "error", 6),
        Fault("GetQuantumTask", "word"),
        Fault("GetQuantumTask", "garbage"),
    ]
    with session(Circuit(1).x(0)) as one:
        assert one.submit_sample().result(60).counts == {"1": 50}


def test_a_refused_job_is_failed_with_aws_s_reason(service: Any) -> None:
    service.faults = [Fault("CreateQuantumTask", "error", 1, "ServiceQuotaExceededException")]
    with session(Circuit(1).x(0)) as one:
        job = one.submit_sample()
        with pytest.raises(SessionError, match="ServiceQuotaExceededException"):
            job.result(60)
    assert job.status is JobStatus.FAILED and not service.tasks


def test_a_task_that_the_service_fails_says_why(service: Any) -> None:
    service.course = ("RUNNING", "FAILED")
    with session(Circuit(1).x(0)) as one, pytest.raises(JobFailedError, match="the ion was lost"):
        one.submit_sample().result(60)


def test_cancelling_reaches_the_service(service: Any) -> None:
    service.course = ("QUEUED",) * 1000
    with session(Circuit(1).x(0)) as one:
        job = one.submit_sample()
        until(lambda: service.tasks)
        assert job.cancel()
        assert job.poll(60) is JobStatus.CANCELLED
    until(lambda: service.calls("CancelQuantumTask"))


def test_what_a_run_costs_is_told_before_it(service: Any) -> None:
    with session(Circuit(1).x(0)) as one:
        cost = one.estimate_run_cost()
    assert (cost.amount, cost.currency) == (0.5, "USD") and not service.tasks


def test_a_job_says_where_its_task_is(service: Any) -> None:
    service.course = ("QUEUED",) * 1000
    with session(Circuit(1).x(0)) as one:
        job = one.submit_sample()
        until(lambda: service.tasks)
        job.cancel()
    assert job.remote_tasks[0].endpoint == service.url and job.remote_tasks[0].target == DEVICE
