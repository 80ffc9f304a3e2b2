"""Batches on executors: the bits of a run here, whatever takes the blocks, in which order, how often, and how it ends."""

from __future__ import annotations

import inspect
import os
import random
import signal
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qsim import Circuit, Counts, NoiseModel, Parameter, ParameterArray, Pauli, QsimError, Simulator
from qsim.batches import driver, worker
from qsim.batches.calls import Call, settings_of
from qsim.batches.driver import Work, rebuilt, spread
from qsim.batches.ledger import BLOCK_SECONDS, LEAST_SECONDS, Ledger
from qsim.batches.pools import PlainPool, open_pool
from qsim.batches.results import KINDS
from qsim.classical import Bits, ClassicalOperation, Literal
from qsim.errors import CircuitError, ExecutorError, MemoryLimitError, ParameterError, RunCancelled
from qsim.noise import depolarizing
from qsim.pool import controlled


def ansatz(n: int, layers: int = 1, measured: bool = False) -> Circuit:
    angles = ParameterArray("p", n * layers)
    circuit = Circuit(n)
    for k in range(layers):
        for q in range(n):
            circuit.ry(angles[k * n + q], q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit.measure_all() if measured else circuit


def angles(sets: int, count: int) -> Any:
    return np.random.default_rng(3).uniform(-3, 3, (sets, count))


def same(one: Any, other: Any) -> bool:
    """Whether two results are of the same types and shapes, bit for bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Counts):
        about = [(c.seed, c.num_bits, list(c.registers), c.metadata, c.outcomes) for c in (one, other)]
        return about[0] == about[1] and one == other and same(one.frequencies, other.frequencies)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


class Chaos(Executor):
    """Runs blocks in any order, some of them twice, and loses some: as a cluster whose workers come and go."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._max_workers = 5
        self.rows: list[int] = []
        self.lost = 0

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        threading.Timer(self._random.uniform(0, 0.01), self._run, (future, function, args)).start()
        return future

    def _run(self, future: Future[Any], function: Any, args: tuple[Any, ...]) -> None:
        if self.lost < 10 and self._random.random() < 0.3:
            self.lost += 1
            future.cancel()
            future.set_running_or_notify_cancel()
            return
        replies = [function(*args) for _ in range(self._random.choice([1, 2]))]
        self.rows += [start + k for start, sets, *_ in replies[-1]["parts"] for k in range(sets)]
        future.set_result(replies[-1])


OPERATOR = 0.3 * Pauli.Z(0) * Pauli.X(1) + Pauli.Y(2) - 0.7 * Pauli.Z(2) + 0.1
CALLS: dict[str, Any] = {
    "statevector": lambda s, **k: s.statevector(ansatz(4), angles(37, 4), **k),
    "statevector from a state": lambda s, **k: s.statevector(ansatz(4), angles(5, 4), initial_state="0110", **k),
    "probabilities": lambda s, **k: s.probabilities(ansatz(4), angles(37, 4), [2, 0], **k),
    "outcome_probabilities": lambda s, **k: s.outcome_probabilities(ansatz(3, 1, True), angles(9, 3), **k),
    "sample": lambda s, **k: s.sample(ansatz(4, 1, True), 100, angles(37, 4), seed=2**64 - 5, **k),
    "sample with memory": lambda s, **k: [c.memory for c in s.sample(ansatz(3, 1, True), 20, angles(5, 3), 1, memory=True, **k)],
    "expectation": lambda s, **k: s.expectation(ansatz(4), OPERATOR, angles(37, 4), **k),
    "expectation of several": lambda s, **k: s.expectation(ansatz(4), [OPERATOR, Pauli.Z(0)], angles(7, 4), **k),
    "variance": lambda s, **k: s.variance(ansatz(4), OPERATOR, [{"p": row} for row in angles(7, 4)], **k),
    "moments": lambda s, **k: s.moments(ansatz(4), [OPERATOR], angles(37, 4), **k),
    "estimate": lambda s, **k: s.estimate(ansatz(4), OPERATOR, 50, angles(17, 4), seed=3, grouping="qubit-wise", **k),
    "estimate of several": lambda s, **k: s.estimate(ansatz(4), [OPERATOR, Pauli.Z(0)], 50, angles(7, 4), 3, **k),
    "gradient": lambda s, **k: s.gradient(ansatz(4), OPERATOR, angles(17, 4), **k),
    "gradient of several": lambda s, **k: s.gradient(ansatz(4), [OPERATOR, Pauli.Z(0)], angles(7, 4), **k),
    "value_and_gradient": lambda s, **k: s.value_and_gradient(ansatz(4), OPERATOR, angles(17, 4), **k),
    "parameter_shift_gradient": lambda s, **k: s.parameter_shift_gradient(
        ansatz(3), OPERATOR, angles(5, 3), shots=40, seed=9, **k
    ),
    "density_matrix": lambda s, **k: s.density_matrix(ansatz(2), angles(7, 2), **k),
    "reduced_density_matrix": lambda s, **k: s.reduced_density_matrix(ansatz(4), [3, 1], angles(7, 4), **k),
}  # fmt: skip


# the same bits ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", CALLS)
def test_results_are_those_of_a_run_here(name: str) -> None:
    simulator = Simulator()
    direct = CALLS[name](simulator)
    with ThreadPoolExecutor(3) as threads:
        assert same(CALLS[name](simulator, executor=threads), direct)
        assert same(CALLS[name](Simulator(executor=threads)), direct)
    chaos = Chaos(len(name))
    assert same(CALLS[name](Simulator(threads=1), executor=chaos), direct)
    assert len(chaos.rows) == len(set(chaos.rows))


def test_every_method_with_an_executor_is_known_and_tested() -> None:
    methods = {name for name in dir(Simulator) if "executor" in _parameters(name)}
    assert methods == set(KINDS) == {name.split()[0] for name in CALLS}
    assert all("checkpoint" in _parameters(name) for name in methods)


def _parameters(name: str) -> Any:
    method = getattr(Simulator, name)
    return inspect.signature(method).parameters if inspect.isfunction(method) and not name.startswith("_") else ()


def test_results_from_processes_are_the_same() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        for name in ("statevector", "sample", "expectation", "estimate", "gradient of several"):
            assert same(CALLS[name](Simulator(), executor=processes), CALLS[name](Simulator())), name


@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "single"},
        {"method": "mps", "max_bond": 3},
        {"method": "density_matrix"},
        {"noise": NoiseModel().add(depolarizing(0.05, 2), "cx")},
        {"memory_limit": 1 << 20},
    ],
    ids=str,
)
def test_settings_travel(settings: dict[str, Any]) -> None:
    simulator = Simulator(**settings)
    for name in ("sample", "expectation"):
        direct, facts = CALLS[name](simulator), simulator.last_run
        assert same(CALLS[name](simulator, executor=Chaos(5)), direct)
        assert {key: simulator.last_run[key] for key in facts} == facts
        assert simulator.last_run["executor"] == "Chaos"


def test_every_setting_of_a_simulator_travels() -> None:
    settings = {name.lstrip("_") for name in inspect.signature(Simulator).parameters} - {"threads", "executor"}
    assert settings == set(settings_of(Simulator()))


def test_wide_and_dynamic_circuits_travel() -> None:
    wide = Circuit(70)
    wide.h(0)
    for q in range(69):
        wide.cx(q, q + 1)
    wide.rz(Parameter("a") * 0, 3).measure_all()
    dynamic = Circuit(2, 2).ry(Parameter("a"), 0).measure(0, 0)
    dynamic.if_else(ClassicalOperation("==", (Bits((0,)), Literal(1)), width=1), dynamic.block().x(1))
    dynamic.measure(1, 1)
    simulator = Simulator()
    for circuit in (wide, dynamic):
        direct = simulator.sample(circuit, 50, [[0.1], [2.0], [1.0]], seed=4)
        assert same(simulator.sample(circuit, 50, [[0.1], [2.0], [1.0]], seed=4, executor=Chaos(1)), direct)


def test_what_is_no_batch_is_run_here() -> None:
    chaos = Chaos(1)
    assert Simulator(executor=chaos).expectation(
        ansatz(3), OPERATOR, {"p": [0.1, 0.2, 0.3]}
    ) == Simulator().expectation(ansatz(3), OPERATOR, {"p": [0.1, 0.2, 0.3]})
    assert Simulator(executor=chaos).statevector(Circuit(1)).tolist() == [1, 0]
    assert Simulator(executor=chaos).expectation(ansatz(3), OPERATOR, angles(0, 3)).shape == (0,)
    assert not chaos.rows


def test_sets_without_parameters_are_sets() -> None:
    simulator, circuit = Simulator(), Circuit(2).h(0).cx(0, 1)
    for call in (
        lambda **k: simulator.expectation(circuit, Pauli.Z(0) * Pauli.Z(1), np.empty((5, 0)), **k),
        lambda **k: simulator.gradient(circuit, Pauli.Z(0), [{}] * 3, **k),
        lambda **k: simulator.sample(circuit.copy().measure_all(), 10, [{}] * 3, 4, **k),
    ):
        assert same(call(executor=Chaos(2)), call())


def test_programs_are_plain_data_and_compiled_once() -> None:
    sent: list[tuple[Any, ...]] = []

    class Watching(ThreadPoolExecutor):
        def submit(self, function: Any, /, *args: Any, **named: Any) -> Any:
            sent.append(args)
            return super().submit(function, *args, **named)

    from qsim.batches import calls

    before = len(calls._kept)
    with Watching(2) as pool:
        Simulator().expectation(ansatz(5), OPERATOR, angles(200, 5), executor=pool)
    kinds = {type(argument) for args in sent for argument in args[1:]}
    assert kinds <= {bytes, np.ndarray, int, dict}
    assert all(isinstance(value, (str, int, float, type(None))) for args in sent for value in args[5].values())
    assert all(args[2].base is None for args in sent)  # no view, which would travel with all that it is a part of
    assert len({args[1] for args in sent}) == 1 and len(calls._kept) <= min(before + 1, calls._KEPT)


# blocks -----------------------------------------------------------------------------------------------------------------
def test_blocks_have_enough_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=lambda: clock[0], monotonic=time.monotonic))
    work, blocks = [], []

    def runner(program: bytes, rows: Any, seed: int, threads: int | None) -> Any:
        clock[0] += 0.002 * len(rows) + (5.0 if not work else 0)  # the first compiles
        work.append(len(rows))
        return "", {}

    class Here(Executor):
        _max_workers = 4

        def submit(self, function: Any, /, *args: Any, **named: Any) -> Any:
            future: Future[Any] = Future()
            began = clock[0]
            reply = function(*args)
            blocks.append((sum(part[1] for part in reply["parts"]), clock[0] - began))
            future.set_result(reply)
            return future

    facts = spread(PlainPool(Here()), Work(runner, b"", np.zeros((5000, 1)), 0, None), Ledger(5000))
    assert sum(sets for sets, _ in blocks) == 5000 and facts.blocks == len(blocks)
    assert all(seconds > LEAST_SECONDS - 1e-9 for _, seconds in blocks)
    assert max(seconds for _, seconds in blocks[1:]) <= BLOCK_SECONDS + LEAST_SECONDS + 1e-9


def test_sets_that_take_long_are_shared_by_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=lambda: clock[0], monotonic=time.monotonic))

    def runner(program: bytes, rows: Any, seed: int, threads: int | None) -> Any:
        clock[0] += 600.0 * len(rows)
        return "", {}

    ledger = Ledger(4)
    assert [ledger.next_block(4) for _ in range(5)] == [(k, k + 1, True) for k in range(4)] + [None]
    terms = worker.own_terms("run", None, LEAST_SECONDS)
    reply = worker.run_block(runner, b"long", np.zeros((9, 1)), 0, 0, terms)
    assert len(reply["parts"]) == 1 and reply["timed"] == 0  # it may have compiled for all of that time
    reply = worker.run_block(runner, b"long", np.zeros((9, 1)), 0, 0, terms)
    assert len(reply["parts"]) == 1 and (reply["seconds"], reply["timed"]) == (600, 1)


def test_a_ledger_covers_every_set_once() -> None:
    for trial in range(300):
        chance = random.Random(trial)
        sets, sent = chance.randint(1, 400), []
        ledger = Ledger(sets, chance.choice([1, 7, 1000]))
        for _ in range(chance.randint(0, 3)):
            start = chance.randrange(sets)
            ledger.add((start, min(chance.randint(1, 20), sets - start), "", {}))
        while ledger.left:
            block = ledger.next_block(3)
            if block is not None:
                sent.append(block)
            if block is None or chance.random() < 0.5:
                start, stop, is_pilot = sent.pop(chance.randrange(len(sent)))
                if chance.random() < 0.9:
                    done = chance.randint(1, stop - start) if is_pilot else stop - start
                    assert ledger.add((start, done, "", {})) and not ledger.add((start, 1, "", {}))
                    ledger.timed(0.01 * done, done)
                ledger.give_back(start, stop)
        ends = np.cumsum([0, *(part[1] for part in ledger.in_order())])
        assert [part[0] for part in ledger.in_order()] == ends[:-1].tolist() and ends[-1] == sets


def test_blocks_are_longer_for_more_workers() -> None:
    sizes = []
    for workers in (2, 16, 64):
        ledger = Ledger(60_000)
        ledger.timed(1.0, 1000)
        block = ledger.next_block(workers)
        assert block is not None
        sizes.append(block[1] - block[0])
    assert sizes == [500, 500, 469]  # 64 workers would have 2000 sets each, were there more of them
    ledger = Ledger(6_000_000)
    ledger.timed(1.0, 1000)
    assert ledger.next_block(64) == (0, 2000, False)


def test_results_that_come_twice_are_dropped() -> None:
    ledger = Ledger(10)
    assert ledger.add((2, 3, "first", {})) and not ledger.add((4, 3, "again", {})) and not ledger.add((-1, 2, "", {}))
    assert not ledger.add((9, 2, "beyond", {})) and ledger.dropped == 3 and ledger.left == 7


def test_threads_are_shared_by_the_processes_of_a_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.batches.pools.available_cores", lambda: 8)
    with ProcessPoolExecutor(4) as processes, ThreadPoolExecutor(4) as threads:
        assert open_pool(processes).threads(None) == 2 and open_pool(processes).threads(3) == 3
        assert open_pool(threads).threads(None) is None


# cancelling, progress, errors -------------------------------------------------------------------------------------------
def test_progress_rises_to_the_number_of_sets() -> None:
    seen: list[tuple[int, int]] = []
    with ThreadPoolExecutor(2) as pool, controlled(progress=lambda done, total: seen.append((done, total))):
        CALLS["sample"](Simulator(), executor=pool)
    assert seen == sorted(seen) and seen[-1] == (37, 37)


def test_cancelling_stops_blocks_that_run_here() -> None:
    stop = threading.Event()
    started = threading.Event()
    ended: list[str] = []

    def runner(program: bytes, rows: Any, seed: int, threads: int | None) -> Any:
        started.set()
        try:
            while True:  # as long as nobody stops it
                worker.check_cancelled()
                time.sleep(0.001)
        except RunCancelled:
            ended.append("cancelled")
            raise

    threading.Thread(target=lambda: (started.wait(), stop.set()), daemon=True).start()
    with ThreadPoolExecutor(2) as pool, pytest.raises(RunCancelled), controlled(cancel=stop):
        spread(PlainPool(pool), Work(runner, b"", np.zeros((50, 1)), 0, None), Ledger(50))
    assert "cancelled" in ended  # the pool's end waited for it


def test_what_a_run_raises_is_raised() -> None:
    simulator = Simulator(memory_limit=1 << 16, method="statevector")
    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(MemoryLimitError, match="the memory limit is 64 KiB"):
            simulator.statevector(ansatz(14), angles(3, 14), executor=pool)
        with pytest.raises(ParameterError, match="shape"):
            simulator.statevector(ansatz(3), angles(3, 4), executor=pool)
        with pytest.raises(CircuitError, match="A simulator runs a Circuit, got str"):
            simulator.statevector("h q", angles(3, 4), executor=pool)  # type: ignore[arg-type]
        with pytest.raises(QsimError, match="number of shots"):
            simulator.sample(ansatz(2, 1, True), 0, angles(3, 2), executor=pool)
        with pytest.raises(QsimError, match="memory is True"):
            simulator.sample(ansatz(2, 1, True), 5, angles(3, 2), memory="yes", executor=pool)  # type: ignore[call-overload]
    assert isinstance(rebuilt("qsim.errors", "MemoryLimitError", "much"), MemoryLimitError)
    assert str(rebuilt("os", "system", "x")) == "On a worker: system: x"


def test_what_is_no_executor() -> None:
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    for given, message in [
        (3, "An executor is a concurrent.futures.Executor, or a dask.distributed.Client; got int"),
        (ThreadPoolExecutor, "got the class ThreadPoolExecutor"),
        (closed, "takes no more work: cannot schedule new futures after shutdown"),
        (SimpleNamespace(submit=lambda function, *args: None), "SimpleNamespace.submit gave NoneType"),
        (SimpleNamespace(submit=lambda function, *args: done("nothing")), "gave back str"),
        (SimpleNamespace(submit=lambda function, *args: lost()), "again and again"),
    ]:
        with pytest.raises(ExecutorError, match=message):
            Simulator().expectation(ansatz(3), OPERATOR, angles(5, 3), executor=given)
    with pytest.raises(ExecutorError, match="got int"):
        Simulator(executor=3)


def done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def lost() -> Future[Any]:
    future: Future[Any] = Future()
    future.cancel()
    future.set_running_or_notify_cancel()
    return future


def test_a_worker_of_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    own = worker.own_terms

    def others(*args: Any) -> dict[str, Any]:
        return own(*args) | {"version": "0.0.1"}

    monkeypatch.setattr(driver, "own_terms", others)
    with ThreadPoolExecutor(2) as pool, pytest.raises(ExecutorError, match=r"this batch was sent by 0\.0\.1"):
        CALLS["expectation"](Simulator(), executor=pool)
    worker.check_sender(worker.own_version(), "")  # without sources, the version alone counts
    with pytest.raises(ExecutorError, match="start the workers again"):
        worker.check_sender(worker.own_version(), "0" * 16)


def test_workers_that_differ_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = iter(["Numba 1 for old", "Numba 1 for new"] * 100)
    monkeypatch.setattr(worker, "_machine", lambda: next(machines))
    with ThreadPoolExecutor(2) as pool, pytest.warns(UserWarning, match="differ .Numba 1 for new, Numba 1 for old."):
        CALLS["expectation"](Simulator(), executor=pool)


def test_a_worker_that_cannot_import_the_package_is_told() -> None:
    def submit(function: Any, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(ModuleNotFoundError("No module named 'qsim.batches'"))
        return future

    with pytest.raises(ExecutorError, match="A worker .* cannot import this package .* No module named"):
        CALLS["expectation"](Simulator(), executor=SimpleNamespace(submit=submit))


@pytest.mark.skipif(not hasattr(os, "kill"), reason="no signals")
def test_a_pool_whose_process_dies_is_told() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(int).result()
        for pid in list(pool._processes):  # type: ignore[arg-type]
            os.kill(pid, signal.SIGTERM)
        with pytest.raises(ExecutorError, match="A worker process ended before it gave its results"):
            CALLS["expectation"](Simulator(), executor=pool)


def test_a_call_comes_back_from_its_data() -> None:
    state = np.array([1, 0, 0, 1j]) / 2**0.5
    options = {"observable": [Pauli.Z(0) / 3, Pauli.X(1)], "initial_state": state}
    call = Call(Simulator("single", method="statevector"), "expectation", ansatz(2), options)
    again = Call.from_data(call.to_data())
    assert again.to_data() == call.to_data()
    assert same(again.run(angles(3, 2), 0), call.run(angles(3, 2), 0))
    product = Call(Simulator(), "statevector", ansatz(1), {"initial_state": np.array([[0.6, 0.8j]])})
    assert same(Call.from_data(product.to_data()).run(angles(2, 1), 0), product.run(angles(2, 1), 0))
