"""Backends: one protocol for this engine, Qiskit Aer, plug-ins, executors and remote services; the same bits from all."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from test_operations import chain

from qsim import Circuit, Parameter, ParameterArray
from session import ExecutionPreferences, ExecutionSession, OutputType, Pauli, QuantumProgram, SessionError
from session.backends import BackendError, Capabilities, RemoteBackend, list_backends, load_backend
from session.backends.measuring import plan
from session.backends.profiles import Profile
from session.backends.protocol import CancelOutcome, Prepared, RawResult, RemoteRef, RemoteState, RemoteStatus
from session.backends.remote import run_remotely
from session.cli import main
from session.programs import Program, read_program
from session.results import ExecutionDetails, Result
from session.tasks import Task, TaskKind

LOCAL = ["simulator_statevector", "simulator"]
AER = [
    pytest.param(name, marks=[pytest.mark.peer, pytest.mark.filterwarnings("ignore::DeprecationWarning")])
    for name in ("aer", "aer_statevector")
]


# the same bits everywhere -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", [*LOCAL, *AER])
def test_canary_one_of_three_qubits(backend: str) -> None:
    if backend.startswith("aer"):
        pytest.importorskip("qiskit_aer")
    with ExecutionSession(Circuit(3).x(2), backend, num_shots=7, random_seed=1) as session:
        details = session.sample()
        values = [result.value for result in session.estimate([Pauli.Z(0), Pauli.Z(1), Pauli.Z(2)])]
    assert details.counts == {"100": 7}
    assert details.parsed_counts == [({"q": 4}, 7)]
    assert values == pytest.approx([1, 1, -1])


@pytest.mark.parametrize("backend", [*LOCAL, *AER])
def test_canary_registers_of_unequal_size_and_partial_measurement(backend: str) -> None:
    if backend.startswith("aer"):
        pytest.importorskip("qiskit_aer")
    circuit = Circuit()
    circuit.add_qubits(1, "a")
    circuit.add_qubits(3, "b")
    circuit.x([1, 3])
    with ExecutionSession(circuit, backend, num_shots=5) as session:
        assert session.sample().counts == {"1010": 5}
        assert session.sample().parsed_counts[0].state == {"a": 0, "b": 5}
    part = Circuit(4)
    part.add_clbits(2, "low")
    part.add_clbits(3, "high")
    part.x([1, 2]).measure([2, 3, 1], [1, 2, 4])
    with ExecutionSession(part, backend, num_shots=5) as session:
        details = session.sample()
    assert details.counts == {"10010": 5}
    assert details.parsed_counts[0].state == {"low": 2, "high": 4}
    assert details.counts_of_qubits(1, 2, 3) == {"011": 5}


@pytest.mark.parametrize("backend", [*LOCAL, *AER])
def test_canary_named_outputs_in_any_order_and_array_parameters(backend: str) -> None:
    if backend.startswith("aer"):
        pytest.importorskip("qiskit_aer")
    p = ParameterArray("p", 3)
    circuit = Circuit(4).rx(p[0], 0).rx(p[1] * 2, 2).rx(p[2], 3)
    program = QuantumProgram(circuit, {"x": [3, 0], "y": [2]}, {"x": OutputType(True)})
    with ExecutionSession(program, backend, num_shots=6) as session:
        found = session.sample([{"p": [np.pi, 0, 0]}, {"p": [0, np.pi / 2, 0]}, {"p": [0, 0, np.pi]}])
        values = session.estimate(Pauli.Z(2), {"p": [0.1, np.pi / 2, 0.2]})
    assert [details.parsed_counts[0].state for details in found] == [
        {"x": -2, "y": 0},
        {"x": 0, "y": 1},
        {"x": 1, "y": 0},
    ]
    assert values.value == pytest.approx(-1)


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_aer_gives_what_this_engine_gives() -> None:
    pytest.importorskip("qiskit_aer")
    circuit, energy = chain(4, 2)
    sets = [{"p": np.linspace(-1, 1, 8) + k} for k in range(3)]
    filters = {"q": [1, 2, 3]}
    with ExecutionSession(circuit) as ours, ExecutionSession(circuit, "aer_statevector") as theirs:
        for one, other in zip(ours.estimate(energy, sets), theirs.estimate(energy, sets), strict=True):
            assert one.value == pytest.approx(other.value, abs=1e-10)
            assert one.variance == pytest.approx(other.variance, abs=1e-9)
        one, other = (session.calculate_state_vector(sets[0], filters) for session in (ours, theirs))
        np.testing.assert_allclose(one.amplitudes, other.amplitudes, atol=1e-10)
        assert theirs.minimize(energy, sets[0], 20).optimal_cost < theirs.estimate(energy, sets[0]).value
    with ExecutionSession(circuit, "aer", num_shots=20_000, random_seed=1) as shots:
        found = shots.estimate(energy, sets)
        counts = shots.sample(sets[0], num_shots=50)
        assert run_again(circuit, counts.seed, sets[0]) == counts
    with ExecutionSession(circuit) as ours:
        for one, other in zip(found, ours.estimate(energy, sets), strict=True):
            assert abs(one.value - other.value) < 5 * one.standard_error
            assert one.metadata["groups"] == 2


def run_again(circuit: Circuit, seed: int | None, parameters: Any) -> ExecutionDetails:
    with ExecutionSession(circuit, "aer", num_shots=50, random_seed=seed) as session:
        details = session.sample(parameters)
    assert isinstance(details, ExecutionDetails)
    return details


@pytest.mark.peer
def test_what_aer_does_not_take_is_told() -> None:
    pytest.importorskip("qiskit_aer")
    with ExecutionSession(Circuit(1).ry(Parameter("t"), 0), "aer") as session:
        with pytest.raises(SessionError, match="Backend 'aer' has no operation gradient"):
            session.gradient(Pauli.Z(0), {"t": 0.1})
        with pytest.raises(SessionError, match="Method BFGS needs gradients"):
            session.minimize(Pauli.Z(0), {"t": 0.1}, 5, method="BFGS")
    with pytest.raises(SessionError, match="no option 'nope'"):
        ExecutionSession(Circuit(1), "aer", execution_preferences={"backend_options": {"nope": 1}})
    with ExecutionSession(Circuit(1).x(0), "aer", execution_preferences={"method": "mps"}, num_shots=3) as session:
        assert session.sample().counts == {"1": 3}


def test_measurement_plans_give_the_expectation_value() -> None:
    circuit, energy = chain(3, 1)
    program = read_program(circuit.bind({"p": [0.3, 0.7, 1.1]}))
    made = plan(program, energy + 0.5 * Pauli.Y(0) * Pauli.Y(1) + 2, 300_000)
    from qsim import Simulator

    counts = []
    for k, group in enumerate(made.groups):
        found = Simulator().sample(group.circuit, group.shots, seed=k)
        counts.append(dict(zip(found.outcomes, found.frequencies.tolist(), strict=True)))
    value, error = made.estimate(counts)
    exact = Simulator().expectation(program.circuit, energy + 0.5 * Pauli.Y(0) * Pauli.Y(1) + 2)
    assert 0 < error < 0.01
    assert abs(value - exact) < 5 * error
    with pytest.raises(SessionError, match="Raise num_shots"):
        plan(program, energy, 3)


PLAIN = (bytes, np.ndarray, int, dict)


# executors --------------------------------------------------------------------------------------------------------------
class Strangers(Executor):
    """Runs what it is given at once, after a look at whether it is plain data; it knows no number of workers."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Future[Any]:
        assert not named and all(type(argument) in PLAIN for argument in args[1:])
        self.calls.append(args)
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def everything(executor: Executor | None, backend: str = "simulator_statevector") -> list[Any]:
    circuit, energy = chain(3, 2)
    sets = [{"p": [0.1 * k + j for j in range(6)]} for k in range(13)]
    with ExecutionSession(circuit, backend, random_seed=7, num_shots=300, executor=executor) as session:
        results = [
            session.sample(sets),
            session.estimate([energy, Pauli.Z(0)], sets),
            session.gradient(energy, sets),
            session.estimate_cost(lambda state: state["q"], sets),
            session.sample(sets[0]),
        ]
        if backend != "simulator":
            results.append(session.calculate_state_vector(sets, filters={"q": lambda q: q < 4}))
    return results


@pytest.mark.parametrize("backend", LOCAL)
def test_results_do_not_depend_on_the_executor(backend: str) -> None:
    direct = everything(None, backend)
    strangers = Strangers()
    assert everything(strangers, backend) == direct
    assert len(strangers.calls) > 4
    with ThreadPoolExecutor(3) as threads:
        assert everything(threads, backend) == direct


@pytest.mark.slow
def test_results_from_processes_are_the_same() -> None:
    from multiprocessing import get_context

    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert everything(processes) == everything(None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_results_from_a_cluster_are_the_same() -> None:
    distributed = pytest.importorskip("distributed")
    settings = {"processes": True, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(**settings) as client:
        direct = everything(None)
        assert everything(client) == direct
        assert everything(client.get_executor()) == direct


def test_what_is_no_executor() -> None:
    with pytest.raises(
        SessionError, match="An executor is a concurrent.futures.Executor, or a dask.distributed.Client; got int"
    ):
        ExecutionSession(Circuit(1), executor=3)  # type: ignore[arg-type]


def test_an_error_of_a_worker_is_the_callers() -> None:
    circuit = Circuit(2).ry(Parameter("t"), 0)
    with ExecutionSession(circuit, executor=Strangers()) as session:
        session.set_measured_state_filter("q", 3)
        with pytest.raises(SessionError, match="let nothing of this state through"):
            session.estimate(Pauli.Z(0), [{"t": 0.1}, {"t": 0.2}])


# plug-ins ---------------------------------------------------------------------------------------------------------------
class Constant:
    """A plug-in's backend: every outcome is 0."""

    def __init__(self, preferences: ExecutionPreferences) -> None:
        self.options = preferences.backend_options

    name = "constant"

    def capabilities(self) -> Capabilities:
        return Capabilities(operations=frozenset([TaskKind.SAMPLE]), num_qubits=2, max_shots=50)

    def check(self, program: Program, task: Task) -> None:
        pass

    def run(self, program: Program, task: Task) -> list[Result]:
        width = sum(map(len, program.outputs.values()))
        return [ExecutionDetails({"0" * width: task.num_shots}, program.outputs) for _ in task.rows]


def unusable(preferences: ExecutionPreferences) -> object:
    return object()


def outdated(preferences: ExecutionPreferences) -> object:
    raise AssertionError("never made")


outdated.api_version = 0  # type: ignore[attr-defined]


@pytest.fixture
def plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points as an installed package would declare them, some of them broken."""
    points = [
        importlib.metadata.EntryPoint(name, value, "qsim.adapters")
        for name, value in {
            "constant": f"{__name__}:Constant",
            "broken": "no_such_module_anywhere:Backend",
            "unusable": f"{__name__}:unusable",
            "outdated": f"{__name__}:outdated",
            "simulator": f"{__name__}:Constant",
        }.items()
    ]
    found = importlib.metadata.EntryPoints(points)

    def entry_points(**wanted: str) -> Any:
        return found.select(**wanted)

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    here = {name: Profile(name, name, "http://127.0.0.1:1") for name in ("ionq", "aqt")}
    monkeypatch.setattr("session.backends.profiles._defined", here)  # what asks a service finds none
    monkeypatch.setattr("session.backends.http.TRIES", 1)


@pytest.mark.usefixtures("plug_ins")
def test_a_plug_in_is_named_like_any_backend() -> None:
    with ExecutionSession(Circuit(2).x(0), "constant", num_shots=9) as session:
        assert session.sample().counts == {"00": 9}
        assert session.estimate_cost(lambda state: state["q"] + 1.0) == 1.0
        assert session.estimate(Pauli.Z(0)).value == 1.0  # made of samples
        with pytest.raises(SessionError, match="Backend 'constant' has no operation gradient; it has estimate, sample"):
            session.gradient(Pauli.Z(0))
        with pytest.raises(SessionError, match="takes at most 50 shots, got 51"):
            session.sample(num_shots=51)
        with pytest.raises(SessionError, match="does not run on this package's engine"):
            _ = session.simulator
    with (
        ExecutionSession(Circuit(3), "constant") as session,
        pytest.raises(SessionError, match="has 2 qubits; the program needs 3"),
    ):
        session.sample(num_shots=1)


@pytest.mark.usefixtures("plug_ins")
def test_broken_plug_ins_are_listed_told_and_disturb_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    names = [entry.name for entry in list_backends()]
    assert names.count("simulator") == 1 and "broken" in names
    assert load_backend(ExecutionPreferences(backend="simulator")).name == "simulator"
    for name, message in {
        "broken": "cannot be loaded: ModuleNotFoundError",
        "unusable": "is no backend: it has no name, capabilities, check, run",
        "outdated": "is for version 0 of the backend protocol; this is version 1",
    }.items():
        with pytest.raises(BackendError, match=message):
            ExecutionSession(Circuit(1), name)
    with ExecutionSession(Circuit(1).x(0), num_shots=2) as session:
        assert session.sample().counts == {"1": 2}
    assert main(["backends"]) == 0
    assert "broken" in capsys.readouterr().out
    assert main(["backends", "--check", "--json"]) == 0
    states = {row["name"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert states["simulator"] == states["constant"] == "ready"
    assert "ModuleNotFoundError" in states["broken"]
    assert main(["backends", "constant", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["qubits"] == 2
    assert main(["backends", "constnat"]) == 1
    assert "Did you mean 'constant'" in capsys.readouterr().err


def test_a_backend_may_be_given_as_an_object() -> None:
    with ExecutionSession(Circuit(2), Constant(ExecutionPreferences()), num_shots=4) as session:
        assert session.sample().counts == {"00": 4}


# remote -----------------------------------------------------------------------------------------------------------------
class Service(Constant):
    """A remote backend over a service that lives in a dictionary, and answers like one that is busy."""

    name = "service"

    def __init__(self, ends: RemoteState = RemoteState.COMPLETED) -> None:
        self.sent: dict[str, tuple[str, bytes]] = {}
        self.asked = 0
        self.ends = ends

    def prepare(self, program: Program, task: Task) -> Prepared:
        return Prepared(json.dumps(task.to_dict()).encode(), "application/json", len(task.rows))

    def submit(self, prepared: Prepared, client_ref: str) -> RemoteRef:
        self.sent[client_ref] = (f"task{len(self.sent)}", prepared.payload)
        return RemoteRef(self.sent[client_ref][0])

    def find(self, client_ref: str, since: Any = None) -> RemoteRef | None:
        return RemoteRef(self.sent[client_ref][0]) if client_ref in self.sent else None

    def status(self, ref: RemoteRef) -> RemoteStatus:
        self.asked += 1
        return RemoteStatus(RemoteState.RUNNING if self.asked < 3 else self.ends, message="as it went")

    def cancel(self, ref: RemoteRef) -> CancelOutcome:
        return CancelOutcome.UNSUPPORTED

    def fetch(self, ref: RemoteRef) -> RawResult:
        return RawResult(b'{"00": 5}', "application/json")

    def decode(self, raw: RawResult, prepared: Prepared, program: Program, task: Task) -> Sequence[Any]:
        return [ExecutionDetails.from_counts(json.loads(raw.body), program.outputs) for _ in range(prepared.circuits)]

    def cost(self, prepared: Prepared) -> None:
        return None


def test_a_remote_task_is_sent_once_however_often_it_is_tried() -> None:
    service, waits = Service(), []
    assert isinstance(service, RemoteBackend) and not isinstance(Constant(ExecutionPreferences()), RemoteBackend)
    program = read_program(Circuit(2))
    task = Task(TaskKind.SAMPLE, np.empty((1, 0)), False, 5, 1)
    (details,) = run_remotely(service, program, task, sleep=waits.append)
    assert details.counts == {"00": 5}
    assert waits == [1.0, 1.5]
    (ref,) = service.sent
    run_remotely(service, program, task, client_ref=ref, sleep=waits.append)
    assert len(service.sent) == 1
    with pytest.raises(SessionError, match="service ended task task0 as FAILED: as it went"):
        run_remotely(Service(RemoteState.FAILED), program, task, sleep=waits.append)
