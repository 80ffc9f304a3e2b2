"""Jobs: their states, waiting, wrong questions, cancelling, and life beyond the session."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from qsim import Circuit, Parameter
from session import (
    ExecutionJob,
    ExecutionSession,
    JobCancelledError,
    JobError,
    JobStatus,
    JobTimeoutError,
    Pauli,
)


@pytest.fixture
def session() -> Iterator[ExecutionSession]:
    with ExecutionSession(Circuit(1).rx(Parameter("t"), 0), num_shots=10, random_seed=1) as opened:
        yield opened


@pytest.fixture
def gate(session: ExecutionSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Runs of the session's backend wait until this is set."""
    event = threading.Event()
    run = session._backend.run

    def waiting(task: Any) -> Any:
        assert event.wait(300)
        return run(task)

    monkeypatch.setattr(session._backend, "run", waiting)
    yield event
    event.set()


def test_single_and_batch_results(session: ExecutionSession) -> None:
    one, two = {"t": 0.0}, [{"t": 0.0}, {"t": 0.0}]
    z = Pauli.Z(0)
    assert session.submit_sample(one).get_sample_result().counts == {"0": 10}
    assert [r.counts for r in session.submit_sample(two).get_batch_sample_result()] == [{"0": 10}] * 2
    assert session.submit_estimate(z, one).get_estimate_result().value == 1
    assert [r.value for r in session.submit_observe(z, two).get_batch_estimate_result()] == [1, 1]
    assert session.submit_sample(one, num_shots=3).result().num_shots == 3


def test_a_job_tells_what_it_is(session: ExecutionSession) -> None:
    job = session.submit_sample({"t": 0.0})
    assert job.poll(300) is JobStatus.COMPLETED
    assert len(job.id) == 36
    assert job.num_shots == 10
    assert job.error is None
    assert job.backend_name == "simulator_statevector"
    assert job.start_time is not None and job.end_time is not None
    assert job.start_time.tzinfo is UTC
    assert timedelta(0) <= job.end_time - job.start_time < timedelta(minutes=1)
    assert repr(job) == f"<ExecutionJob {job.id}: sample, COMPLETED>"
    assert session.submit_estimate(Pauli.Z(0), {"t": 0.0}).num_shots is None


def test_submitting_returns_at_once_and_states_follow(session: ExecutionSession, gate: threading.Event) -> None:
    first, second = session.submit_sample({"t": 0.0}), session.submit_sample({"t": 0.0})
    deadline = time.monotonic() + 10
    while first.status is JobStatus.QUEUED and time.monotonic() < deadline:
        time.sleep(0.001)
    assert (first.status, second.status) == (JobStatus.RUNNING, JobStatus.QUEUED)
    assert second.start_time is None and first.end_time is None
    with pytest.raises(JobTimeoutError, match=r"not done after 0\.01 s"):
        second.result(timeout_sec=0.01)
    with pytest.raises(TimeoutError):
        first.poll(0)
    gate.set()
    assert second.poll(300) is JobStatus.COMPLETED
    assert first.status is JobStatus.COMPLETED


def test_jobs_are_cancelled_before_while_and_after_they_run(session: ExecutionSession, gate: threading.Event) -> None:
    running, queued = session.submit_sample({"t": 0.0}), session.submit_sample({"t": 0.0})
    while running.status is JobStatus.QUEUED:
        time.sleep(0.001)
    assert queued.cancel() and queued.cancel()
    assert queued.poll() is JobStatus.CANCELLED
    assert queued.start_time is None and queued.end_time is not None
    with pytest.raises(JobCancelledError, match="cancelled"):
        queued.result()
    assert running.cancel() and running.cancel()
    assert running.status is JobStatus.CANCELLING
    gate.set()
    assert running.poll(300) is JobStatus.CANCELLED
    with pytest.raises(JobCancelledError, match="cancelled"):
        running.result()
    done = session.submit_sample({"t": 0.0})
    assert done.result(300).num_shots == 10
    assert not done.cancel()
    assert done.status is JobStatus.COMPLETED


def test_cancelling_interrupts_a_long_run() -> None:
    circuit, angle = Circuit(14), Parameter("t")
    for layer in range(200):
        for k in range(14):
            circuit.rx((layer + 1) * angle, k)
        circuit.cx(0, 9).cx(5, 12)
    with ExecutionSession(circuit, num_shots=10) as session:
        job = session.submit_sample([{"t": float(k)} for k in range(20000)])
    deadline = time.monotonic() + 300
    while job.progress == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 0 < job.progress < 1
    assert job.cancel()
    assert job.poll(300) is JobStatus.CANCELLED


def test_an_error_of_the_run_is_raised_by_result(session: ExecutionSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(task: Any) -> Any:
        raise ZeroDivisionError("the engine broke")

    monkeypatch.setattr(session._backend, "run", broken)
    job = session.submit_sample({"t": 0.0})
    assert job.poll(300) is JobStatus.FAILED
    assert job.error == "the engine broke"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="the engine broke"):
            job.result()
    monkeypatch.undo()
    assert session.submit_sample({"t": 0.0}).result(300).num_shots == 10


@pytest.mark.parametrize("asked", ["sample", "batch_sample", "estimate", "batch_estimate"])
def test_the_wrong_getter_names_the_right_one(session: ExecutionSession, asked: str) -> None:
    jobs = {
        "sample": session.submit_sample({"t": 0.0}),
        "batch_sample": session.submit_sample([{"t": 0.0}]),
        "estimate": session.submit_estimate(Pauli.Z(0), {"t": 0.0}),
        "batch_estimate": session.submit_estimate(Pauli.Z(0), [{"t": 0.0}]),
    }
    for made, job in jobs.items():
        if made != asked:
            with pytest.raises(JobError, match=rf"comes from get_{made}_result\(\), not get_{asked}_result\(\)"):
                getattr(job, f"get_{asked}_result")()


@pytest.mark.parametrize("timeout", [-1, "1", float("nan"), True])
def test_wrong_timeouts(session: ExecutionSession, timeout: Any) -> None:
    job = session.submit_sample({"t": 0.0})
    with pytest.raises(JobError, match="timeout_sec"):
        job.result(timeout)


def test_infinite_and_huge_timeouts_wait(session: ExecutionSession) -> None:
    job = session.submit_sample({"t": 0.0})
    assert job.poll(float("inf")) is job.poll(1e300) is JobStatus.COMPLETED


def test_leaving_the_block_lets_jobs_finish(session: ExecutionSession, gate: threading.Event) -> None:
    with session:
        jobs = [session.submit_sample({"t": 0.0}) for _ in range(3)]
    assert all(not job.status.is_final for job in jobs)
    gate.set()
    assert [job.result(300).num_shots for job in jobs] == [10, 10, 10]


def test_many_jobs_from_many_threads(session: ExecutionSession) -> None:
    results: list[Any] = []

    def work() -> None:
        for _ in range(5):
            results.append(session.submit_sample({"t": 1.0}).result(300).seed)
            results.append(session.sample({"t": 1.0}).seed)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 40


def test_what_goes_wrong_around_a_run_is_told_and_the_next_job_gets_its_turn(
    session: ExecutionSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QSIM_JOB_ATTEMPTS", "many")
    job = session.submit_sample({"t": 0.0})
    with pytest.raises(JobError, match="QSIM_JOB_ATTEMPTS"):
        job.result(300)
    monkeypatch.delenv("QSIM_JOB_ATTEMPTS")
    assert session.submit_sample({"t": 0.0}).result(300).num_shots == 10
    assert job.result(300).num_shots == 10


def test_a_job_that_cannot_start_here_is_stored(session: ExecutionSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*args: Any, **options: Any) -> Any:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("session.runner._runner", None)
        patch.setattr("threading.Thread.start", no_thread)
        job = session.submit_sample({"t": 0.0})
        assert job.status is JobStatus.QUEUED
        with pytest.raises(JobError, match="no thread"):
            job.result(300)
    assert job.result(300).num_shots == 10


def test_the_example_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example, notes = Path(__file__).parents[2] / "examples" / "long_jobs.py", tmp_path / "notes.json"
    monkeypatch.setattr("sys.argv", ["long_jobs.py", str(notes)])
    runpy.run_path(str(example))
    whole = capsys.readouterr().out
    assert "after 12 jobs" in whole
    steps = json.loads(notes.read_text())
    del steps[5:], steps[4]["energies"]  # as if it had been killed after the fifth was submitted
    notes.write_text(json.dumps(steps))
    runpy.run_path(str(example))
    assert capsys.readouterr().out == whole
    assert json.loads(notes.read_text())[4]["job"] == steps[4]["job"]


def test_the_interpreter_exits_cleanly_and_another_process_finishes_its_jobs() -> None:
    code = (
        "from qsim import Circuit\nfrom session import ExecutionSession\n"
        "circuit = Circuit(4).h(range(4)).measure_all()\n"
        "for k in range(20000): circuit.h(k % 4)\n"
        "session = ExecutionSession(circuit, random_seed=5)\n"
        "jobs = [session.submit_sample([{}] * 500) for _ in range(3)]\n"
        "print(*[job.id for job in jobs])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    jobs = [ExecutionJob.from_id(word) for word in done.stdout.split()]
    assert len(jobs) == 3
    assert jobs[2].status is JobStatus.QUEUED
    assert jobs[2].cancel() and jobs[1].cancel() and jobs[0].cancel() in (True, False)
