"""Scenarios of crashes, each in a process of its own: ``python crash_driver.py SCENARIO FOLDER`` prints JSON."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

from nemesis import run_worker, spawn

ODD = 0.1 + 0.2


def submit(kind: str = "small") -> Any:
    """A job that is stored and not begun: `small` fits the database, `big` needs a file, `long` takes a while."""
    from qsim import Circuit, Parameter
    from session import ExecutionSession

    angle = Parameter("t")
    if kind == "big":
        circuit, parameters = Circuit(14).h(range(14)), None
    elif kind == "small":
        circuit, parameters = Circuit(3).rx(angle, range(3)), {"t": ODD}
    else:
        circuit = Circuit(12)
        for layer in range(100):
            circuit.rx((layer + 1) * angle, range(12)).cx(layer % 12, (layer + 5) % 12)
        parameters = [{"t": 0.1 * k} for k in range(60 if kind == "long" else 100_000)]
    session = ExecutionSession(circuit, random_seed=7, num_shots=20_000)
    return session._submit(session._sample_task(parameters, None), start=False)


def expected(kind: str) -> str:
    """The result of the same job when nothing disturbs it."""
    before, os.environ["QSIM_STATE_DIR"] = os.environ["QSIM_STATE_DIR"], os.environ["QSIM_STATE_DIR"] + "-calm"
    try:
        return text_of(submit(kind))
    finally:
        os.environ["QSIM_STATE_DIR"] = before


def text_of(job: Any) -> str:
    from session.store.spec import results_text

    job.poll(600)
    return results_text(job._store.result(job.id))


def facts(job: Any) -> dict[str, Any]:
    """What is stored of a job."""
    steps = [str(event.after) for event in job._store.events(job.id)]
    return {
        "status": str(job.status),
        "starts": steps.count("RUNNING"),
        "commits": steps.count("COMPLETED"),
        "integrity": job._store.database.check(),
        "files": sorted(path.name for path in (job._store.folder / "results").iterdir()),
        "error": job.error,
    }


def wait_until(condition: Any, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(condition)
        time.sleep(0.01)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


# scenarios ------------------------------------------------------------------------------------------------------
def faults(folder: Path) -> Any:
    """A process is killed at each place in turn; another one then asks for the result."""
    from session import get_execution_jobs
    from session.store.faults import PLACES

    found = {}
    children = {}
    for place in PLACES:
        os.environ.update(QSIM_STATE_DIR=str(folder / place))

        def life(place: str = place) -> None:
            os.environ["QSIM_FAULT"] = place
            submit("big")
            run_worker(once=True)

        _, status = os.waitpid(spawn(life), 0)
        children[place] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    for place in PLACES:
        os.environ["QSIM_STATE_DIR"] = str(folder / place)
        jobs = get_execution_jobs()
        if not jobs:
            found[place] = {"signal": children[place], "jobs": 0}
            continue
        before, right = str(jobs[0].status), text_of(jobs[0]) == expected("big")
        found[place] = {"signal": children[place], "before": before, "right": right, **facts(jobs[0])}
    return found


def takeover(folder: Path) -> Any:
    """The owner of a running job is killed; two processes ask for the result at the same time."""
    from session.jobs import ExecutionJob

    job = submit("long")
    owner = spawn(run_worker)
    wait_until(lambda: job.status == "RUNNING")
    kill(owner)
    reading, writing = os.pipe()

    def ask() -> None:
        import hashlib

        os.write(writing, hashlib.sha256(text_of(ExecutionJob.from_id(job.id)).encode()).hexdigest().encode() + b"\n")

    for pid in [spawn(ask), spawn(ask)]:
        os.waitpid(pid, 0)
    digests = os.read(reading, 1000).decode().split()
    import hashlib

    return {**facts(job), "digests": digests, "expected": hashlib.sha256(expected("long").encode()).hexdigest()}


def stopped_owner(folder: Path) -> Any:
    """The owner of a running job is stopped for a while: nobody may take over."""
    from session import JobTimeoutError

    job = submit("long")
    owner = spawn(lambda: run_worker(once=True))
    wait_until(lambda: job.status == "RUNNING")
    os.kill(owner, signal.SIGSTOP)
    try:
        job.poll(1.5)
        timed_out = False
    except JobTimeoutError:
        timed_out = True
    meanwhile = str(job.status)
    os.kill(owner, signal.SIGCONT)
    os.waitpid(owner, 0)
    return {"timed_out": timed_out, "meanwhile": meanwhile, **facts(job)}


def poisoned(folder: Path) -> Any:
    """A job that kills each process that runs it is given up after three."""
    job = submit()

    def die() -> None:
        os.environ["QSIM_FAULT"] = "run-done"
        run_worker(once=True)

    signals = [os.WTERMSIG(os.waitpid(spawn(die), 0)[1]) for _ in range(3)]
    return {"signals": signals, "final": str(job.poll(300)), **facts(job)}


def sixteen(folder: Path) -> Any:
    """Sixteen processes make the store at the same moment, and submit a job each."""
    from session.store.jobs import JobStore

    reading, writing = os.pipe()

    def life() -> None:
        os.read(reading, 1)
        submit()

    pids = [spawn(life) for _ in range(16)]
    os.write(writing, b"x" * 16)
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    store = JobStore()
    left = sorted(path.name for path in store.folder.iterdir())
    return {"statuses": statuses, "jobs": len(store.find()), "integrity": store.database.check(), "left": left}


def forked(folder: Path) -> Any:
    """A process that runs a job forks a child that lives on; when the process is killed, the job has no owner."""
    reading, writing = os.pipe()
    job = submit("endless")

    def life() -> None:
        from session.jobs import ExecutionJob

        own = ExecutionJob.from_id(job.id)
        with contextlib.suppress(TimeoutError):
            own.poll(0.5)
        child = spawn(lambda: time.sleep(60))
        os.write(writing, f"{child}\n".encode())
        time.sleep(60)

    pid = spawn(life)
    child = int(os.read(reading, 100))
    before = str(job.status)
    alive_before = job._store.get(job.id).owner is not None
    kill(pid)
    after = str(job.status)
    os.kill(child, signal.SIGKILL)
    return {
        "before": before,
        "alive": alive_before,
        "after": after,
        "cancelled": job.cancel(),
        "final": str(job.status),
    }


def full_disk(folder: Path) -> Any:
    """No file may grow beyond some size: the database, and a file of results."""
    from session import ExecutionJob, StorageFullError

    job = submit("big")
    size = os.path.getsize(job._store.database.path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, hard))
    errors = []
    for action in (lambda: ExecutionJob.from_id(job.id).result(300), lambda: [submit() for _ in range(200)]):
        try:
            action()
            errors.append("")
        except StorageFullError as error:
            errors.append(str(error))
    jobs = len(job._store.find())
    waiting = str(job.status)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = ExecutionJob.from_id(job.id)
    right = text_of(again) == expected("big")
    return {"errors": errors, "jobs": jobs, "waiting": waiting, "right": right, **facts(again)}


def small_database(folder: Path) -> Any:
    """The database is full (SQLITE_FULL)."""
    from session import StorageFullError
    from session.store.jobs import JobStore

    first = submit()
    os.environ["QSIM_STORE_MAX_PAGES"] = "20"
    count, message = 1, ""
    try:
        while count < 1000:
            submit()
            count += 1
    except StorageFullError as error:
        message = str(error)
    stored, integrity = len(JobStore().find()), JobStore().database.check()
    del os.environ["QSIM_STORE_MAX_PAGES"]
    return {"count": count, "stored": stored, "message": message, "first": len(text_of(first)), "integrity": integrity}


def open_umask(folder: Path) -> Any:
    """Nothing is readable by others, whatever the umask."""
    os.umask(0)
    job = submit("big")
    text_of(job)
    store = job._store.folder
    return {
        str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in [store, *store.rglob("*")]
    }


def read_only(folder: Path) -> Any:
    """A store that may be read but not written: results can be had, submitting is an error."""
    import tempfile

    from session import ExecutionJob, SessionError

    text_of(submit())  # so that all modules are imported: the other user may not be able to
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    os.environ["QSIM_STATE_DIR"] = str(home / "state")
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)
        os.setuid(65534)
    done, waiting = submit(), submit()
    text = text_of(done)
    waiting.cancel()
    for path in [*(home / "state").rglob("*"), home / "state"]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        same = text_of(ExecutionJob.from_id(done.id)) == text
        try:
            submit()
            message = ""
        except SessionError as error:
            message = f"{type(error).__name__}: {error}"
    finally:
        for path in [home / "state", *(home / "state").rglob("*")]:
            path.chmod(0o700)
    return {"same": same, "message": message}


def ending(folder: Path) -> Any:
    """The interpreter ends while a job runs: promptly, and the job waits for the next process."""
    job = submit("endless")
    pid = os.fork()
    if pid == 0:
        from session.jobs import ExecutionJob

        own = ExecutionJob.from_id(job.id)
        with contextlib.suppress(TimeoutError):
            own.poll(1.0)
        sys.exit(0)  # with all that an interpreter does at its end
    began = time.monotonic()
    _, status = os.waitpid(pid, 0)
    took = time.monotonic() - began
    after = facts(job)
    job.cancel()
    events = [(event.note or "") for event in job._store.events(job.id)]
    return {"status": status, "seconds": took, "after": after["status"], "notes": events}


if __name__ == "__main__":
    name, place = sys.argv[1], Path(sys.argv[2])
    os.environ.update(QSIM_STATE_DIR=str(place / "state"), QSIM_NUM_THREADS="1")
    assert threading.active_count() == 1
    outcome = globals()[name](place)
    print(json.dumps(outcome))
