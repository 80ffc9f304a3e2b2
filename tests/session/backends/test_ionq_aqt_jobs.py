"""Durable jobs on IonQ and AQT: a process is killed while its job is sent, and another goes on with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aqt_service import TOKEN, AQTService
from ionq_service import KEY, IonQService
from loopback import loopback

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from session import ExecutionJob
from session.backends import remote
from session.backends.profiles import FILE
from session.errors import JobError, SubmitUnknown
from session.store.records import JobStatus
from session.testing import find_canary

HERE = Path(__file__).parent
CHILD = """
import sys
from session import ExecutionPreferences, ExecutionSession
from session.backends import remote
remote.FIRST_WAIT = 0.02
program = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[2] a; bit b; x q[2]; a[1] = measure q[2]; b = measure q[0];'
preferences = ExecutionPreferences(backend=sys.argv[1], num_shots=50, backend_options={"profile": "elsewhere"})
with ExecutionSession(program, execution_preferences=preferences) as session:
    job = session.submit_sample()
    print(job.id, flush=True)
    job.poll(60)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store and a configuration of their own, with keys in the environment."""
    monkeypatch.setenv("QSIM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("QSIM_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("IONQ_API_KEY", KEY)
    monkeypatch.setenv("AQT_TOKEN", TOKEN)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(remote, "LONGEST_WAIT", 0.05)
    yield tmp_path


def profile(place: Path, adapter: str, url: str, target: str = "") -> None:
    """A profile in the user's file, as after a restart there is nothing else."""
    path = place / FILE
    path.write_text(f'[elsewhere]\nadapter = "{adapter}"\nendpoint = "{url}"\ntarget = "{target}"\n')
    path.chmod(0o600)


def killed_while_it_sends(service: Any, adapter: str) -> ExecutionJob:
    """The service takes a job and kills who sent it, before its answer is there."""
    path = os.pathsep.join([str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", CHILD, adapter]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    service.after_create = lambda job: os.kill(process.pid, signal.SIGKILL)
    out, error = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, error
    service.after_create = None
    return ExecutionJob.from_id(out.strip())


def test_ionqs_job_is_found_again_and_sent_once(place: Path) -> None:
    service = IonQService()
    with loopback(otherwise=service.answer) as server:
        profile(place, "ionq", server.url + "/v0.4")
        job = killed_while_it_sends(service, "ionq")
        details = job.result(60)
    assert details.counts == {"010": 50}
    assert len(service.jobs) == 1
    assert sum(request.method == "POST" for request in server.requests) == 1
    assert find_canary(KEY, folders=[place]) == []
    assert job.remote_tasks[0].ref is not None


def test_aqts_job_is_unknown_and_never_sent_again(place: Path) -> None:
    service = AQTService()
    with loopback(otherwise=service.answer) as server:
        profile(place, "aqt", server.url + "/api/v1", "lab/ibex")
        job = killed_while_it_sends(service, "aqt")
        assert job.poll(60) is JobStatus.SUBMIT_UNKNOWN
        with pytest.raises(SubmitUnknown):
            job.result(1)
        (identity,) = service.jobs
        assert service.jobs[identity].about["label"] == job.remote_tasks[0].client_ref  # by which the user finds it
        with pytest.raises(JobError, match="knows no task 'mistyped'"):
            job.resolve("mistyped")
        assert job.status is JobStatus.SUBMIT_UNKNOWN
        job.resolve(identity)
        assert job.result(60).counts == {"010": 50}
    assert sum(request.method == "POST" for request in server.requests) == 1
    assert find_canary(TOKEN, folders=[place]) == []
