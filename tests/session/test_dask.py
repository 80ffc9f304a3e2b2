"""A real cluster of processes on this machine: sweeps with workers killed, versions that differ, schedulers that vanish."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_operations import chain

import qsim
from qsim import Circuit, ParameterArray, Pauli, Simulator
from qsim.errors import ExecutorError, RunCancelled
from qsim.pool import controlled
from session import ExecutionSession
from session.errors import JobCancelledError

distributed = pytest.importorskip("distributed")

pytestmark = [pytest.mark.slow, pytest.mark.dask, pytest.mark.filterwarnings("ignore")]
ROOT = Path(qsim.__file__).resolve().parents[1]
POINTS = 10_000


def ansatz(n: int, layers: int) -> Circuit:
    angles = ParameterArray("p", n * layers)
    circuit = Circuit(n)
    for k in range(layers):
        for q in range(n):
            circuit.ry(angles[k * n + q], q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit


OPERATOR = sum((Pauli.Z(q) * Pauli.X(q + 1) for q in range(1, 11)), Pauli.Z(0))


@contextmanager
def cluster(workers: int, threads: int = 1, **settings: Any) -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            **settings,
        ) as made,
        distributed.Client(made) as client,
    ):
        yield client


def kill_one(client: Any, after: float, killed: list[int]) -> threading.Timer:
    pid = sorted(client.run(os.getpid).values())[0]

    def kill() -> None:
        killed.append(pid)
        os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(after, kill)
    timer.start()
    return timer


# the same bits, whoever dies --------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def local() -> tuple[Any, Any]:
    rows = np.random.default_rng(0).uniform(-3, 3, (POINTS, 36))
    return rows, Simulator().expectation(ansatz(12, 3), OPERATOR, rows)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_ten_thousand_points_with_a_worker_killed_midway(workers: int, local: tuple[Any, Any]) -> None:
    rows, direct = local
    simulator, killed = Simulator(), list[int]()
    with cluster(workers) as client:
        timers = []

        def midway(done: int, total: int) -> None:
            if done > total // 4 and not timers:
                timers.append(kill_one(client, 0.0, killed))

        with controlled(progress=midway):
            found = simulator.expectation(ansatz(12, 3), OPERATOR, rows, executor=client)
        assert killed
    assert found.tobytes() == direct.tobytes()
    assert simulator.last_run["executor"] == "Client" and simulator.last_run["blocks"] >= 2


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_ten_thousand_samples_of_a_session_with_a_worker_killed_midway(workers: int) -> None:
    circuit, _ = chain(4, 2)
    sets = np.random.default_rng(1).uniform(-3, 3, (POINTS, len(circuit.parameters)))
    with ExecutionSession(circuit, num_shots=100, random_seed=7) as session:
        direct = session.sample(sets)
    killed: list[int] = []
    with (
        cluster(workers) as client,
        ExecutionSession(circuit, num_shots=100, random_seed=7, executor=client) as session,
    ):
        timer = []

        def midway(done: int, total: int) -> None:
            if done > total // 4 and not timer:
                timer.append(kill_one(client, 0.0, killed))

        with controlled(progress=midway):
            found = session.sample(sets)
    assert killed and found == direct
    assert [one.seed for one in found] == [(7 + k) % 2**64 for k in range(POINTS)]


def test_workers_that_come_go_and_start_again(local: tuple[Any, Any]) -> None:
    rows, direct = local
    with cluster(1) as client:
        for action in (lambda: client.cluster.scale(3), lambda: client.restart(wait_for_workers=False)):
            done: list[int] = []

            def midway(at: int, total: int, action: Any = action, done: list[int] = done) -> None:
                if at > total // 4 and not done:
                    done.append(at)
                    action()

            with controlled(progress=midway):
                found = Simulator().expectation(ansatz(12, 3), OPERATOR, rows, executor=client.get_executor())
            assert done and found.tobytes() == direct.tobytes()


def test_a_killed_sweep_goes_on_from_its_checkpoint(tmp_path: Path, local: tuple[Any, Any]) -> None:
    rows, direct = local
    np.save(tmp_path / "rows.npy", rows)
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
from test_dask import OPERATOR, ansatz, cluster
from qsim import Simulator
if __name__ == "__main__":
    with cluster(2) as client:
        Simulator().expectation(ansatz(12, 3), OPERATOR, np.load("rows.npy"), executor=client, checkpoint="sweep")
"""
    (tmp_path / "program.py").write_text(program)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    run = subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, start_new_session=True
    )
    sweep = tmp_path / "sweep"
    deadline = time.monotonic() + 120
    while run.poll() is None and time.monotonic() < deadline and not (sweep.exists() and sweep.stat().st_size > 20_000):
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    with cluster(2) as client:
        seen: list[int] = []
        with controlled(progress=lambda done, total: seen.append(done)):
            found = Simulator().expectation(ansatz(12, 3), OPERATOR, rows, executor=client, checkpoint=sweep)
    assert found.tobytes() == direct.tobytes()
    assert seen == sorted(seen)


# cancelling, threads, kernels -------------------------------------------------------------------------------------------
def test_cancelling_stops_the_workers() -> None:
    big = ansatz(22, 40)
    rows = np.zeros((200, 22 * 40)) + 0.1  # far more than is done before the kill
    with cluster(2) as client:
        Simulator().expectation(ansatz(3, 1), Pauli.Z(0), np.zeros((4, 3)), executor=client)
        for make in (_cancel_a_run, _cancel_a_job):
            make(client, big, rows)
            deadline = time.monotonic() + 30
            while any(client.run(_running).values()) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not any(client.run(_running).values())


def _running(dask_worker: Any) -> int:
    return len(dask_worker.active_threads)


def _cancel_a_run(client: Any, big: Circuit, rows: Any) -> None:
    stop = threading.Event()
    threading.Timer(1.5, stop.set).start()
    with pytest.raises(RunCancelled), controlled(cancel=stop):
        Simulator().expectation(big, Pauli.Z(0), rows, executor=client)


def _cancel_a_job(client: Any, big: Circuit, rows: Any) -> None:
    with ExecutionSession(big, executor=client) as session:
        job = session.submit_estimate(Pauli.Z(0), rows)
        time.sleep(1.5)
        assert job.cancel()
        with pytest.raises(JobCancelledError):
            job.result(60)


def test_jobs_tell_their_progress() -> None:
    circuit = ansatz(10, 3)
    rows = np.random.default_rng(2).uniform(-3, 3, (20_000, 30))
    with cluster(2) as client, ExecutionSession(circuit, executor=client) as session:
        job = session.submit_estimate(Pauli.Z(0), rows)
        seen = {job.progress}
        while not job.status.is_final:
            seen.add(job.progress)
            time.sleep(0.01)
        assert any(0 < one < 1 for one in seen)
        assert len(job.result()) == 20_000


def test_threads_of_workers_are_respected() -> None:
    for threads, wanted, expected in [(1, None, 1), (2, None, min(2, os.cpu_count() or 1)), (2, 1, 1), (1, 4, 1)]:
        with cluster(1, threads) as client:
            future = client.submit(_threads, wanted)
            assert future.result() == expected


def _threads(wanted: int | None) -> int | None:
    from qsim.batches.worker import threads_here

    return threads_here(wanted)


def test_a_worker_compiles_once() -> None:
    rows = np.random.default_rng(2).uniform(-3, 3, (3000, 36))
    with cluster(2) as client:
        client.run(_count_programs)
        Simulator().expectation(ansatz(12, 3), OPERATOR, rows, executor=client)
        Simulator().expectation(ansatz(12, 3), OPERATOR, rows, executor=client)
        assert set(client.run(_counted).values()) == {1}
        with ExecutionSession(ansatz(12, 3), executor=client) as session:
            session.estimate(OPERATOR, rows)
            session.estimate(Pauli.Z(0), rows)  # another task of the same program
        assert set(client.run(_counted).values()) == {2}


def _count_programs() -> None:
    """From now on, count the circuits that this process makes out of what it is sent, and so compiles."""
    from qsim import circuit_json

    def counting(data: Any, make: Any = circuit_json.circuit_from_json) -> Any:
        _made.append(1)
        return make(data)

    import qsim.batches.calls
    import session.circuit_json

    qsim.batches.calls.circuit_from_json = counting  # type: ignore[attr-defined]
    session.circuit_json.circuit_json.circuit_from_json = counting


_made: list[int] = []


def _counted() -> int:
    return len(_made)


# what goes wrong --------------------------------------------------------------------------------------------------------
def sweep(client: Any) -> Any:
    return Simulator().expectation(ansatz(3, 1), Pauli.Z(0), np.zeros((50, 3)), executor=client)


def test_no_workers_a_closed_client_and_a_cluster_in_place_of_its_client() -> None:
    with cluster(0) as client:
        with pytest.raises(ExecutorError, match=r"has had no workers for . s. Start some"):
            sweep(client)
        with pytest.raises(
            ExecutorError, match=r"got LocalCluster. Give the client of the cluster: cluster.get_client"
        ):
            sweep(client.cluster)
        executor = client.get_executor()
        executor.shutdown()
        with pytest.raises(ExecutorError, match="is shut down"):
            sweep(executor)
        client.close()
        with pytest.raises(ExecutorError, match="This Dask client is closed"):
            sweep(client)


def fatal(program: bytes, rows: Any, seed: int, threads: int | None) -> Any:
    """A runner whose sets 20 to 29 end the worker, as one does that has too little memory."""
    if seed <= 25 < seed + len(rows):
        os._exit(1)
    return "", {"values": rows[:, 0]}


def test_a_block_that_ends_every_worker() -> None:
    from qsim.batches.driver import Work, spread
    from qsim.batches.ledger import Ledger
    from qsim.batches.pools import open_pool

    with cluster(2) as client, pytest.raises(ExecutorError, match="ended several workers.*too little memory"):
        spread(open_pool(client), Work(fatal, b"", np.zeros((60, 1)), 0, None), Ledger(60, most=3))


@contextmanager
def other_environment(folder: Path, path: Path) -> Iterator[tuple[Any, list[subprocess.Popen[bytes]]]]:
    """A client of a scheduler and a worker, whose packages are found under `path`."""
    file = folder / "scheduler.json"
    env = {**os.environ, "PYTHONPATH": str(path), "PYTHONSAFEPATH": "1"}
    common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    started = [["dask_scheduler", "--port", "0"], ["dask_worker", "--nthreads", "1", "--no-nanny"]]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *options, *common],
            env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for module, *options in started
    ]  # fmt: skip
    try:
        while not file.exists():
            time.sleep(0.05)
        with distributed.Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(1, timeout=60)
            yield client, processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def copy_of_the_package(folder: Path) -> Path:
    for name in ("qsim", "parsers", "session"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_a_worker_of_another_version(tmp_path: Path) -> None:
    other = copy_of_the_package(tmp_path / "other")
    version = other / "qsim" / "version.py"
    version.write_text(version.read_text().replace(qsim.__version__, "9.9.9"))
    with other_environment(tmp_path, other) as (client, _):
        with pytest.raises(ExecutorError, match=r"A worker has qsim-session 9\.9\.9 .*Install the same version"):
            sweep(client)
        with ExecutionSession(ansatz(2, 1), executor=client) as session, pytest.raises(ExecutorError, match="9.9.9"):
            session.sample(np.zeros((5, 2)))


def test_a_version_that_is_changed_while_workers_run() -> None:
    with cluster(2) as client:
        sweep(client)
        client.run(_pretend)
        with pytest.raises(ExecutorError, match=r"A worker has qsim-session .*9\.9\.9"):
            sweep(client)


def _pretend() -> None:
    qsim.__version__ = "9.9.9"


def test_a_worker_with_other_sources_of_the_same_version(tmp_path: Path) -> None:
    other = copy_of_the_package(tmp_path / "other")
    with (other / "qsim" / "state.py").open("a") as file:
        file.write("# changed\n")
    with other_environment(tmp_path, other) as (client, _), pytest.raises(ExecutorError, match="results may differ"):
        sweep(client)


@pytest.mark.parametrize("what", ["no package", "an older one"])
def test_a_worker_without_the_package(tmp_path: Path, what: str) -> None:
    other = tmp_path / "other"
    if what == "no package":
        (other / "qsim").mkdir(parents=True)
        (other / "qsim" / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'qsim'\")\n")
    else:
        shutil.rmtree(copy_of_the_package(other) / "qsim" / "batches")
    message = "cannot import this package as this process can"
    with other_environment(tmp_path, other) as (client, _), pytest.raises(ExecutorError, match=message):
        sweep(client)


def test_the_last_worker_and_the_scheduler_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.batches.pools.PATIENCE", 3.0)
    rows = np.zeros((200, 22 * 40)) + 0.1  # far more than is done before the kill
    for which, message in [(1, "has had no workers for"), (0, "scheduler could not be reached")]:
        folder = tmp_path / str(which)
        folder.mkdir()
        with other_environment(folder, ROOT) as (client, processes):
            threading.Timer(1.5, processes[which].kill).start()
            with pytest.raises(ExecutorError, match=message):
                Simulator().expectation(ansatz(22, 40), Pauli.Z(0), rows, executor=client)
