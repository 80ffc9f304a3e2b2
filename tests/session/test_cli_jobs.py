"""Jobs on the command line: what each command prints for people and for programs, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qsim import Circuit, Parameter
from session import ExecutionJob, ExecutionSession, Pauli
from session.cli import main

BELL = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0], q[1];\nmeasure q -> c;\n'
UNKNOWN = "123e4567-e89b-42d3-a456-426614174000"

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QSIM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bell.qasm").write_text(BELL)
    return tmp_path / "state"


def submitted(capsys: Capture, *options: str) -> str:
    assert main(["run", "bell.qasm", "--seed", "1", "--submit", *options]) == 0
    out, err = capsys.readouterr()
    assert "qsim worker" in err
    return out.strip()


def printed(capsys: Capture, *command: str, code: int = 0) -> str:
    assert main(list(command)) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_a_stored_job_waits_for_a_worker(capsys: Capture) -> None:
    job_id = submitted(capsys)
    assert ExecutionJob.from_id(job_id).status == "QUEUED"
    out = printed(capsys, "jobs", "list")
    assert out.splitlines()[0].split() == ["id", "status", "what", "submitted", "took", "backend"]
    assert job_id in out and "QUEUED" in out and "2,048 shots" in out
    out = printed(capsys, "worker", "--once")
    assert [line.split()[1:3] for line in out.splitlines()] == [[job_id, "RUNNING"], [job_id, "COMPLETED"]]
    out = printed(capsys, "jobs", "result", job_id)
    assert out.split()[:4] == ["bitstring", "c", "counts", "probability"]
    direct = json.loads(printed(capsys, "run", "bell.qasm", "--seed", "1", "--json"))
    stored = json.loads(printed(capsys, "jobs", "result", job_id, "--json"))
    assert stored["job"] == job_id and stored["result"]["counts"] == direct["counts"]
    out = printed(capsys, "jobs", "show", job_id)
    assert "QUEUED -> RUNNING" in out and "RUNNING -> COMPLETED" in out


def test_json_for_every_command(capsys: Capture) -> None:
    job_id = json.loads(printed(capsys, "run", "bell.qasm", "--submit", "--json"))["job"]
    assert json.loads(printed(capsys, "jobs", "list", "--json"))[0]["id"] == job_id
    shown = json.loads(printed(capsys, "jobs", "show", job_id, "--json"))
    assert (shown["status"], shown["events"][0]["after"], shown["num_shots"]) == ("QUEUED", "QUEUED", 2048)
    steps = [json.loads(line) for line in printed(capsys, "worker", "--idle-exit", "0", "--json").splitlines()]
    assert [step["status"] for step in steps] == ["RUNNING", "COMPLETED"]
    assert json.loads(printed(capsys, "jobs", "cancel", job_id, "--json")) == {
        job_id: {"cancelled": False, "status": "COMPLETED"}
    }
    assert json.loads(printed(capsys, "jobs", "recover", "--json"))["aside"] is None
    found = json.loads(printed(capsys, "jobs", "prune", "--older-than", "0", "--dry-run", "--json"))
    assert (found["jobs"], found["dry_run"]) == ([job_id], True)
    assert json.loads(printed(capsys, "jobs", "prune", "--older-than", "0", "--json"))["jobs"] == [job_id]
    assert json.loads(printed(capsys, "jobs", "list", "--json")) == []


def test_waiting_for_a_result_runs_a_job_that_nobody_runs(capsys: Capture) -> None:
    job_id = submitted(capsys, "--shots", "7")
    assert "7" in printed(capsys, "jobs", "result", job_id, "--top", "1")


def test_cancelling(capsys: Capture) -> None:
    first, second = submitted(capsys), submitted(capsys)
    out = printed(capsys, "jobs", "cancel", first, second)
    assert out.split() == [first, "CANCELLED", second, "CANCELLED"]
    assert "was cancelled" in printed(capsys, "jobs", "result", first, code=1)
    assert printed(capsys, "jobs", "list", "--status", "queued") == ""
    assert len(printed(capsys, "jobs", "list", "--status", "cancelled").splitlines()) == 3


def test_results_of_every_kind_are_shown(capsys: Capture) -> None:
    angle = Parameter("t")
    with ExecutionSession(Circuit(1).rx(angle, 0), random_seed=1, num_shots=100) as session:
        z, one, two = Pauli.Z(0), {"t": 0.0}, [{"t": 0.0}, {"t": 1.0}]
        jobs = [
            session.submit_estimate(z, one),
            session.submit_estimate(z, two),
            session.submit_estimate([z, 2 * z], one),
            session.submit_calculate_state_vector(one),
            session.submit_gradient(z, one),
            session.submit_estimate_cost(lambda state: 1.0, one),
            session.submit_minimize(z, {"t": 1.0}, 5),
        ]
    shown = [printed(capsys, "jobs", "result", job.id) for job in jobs]
    texts = ["standard error", "set 1", "2.0", "+1.000000", "t  ", "1.0", "evaluations"]
    for out, text in zip(shown, texts, strict=True):
        assert text in out
    for job in jobs:
        assert json.loads(printed(capsys, "jobs", "result", job.id, "--json"))["job"] == job.id


def test_a_failed_job_says_why(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    session = ExecutionSession(Circuit(1))

    def broken(task: object) -> None:
        raise ZeroDivisionError("the engine broke")

    monkeypatch.setattr(session._backend, "run", broken)
    job = session.submit_sample()
    job.poll(300)
    assert "failed: the engine broke" in printed(capsys, "jobs", "result", job.id, code=1)
    assert "the engine broke" in printed(capsys, "jobs", "show", job.id)


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (["jobs", "show", "x"], 1, "A job id is the text of a UUID"),
        (["jobs", "result", "../x"], 1, "A job id is the text of a UUID"),
        (["jobs", "show", UNKNOWN], 1, "There is no job"),
        (["jobs", "cancel", UNKNOWN], 1, "There is no job"),
        (["jobs", "cancel"], 2, "Missing argument"),
        (["jobs", "list", "--status", "done"], 1, "There is no status 'DONE'"),
        (["jobs", "list", "--limit", "0"], 2, "--limit"),
        (["jobs", "prune", "--status", "running"], 1, "Only jobs that have ended"),
        (["jobs", "prune", "--older-than", "x"], 2, "--older-than"),
        (["jobs", "recover"], 1, "There is no store"),
        (["worker", "--idle-exit", "-1"], 2, "--idle-exit"),
        (["jobs", "remove"], 2, "No such command"),
    ],
)
def test_wrong_use_is_one_clear_message(capsys: Capture, command: list[str], code: int, text: str) -> None:
    assert text in printed(capsys, *command, code=code)


def test_an_empty_list_is_no_error(capsys: Capture) -> None:
    assert main(["jobs", "list"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "there are no jobs\n")
    assert main(["jobs", "prune"]) == 0


def test_a_time_limit(capsys: Capture) -> None:
    with ExecutionSession(Circuit(20).rx(Parameter("t"), range(20))) as session:
        job = session._submit(session._sample_task([{"t": 0.1 * k} for k in range(100_000)], None), start=False)
    assert "not done after 0.3 s" in printed(capsys, "jobs", "result", job.id, "--timeout", "0.3", code=1)
    assert job.cancel()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_worker_gives_its_job_back_when_it_is_told_to_end(state: Path) -> None:
    with ExecutionSession(Circuit(20).rx(Parameter("t"), range(20))) as session:
        job = session._submit(session._sample_task([{"t": 0.1 * k} for k in range(100_000)], None), start=False)
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "session", "worker", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["status"] == "RUNNING"
        while job.progress == 0:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert json.loads(process.stdout.readline())["status"] == "QUEUED"
        assert process.wait(60) == 0
        assert process.stderr.read() == b""
    assert job.status == "QUEUED"
    assert job._store.events(job.id)[-1].note == "given back"
    assert list((state / "workers").iterdir()) == []
    job.cancel()
