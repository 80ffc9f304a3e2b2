"""Tasks of more circuits than a service takes at once are sent as several, and survive a restart like any other."""

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

from qsim import Circuit, Parameter
from session import ExecutionJob, ExecutionPreferences, ExecutionSession, Pauli
from session.backends import remote
from session.backends.ionq import payload
from session.backends.profiles import FILE
from session.errors import BatchTooLarge, JobFailedError
from session.preparation import TargetError

HERE = Path(__file__).parent
#: Every third set turns the first qubit round, so that bits tell the order of sets.
CHILD = """
import math, sys
from qsim import Circuit, Parameter
from session import ExecutionPreferences, ExecutionSession
from session.backends import remote
remote.FIRST_WAIT = 0.02
program = Circuit(2).rx(Parameter("t"), 1).measure_all()
preferences = ExecutionPreferences(backend="aqt", num_shots=5, backend_options={"profile": "here"})
with ExecutionSession(program, execution_preferences=preferences) as session:
    job = session.submit_sample([{"t": math.pi * (k % 3 == 0)} for k in range(60)])
    print(job.id, flush=True)
    job.poll(60)
"""
ROWS = [{"t": 3.141592653589793 * (k % 3 == 0)} for k in range(60)]
COUNTS = [{"10" if k % 3 == 0 else "00": 5} for k in range(60)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("QSIM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("QSIM_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("IONQ_API_KEY", KEY)
    monkeypatch.setenv("AQT_TOKEN", TOKEN)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(remote, "LONGEST_WAIT", 0.05)
    yield tmp_path


def session_on(place: Path, adapter: str, url: str, program: Any, shots: int = 5, **more: Any) -> ExecutionSession:
    path = place / FILE
    version = "/v0.4" if adapter == "ionq" else "/api/v1"
    target = "qpu.forte-1" if adapter == "ionq" else "lab/ibex"
    path.write_text(f'[here]\nadapter = "{adapter}"\nendpoint = "{url}{version}"\ntarget = "{target}"\n')
    path.chmod(0o600)
    options = {"profile": "here", **more}
    preferences = ExecutionPreferences(backend=adapter, num_shots=shots, random_seed=3, backend_options=options)
    return ExecutionSession(program, execution_preferences=preferences)


def turned() -> Circuit:
    return Circuit(2).rx(Parameter("t"), 1).measure_all()


def test_more_sets_than_aqt_takes_in_a_job(place: Path) -> None:
    service = AQTService()
    with loopback(otherwise=service.answer) as server, session_on(place, "aqt", server.url, turned()) as session:
        assert [one.counts for one in session.sample(ROWS)] == COUNTS
        assert [len(job.result) for job in service.jobs.values()] == [30, 30]
        energies = session.estimate(Pauli.Z(1), ROWS)
        assert [round(one.value) for one in energies] == [-1 if k % 3 == 0 else 1 for k in range(60)]
        job = session.submit_sample(ROWS)
        assert [one.counts for one in job.result(60)] == COUNTS
        assert len(job.remote_tasks) == 2 and len(service.jobs) == 6
        assert [one.counts for one in ExecutionJob.from_id(job.id).decode_again()] == COUNTS


def test_one_set_alone_that_is_too_much_is_refused_with_a_reason(place: Path) -> None:
    service = AQTService()
    with (
        loopback(otherwise=service.answer) as server,
        session_on(place, "aqt", server.url, turned(), 99_999) as session,
        pytest.raises(BatchTooLarge, match="a parameter set of this task has 51"),
    ):
        session.estimate(3 * Pauli.Z(0) + Pauli.X(0), [{"t": 0.5}, {"t": 0.7}])
    assert not service.jobs


def test_what_the_target_cannot_do_is_refused_before_the_first_part(place: Path) -> None:
    service = AQTService()
    text = 'OPENQASM 3.0; include "stdgates.inc"; input float t; qubit q; bit[2] c;\nrx(t) q;\nc[0] = measure q;\nx q;\nc[1] = measure q;'
    with (
        loopback(otherwise=service.answer) as server,
        session_on(place, "aqt", server.url, text) as session,
        pytest.raises(TargetError, match="line 4"),
    ):
        session.sample(ROWS)
    assert not service.jobs


def test_ionqs_limits_of_circuits_and_gates(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = IonQService()
    with loopback(otherwise=service.answer) as server, session_on(place, "ionq", server.url, turned()) as session:
        monkeypatch.setattr(payload, "MAX_CIRCUITS", 25)
        assert [one.counts for one in session.sample(ROWS)] == COUNTS
        parents = [job for job in service.jobs.values() if job.parent is None]
        assert [len(job.children) for job in parents] == [15] * 4
        whole = session.estimate_run_cost(ROWS[:20])
        monkeypatch.setattr(payload, "MAX_GATES", 9)
        assert [one.counts for one in session.sample(ROWS[:20])] == COUNTS[:20]
        parts = session.estimate_run_cost(ROWS[:20])
        assert parts.amount == pytest.approx(whole.amount) and "4 tasks" in parts.basis


def test_sets_of_a_program_that_measures_midway_are_jobs_of_their_own(place: Path) -> None:
    text = 'OPENQASM 3.0; include "stdgates.inc"; input float t; qubit q; bit[2] c; rx(t) q; c[0] = measure q; x q; c[1] = measure q;'
    service = IonQService()
    with (
        loopback(otherwise=service.answer) as server,
        session_on(place, "ionq", server.url, text, mid_circuit=True) as session,
    ):
        assert [one.counts for one in session.sample(ROWS[:3])] == [{"01": 5}, {"10": 5}, {"10": 5}]
    assert len(service.jobs) == 3


@pytest.mark.parametrize("fault", ["reply-after-commit:1", "intent-before-commit:2", "ref-after-commit:2", "fetched:2"])
def test_a_restart_goes_on_with_the_part_that_it_came_to(place: Path, fault: str) -> None:
    service = AQTService()
    with loopback(otherwise=service.answer) as server:
        session_on(place, "aqt", server.url, turned()).close()
        path = os.pathsep.join([str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "QSIM_FAULT": fault}
        done = subprocess.run(
            [sys.executable, "-c", CHILD], capture_output=True, text=True, env=environment, timeout=60
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        job = ExecutionJob.from_id(done.stdout.strip())
        assert [one.counts for one in job.result(60)] == COUNTS
    assert len(service.jobs) == 2


def test_what_was_sent_is_gone_on_with_where_limits_have_changed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = IonQService()
    with loopback(otherwise=service.answer) as server, session_on(place, "ionq", server.url, turned()) as session:
        monkeypatch.setattr(payload, "MAX_CIRCUITS", 15)
        job = session.submit_sample(ROWS[:30])
        job.result(60)
        monkeypatch.setattr(payload, "MAX_CIRCUITS", 5000)
        assert [one.counts for one in ExecutionJob.from_id(job.id).decode_again()] == COUNTS[:30]


def test_another_task_is_never_taken_for_the_one_that_was_sent(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from session.store.submissions import Submissions

    service = AQTService()
    with loopback(otherwise=service.answer) as server, session_on(place, "aqt", server.url, turned()) as session:
        job = session.submit_sample(ROWS[:4])
        job.result(60)
        real = Submissions.get

        def get(self: Submissions, part: int) -> Any:
            from dataclasses import replace

            one = real(self, part)
            return None if one is None else replace(one, task_sha256="0" * 64)

        monkeypatch.setattr(Submissions, "get", get)
        with pytest.raises(JobFailedError, match="another task"):
            ExecutionJob.from_id(job.id).decode_again()
    assert len(service.jobs) == 1
