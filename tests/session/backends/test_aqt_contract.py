"""AQT's contract: the models of aqt-connector, the service of these tests, our adapter and AQT's own client.

Needs `QSIM_VENDOR_VENVS`; see `vendor_specs`.
"""

# ruff: noqa: SIM117  (a server, then a session, then what is expected)
from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import vendor_specs
from aqt_service import TOKEN, AQTService
from loopback import loopback
from vendor_specs import AqtModels

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from qsim import Circuit, Simulator
from session import ExecutionSession, Pauli
from session.backends import remote
from session.backends.aqt import AQTBackend
from session.backends.aqt.backend import TESTED_AGAINST
from session.backends.aqt.payload import GATES, MAX_CIRCUITS, MAX_OPERATIONS, MAX_REPETITIONS, operations
from session.backends.profiles import Profile, define_profile, forget_profile
from session.backends.protocol import RawResult
from session.preferences import ExecutionPreferences
from session.preparation import rebase
from session.programs import read_program
from session.tasks import Task, TaskKind

PROGRAM = 'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float t;\nqubit[3] q;\nbit[2] c;\nry(t) q[2];\ncx q[2], q[0];\nc[1] = measure q[2];\nc[0] = measure q[1];\n'  # fmt: skip


@pytest.fixture(scope="module")
def models() -> Iterator[AqtModels]:
    """The models of aqt-connector, in their own environment."""
    yield from vendor_specs.aqt_models()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AQT_TOKEN", TOKEN)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(remote, "LONGEST_WAIT", 0.002)
    yield
    forget_profile("contract")


def preferences(url: str, path: str = "/api/v1") -> ExecutionPreferences:
    define_profile(Profile("contract", "aqt", url + path, target="lab/ibex"))
    return ExecutionPreferences(backend="aqt", num_shots=3000, random_seed=7, backend_options={"profile": "contract"})


def our_body() -> dict[str, Any]:
    """A body as `submit` sends it."""
    task = Task(TaskKind.SAMPLE, np.array([[0.3]]), False, 100, 7)
    prepared = AQTBackend(ExecutionPreferences(backend="aqt", backend_options={"target": "lab/ibex"})).prepare(
        read_program(PROGRAM), task
    )
    return {**json.loads(prepared.payload), "label": "ref-1"}


def test_limits_are_those_of_the_models(models: AqtModels) -> None:
    schema = models.about["schemas"]["SubmitJobRequest"]["$defs"]
    assert schema["QuantumCircuits"]["properties"]["circuits"]["maxItems"] == MAX_CIRCUITS
    assert schema["Circuit"]["maxItems"] == MAX_OPERATIONS
    assert schema["QuantumCircuit"]["properties"]["repetitions"]["maximum"] == MAX_REPETITIONS
    assert vendor_specs.AQT_CONNECTOR[0] in TESTED_AGAINST


def test_our_body_is_valid_and_mutated_ones_are_not(models: AqtModels) -> None:
    body = our_body()
    assert models.check("SubmitJobRequest", body) == ""
    circuit = body["payload"]["circuits"][0]
    gates = circuit["quantum_circuit"]
    kinds = {one["operation"]: k for k, one in enumerate(gates)}
    assert set(kinds) == {"R", "RZ", "RXX", "MEASURE"}

    def mutated(change: Any) -> dict[str, Any]:
        made = copy.deepcopy(body)
        change(made, made["payload"]["circuits"][0], made["payload"]["circuits"][0]["quantum_circuit"])
        return made

    changes = [
        lambda b, c, g: b.update(job_type="circuit"),
        lambda b, c, g: b.update(label=7),
        lambda b, c, g: b.update(more=1),
        lambda b, c, g: b["payload"].update(circuits=[]),
        lambda b, c, g: b["payload"].update(circuits=[c] * 51),
        lambda b, c, g: c.update(repetitions=0),
        lambda b, c, g: c.update(repetitions=2001),
        lambda b, c, g: c.update(number_of_qubits=2),
        lambda b, c, g: c.update(number_of_qubits=32),
        lambda b, c, g: g.pop(),
        lambda b, c, g: g.append({"operation": "MEASURE"}),
        lambda b, c, g: g[kinds["R"]].update(theta=1.01),
        lambda b, c, g: g[kinds["R"]].update(phi=-0.01),
        lambda b, c, g: g[kinds["R"]].update(phi=2.01),
        lambda b, c, g: g[kinds["R"]].update(qubit=-1),
        lambda b, c, g: g[kinds["R"]].update(more=1),
        lambda b, c, g: g[kinds["R"]].update(operation="RX"),
        lambda b, c, g: g[kinds["RXX"]].update(theta=0.51),
        lambda b, c, g: g[kinds["RXX"]].update(theta=-0.1),
        lambda b, c, g: g[kinds["RXX"]].update(qubits=[0]),
        lambda b, c, g: g[kinds["RXX"]].update(qubits=[1, 1]),
        lambda b, c, g: g[kinds["RZ"]].pop("phi"),
        lambda b, c, g: g.extend([g.pop(), *[]]) or g.insert(0, {"operation": "MEASURE"}),
        lambda b, c, g: g.__setitem__(slice(0, 0), [g[kinds["RZ"]]] * 2000),
    ]
    for number, change in enumerate(changes):
        assert models.check("SubmitJobRequest", mutated(change)), f"mutation {number} is taken for valid"


def test_replies_of_the_service_are_checked(models: AqtModels) -> None:
    about = {"job_id": "00000000-0000-0000-0000-000000000000", "job_type": "quantum_circuit", "label": None,
             "resource_id": "ibex", "workspace_id": "lab"}  # fmt: skip
    good = [{"status": "queued"}, {"status": "ongoing", "finished_count": 0}, {"status": "error", "message": "x"},
            {"status": "cancelled"}, {"status": "finished", "result": {"0": [[0, 1]]}}]  # fmt: skip
    bad = [{"status": "done"}, {"status": "ongoing"}, {"status": "finished"}, {"status": "error"},
           {"status": "finished", "result": {"0": [[0, 2]]}}, {"status": "finished", "result": [[0]]}]  # fmt: skip
    for one in good:
        assert models.check("ResultResponse", {"job": about, "response": one}) == ""
    for one in bad:
        assert models.check("ResultResponse", {"job": about, "response": one})
    assert models.check("ResultResponse", {"job": {**about, "job_id": "7"}, "response": good[0]})


def test_all_that_is_said_is_valid(models: AqtModels) -> None:
    service = AQTService(models)
    with loopback(otherwise=service.answer) as server:
        with ExecutionSession(PROGRAM, execution_preferences=preferences(server.url)) as session:
            sampled = session.sample({"t": np.pi})
            session.sample([{"t": 0.1}, {"t": 0.2}])
            session.estimate(Pauli.Z(0) + 0.5 * Pauli.X(2), [{"t": 0.1}, {"t": 0.2}])
    assert sampled.counts == {"10": 3000}
    assert service.violations == []
    assert len(service.jobs) == 3


CLIENT = """
import json, sys, tempfile, pathlib, uuid
from aqt_connector import ArnicaApp, ArnicaConfig, fetch_job_state, wait_for_final_state
config = ArnicaConfig(pathlib.Path(tempfile.mkdtemp()))
config.arnica_url, config.store_access_token = sys.argv[1], False
from aqt_connector.models.arnica.request_bodies.jobs import SubmitJobRequest
import httpx
body = SubmitJobRequest.model_validate_json(sys.argv[3])
headers = {"Authorization": "Bearer " + sys.argv[2]}
made = httpx.post(sys.argv[1] + "/v1/submit/lab/ibex", content=body.model_dump_json(), headers=headers).json()
with ArnicaApp(config) as app:
    job = uuid.UUID(made["job"]["job_id"])
    first = fetch_job_state(app, job, api_token=sys.argv[2])
    last = wait_for_final_state(app, job, api_token=sys.argv[2], query_interval_seconds=0.01, out=sys.stderr)
print(json.dumps({"job": str(job), "first": first.status.value, "last": last.model_dump(mode="json", exclude_unset=True)}))
"""


def test_aqts_own_client_reads_the_same_service(models: AqtModels) -> None:
    """It submits our body through its models and waits for the result, which our adapter then decodes."""
    service = AQTService(models)
    program = read_program(Circuit(3).x(2).measure_all())
    task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 50, 7)
    with loopback(otherwise=service.answer) as server:
        made = AQTBackend(preferences(server.url))
        prepared = made.prepare(program, task)
        body = json.dumps({**json.loads(prepared.payload), "label": "theirs"})
        said = vendor_specs.run_vendor("aqt", CLIENT, server.url + "/api", TOKEN, body)
    assert service.violations == []
    assert said["first"] == "queued"
    raw = RawResult(json.dumps({"job": {"job_id": said["job"]}, "response": said["last"]}).encode(), "application/json")
    assert made.decode(raw, prepared, program, task)[0].counts == {"100": 50}  # type: ignore[union-attr]


CLOUD = """
import json, pathlib, sys, tempfile, warnings
warnings.simplefilter("ignore")
from aqt_connector import ArnicaConfig
from qiskit import QuantumCircuit, transpile
from qiskit_aqt_provider._cloud.provider import CloudProvider
config = ArnicaConfig(pathlib.Path(tempfile.mkdtemp()))
config.arnica_url, config.store_access_token = sys.argv[1], False
provider = CloudProvider(config)
provider._arnica.auth_service.get_or_refresh_access_token = lambda *args: sys.argv[2]  # in the place of logging in
provider._set_access_token(sys.argv[2])
backend = provider.fetch_workspaces().get_by_id("lab").get_backend("ibex")
circuit = QuantumCircuit(3, 3)
circuit.h(0), circuit.cx(0, 1), circuit.x(2), circuit.measure([0, 1, 2], [0, 1, 2])
job = backend.run(transpile(circuit, backend), shots=400)
counts = job.result(wait=0.01).get_counts()
print(json.dumps({"counts": dict(counts), "circuits": backend.max_circuits, "shots": backend.MAX_SHOTS,
                  "qubits": backend.target.num_qubits}))
"""


def test_aqts_qiskit_cloud_provider_runs_on_the_same_service(models: AqtModels) -> None:
    """The paths that it submits to and reads from, its limits and its body are those of our adapter."""
    service = AQTService(models)
    with loopback(otherwise=service.answer) as server:
        said = vendor_specs.run_vendor("aqt", CLOUD, server.url + "/api", TOKEN)
        theirs = [(request.method, request.path) for request in server.requests]
        before = len(server.requests)
        circuit = Circuit(3, 3).h(0).cx(0, 1).x(2).measure(range(3), range(3))
        with ExecutionSession(circuit, execution_preferences=preferences(server.url)) as session:
            counts = session.sample(num_shots=400).counts
        ours = [(request.method, request.path) for request in server.requests[before:]]
    assert service.violations == []
    assert set(said["counts"]) == set(counts) == {"100", "111"}
    assert (said["circuits"], said["shots"], said["qubits"]) == (MAX_CIRCUITS, MAX_REPETITIONS, 12)
    first, second = ([re.sub("[0-9a-f-]{36}", "ID", path) for _, path in calls] for calls in (theirs, ours))
    assert set(second) <= set(first)
    one, other = (job.body for job in service.jobs.values())
    assert one.keys() == other.keys() == {"job_type", "label", "payload"}
    assert one["payload"]["circuits"][0].keys() == other["payload"]["circuits"][0].keys()


PROVIDER = """
import json, math, sys, warnings
warnings.simplefilter("ignore")
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector
from qiskit_aqt_provider._transformers import qiskit_to_aqt_circuit
found = []
for n, operations in json.loads(sys.argv[1]):
    circuit = QuantumCircuit(n)
    for one in operations[:-1]:
        if one["operation"] == "RZ":
            circuit.rz(math.pi * one["phi"], one["qubit"])
        elif one["operation"] == "R":
            circuit.r(math.pi * one["theta"], math.pi * one["phi"], one["qubit"])
        else:
            circuit.rxx(math.pi * one["theta"], *one["qubits"])
    state = Statevector(circuit).data
    circuit.measure_all()
    theirs = json.loads(qiskit_to_aqt_circuit(circuit).model_dump_json())
    found.append({"theirs": theirs, "real": state.real.tolist(), "imag": state.imag.tolist()})
print(json.dumps(found))
"""


def test_aqts_qiskit_provider_means_the_same_by_our_operations() -> None:
    """Its translation out of Qiskit's gates gives the operations that we send, and Qiskit's state is our engine's."""
    rng = np.random.default_rng(11)
    sent, states = [], []
    for _ in range(12):
        circuit = Circuit(3)
        for _ in range(10):
            a, b, c = (int(q) for q in rng.permutation(3))
            angle = float(rng.uniform(-4, 4))
            [lambda: circuit.u(angle, 1.0, -2.0, a), lambda: circuit.cx(a, b), lambda: circuit.ccx(a, b, c),  # noqa: B023
             lambda: circuit.rzz(angle, a, b), lambda: circuit.iswap(a, b)][int(rng.integers(5))]()  # noqa: B023  # fmt: skip
        sent.append((3, operations(rebase(circuit, GATES, small_angles=True))))
        states.append(Simulator().statevector(circuit))
    said = vendor_specs.run_vendor("aqt", PROVIDER, json.dumps(sent))
    for (_, ours), state, one in zip(sent, states, said, strict=True):
        assert [gate["operation"] for gate in one["theirs"]] == [gate["operation"] for gate in ours]
        for theirs, own in zip(one["theirs"], ours, strict=True):
            assert {k: v for k, v in theirs.items() if k not in ("theta", "phi")} == {
                k: v for k, v in own.items() if k not in ("theta", "phi")
            }
            for angle in ("theta", "phi"):
                assert theirs.get(angle) == pytest.approx(own.get(angle), abs=1e-12)
        found = np.array(one["real"]) + 1j * np.array(one["imag"])
        assert abs(abs(np.vdot(state, found)) - 1) < 1e-9
