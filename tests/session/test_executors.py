"""Sessions on executors: whole tasks travel, jobs tell how far they are and can be cancelled, sweeps go on from files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from test_operations import chain

from qsim import Circuit, Parameter
from qsim.errors import CheckpointError, ExecutorError
from qsim.noise import NoiseModel, depolarizing
from session import ExecutionSession, Pauli, SessionError
from session.backends.protocol import Capabilities
from session.errors import JobCancelledError
from session.tasks import TaskKind

BRANCHING = """
OPENQASM 3.0;
include "stdgates.inc";
input int way;
input float turn;
qubit[2] q;
ry(turn) q[0];
if (way == 1) { cx q[0], q[1]; } else { x q[1]; }
"""
WAYS = [{"way": k % 2, "turn": 0.1 * k} for k in range(11)]


class Here(Executor):
    """Runs what it is given at once, and counts the sets."""

    def __init__(self) -> None:
        self.sets = 0

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        reply = function(*args)
        self.sets += sum(part[1] for part in reply["parts"])
        future.set_result(reply)
        return future


def test_programs_with_branches_on_parameters_travel_whole() -> None:
    here = Here()
    with (
        ExecutionSession(BRANCHING, random_seed=3) as direct,
        ExecutionSession(BRANCHING, random_seed=3, executor=here) as sent,
    ):
        assert sent.estimate(Pauli.Z(1), WAYS) == direct.estimate(Pauli.Z(1), WAYS)
        assert here.sets == 11
        assert sent.sample(WAYS, num_shots=20) == direct.sample(WAYS, num_shots=20)
        assert sent.calculate_state_vector(WAYS) == direct.calculate_state_vector(WAYS)
    assert here.sets == 33


def test_filters_costs_and_minimisations_travel() -> None:
    circuit, energy = chain(3, 1)
    sets = [{"p": [0.1 * k, 0.2, 0.3]} for k in range(4)]
    results = []
    for executor in (None, Here()):
        with ExecutionSession(circuit, num_shots=200, random_seed=5, executor=executor) as session:
            found = [session.minimize(energy, sets, 6), session.minimize(energy, sets, 4, method="L-BFGS-B")]
            session.set_measured_state_filter("q", lambda q: q != 1)
            results.append(
                [
                    found,
                    [one.metadata for one in found[0]],
                    session.sample(sets),
                    session.estimate(energy, sets),
                    session.estimate_cost(energy, sets),
                    session.estimate_cost(lambda state: state["q"] ** 2, sets, quantile=0.5),
                    session.calculate_state_vector(sets, {"q": [2, 3]}),
                ]
            )
    assert results[0] == results[1]
    assert executor is not None and executor.sets == 4 * 7


def test_metadata_is_that_of_each_set() -> None:
    circuit = Circuit(25)
    circuit.rx(Parameter("t"), 0)
    for q in range(24):
        circuit.cx(q, q + 1)
    sets = [{"t": 0.0}, {"t": 0.3}, {"t": 0.0}]
    with ExecutionSession(circuit, execution_preferences={"method": "mps"}) as direct:
        whole = direct.estimate(Pauli.Z(24), sets)
    with ExecutionSession(circuit, execution_preferences={"method": "mps"}, executor=Here()) as sent:
        assert sent.estimate(Pauli.Z(24), sets) == whole
    assert [one.metadata["max_bond"] for one in whole] == [1, 2, 1]


def test_noise_and_precision_travel() -> None:
    circuit, energy = chain(3, 1)
    sets = [{"p": [0.1 * k, 0.2, 0.3]} for k in range(5)]
    for preferences in (
        {"noise": NoiseModel().add(depolarizing(0.05, 2), "cx"), "num_shots": 50},
        {"precision": "single", "threads": 1},
        {"backend": "simulator", "num_shots": 300},
    ):
        with (
            ExecutionSession(circuit, random_seed=1, execution_preferences=preferences) as direct,
            ExecutionSession(circuit, random_seed=1, execution_preferences=preferences, executor=Here()) as sent,
        ):
            assert sent.sample(sets) == direct.sample(sets)
            assert sent.estimate(energy, sets) == direct.estimate(energy, sets)


def test_processes_give_the_same_and_share_nothing() -> None:
    circuit, energy = chain(4, 1)
    sets = [{"p": [0.1 * k, 0.2, 0.3, 0.4]} for k in range(9)]
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool,
        ExecutionSession(circuit, random_seed=1, executor=pool) as sent,
        ExecutionSession(circuit, random_seed=1) as direct,
    ):
        assert sent.sample(sets) == direct.sample(sets)
        assert sent.gradient([energy, Pauli.Z(0)], sets) == direct.gradient([energy, Pauli.Z(0)], sets)


def test_an_executor_is_refused_where_it_is_of_no_use() -> None:
    class Far:
        name = "far"

        def capabilities(self) -> Capabilities:
            return Capabilities(operations=frozenset([TaskKind.SAMPLE]), is_remote=True)

        prepare = submit = status = fetch = decode = capabilities

    from session.backends.executor import SpreadBackend
    from session.preferences import ExecutionPreferences
    from session.programs import read_program

    with pytest.raises(SessionError, match="runs batches in its service, so it takes no executor"):
        SpreadBackend(Far(), read_program(Circuit(1)), ExecutionPreferences(), Here())  # type: ignore[arg-type]
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with ExecutionSession(Circuit(1).ry(Parameter("t"), 0), executor=pool) as session:
        with pytest.raises(ExecutorError, match="takes no more work"):
            session.sample([{"t": 0.1}, {"t": 0.2}])
        assert session.sample({"t": 0.0}, num_shots=3).counts == {"0": 3}  # a single set is run here


# jobs -------------------------------------------------------------------------------------------------------------------
class Slow(ThreadPoolExecutor):
    """Lets one block through for each `go`."""

    def __init__(self) -> None:
        super().__init__(1)
        self.go = threading.Semaphore(0)

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Any:
        def run() -> Any:
            while not self.go.acquire(timeout=0.01):
                if args[5]["run"] in worker._stopped:
                    break
            return function(*args)

        from qsim.batches import worker

        return super().submit(run)


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_jobs_tell_their_progress_and_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.batches.ledger.MOST_SETS", 10)
    circuit, energy = chain(2, 1)
    sets = [{"p": [0.01 * k, 0.1]} for k in range(40)]
    with Slow() as pool, ExecutionSession(circuit, executor=pool) as session:
        job = session.submit_estimate(energy, sets)
        assert job.progress == 0
        pool.go.release()
        wait_for(lambda: job.progress > 0)
        assert 0 < job.progress < 1
        for _ in range(20):
            pool.go.release()
        with ExecutionSession(circuit) as direct:
            assert job.get_batch_estimate_result(30) == direct.estimate(energy, sets)
        while pool.go.acquire(blocking=False):
            pass
        other = session.submit_estimate(energy, sets)
        pool.go.release()
        wait_for(lambda: other.progress > 0)
        assert other.cancel()
        with pytest.raises(JobCancelledError):
            other.result(30)
        for _ in range(20):
            pool.go.release()


# checkpoints ------------------------------------------------------------------------------------------------------------
class Stopping(Here):
    """Takes so many blocks and no more."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Future[Any]:
        self.most -= 1
        if self.most < 0:
            raise RuntimeError("enough")
        return super().submit(function, *args, **named)


def test_a_sweep_goes_on_in_another_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.batches.ledger.MOST_SETS", 4)
    circuit, energy = chain(3, 1)
    sets = [{"p": [0.1 * k, 0.2, 0.3]} for k in range(15)]
    calls: dict[str, Any] = {
        "sample": lambda s, **k: s.sample(sets, num_shots=50, **k),
        "estimate": lambda s, **k: s.estimate([energy, Pauli.Z(0)], sets, **k),
        "observe": lambda s, **k: s.observe(energy, sets, **k),
        "state": lambda s, **k: s.calculate_state_vector(sets, {"q": [1, 2]}, **k),
        "gradient": lambda s, **k: s.gradient(energy, sets, **k),
        "cost": lambda s, **k: s.estimate_cost(energy, sets, **k),
        "function": lambda s, **k: s.estimate_cost(lambda state: state["q"], sets, quantile=0.5, **k),
    }
    for name, call in calls.items():
        path = tmp_path / name
        first, second = Stopping(2), Here()
        with (
            ExecutionSession(circuit, executor=first) as session,
            pytest.raises(ExecutorError, match="in the checkpoint"),
        ):
            call(session, checkpoint=path)
        seed = session.random_seed
        with ExecutionSession(circuit, executor=second) as other:  # draws a seed, and takes the file's
            found = call(other, checkpoint=path)
        assert first.sets + second.sets == 15 and first.sets > 0
        with ExecutionSession(circuit, random_seed=seed) as direct:
            assert call(direct) == found, name
        with ExecutionSession(circuit, random_seed=seed) as here:
            assert call(here, checkpoint=path) == found
        with (
            ExecutionSession(circuit, random_seed=seed + 1) as wrong,
            pytest.raises(CheckpointError, match="another seed"),
        ):
            call(wrong, checkpoint=path)


def test_checkpoints_are_of_batches_of_data(tmp_path: Path) -> None:
    circuit, energy = chain(3, 1)
    sets = [{"p": [0.1 * k, 0.2, 0.3]} for k in range(3)]
    path = tmp_path / "sweep"
    with ExecutionSession(circuit, random_seed=1) as session:
        session.estimate(energy, sets, checkpoint=path)
        with pytest.raises(CheckpointError, match="results of a batch"):
            session.estimate(energy, sets[0], checkpoint=path)
        with pytest.raises(CheckpointError, match="of another seed"):  # a session's next call has a seed of its own
            session.estimate(energy, sets, checkpoint=path)
    for message, backend, operator, values in [
        ("of other parameters", None, energy, sets[::-1]),
        ("of other options", None, 2 * energy, sets),
        ("of other options", "simulator", energy, sets),
    ]:
        with ExecutionSession(circuit, backend, random_seed=1) as other, pytest.raises(CheckpointError, match=message):
            other.estimate(operator, values, checkpoint=path)
