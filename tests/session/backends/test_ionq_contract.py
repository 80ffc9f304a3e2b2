"""IonQ's contract: its OpenAPI file, the service of these tests, our adapter and IonQ's own client, each by the others.

Needs `QSIM_VENDOR_SPECS` and, for the client, `QSIM_VENDOR_VENVS`; see `vendor_specs`.
"""

# ruff: noqa: SIM117  (a server, then a session, then what is expected)
from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import vendor_specs
from ionq_service import KEY, IonQService
from loopback import loopback
from vendor_specs import OpenApi, ionq_openapi, overlaid

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from qsim import Circuit
from session import ExecutionSession, Pauli
from session.backends import remote
from session.backends.http import HttpClient
from session.backends.ionq import IonQBackend, decoding
from session.backends.profiles import Profile, define_profile, forget_profile
from session.backends.protocol import RawResult
from session.errors import ServiceRefused
from session.preferences import ExecutionPreferences
from session.programs import read_program
from session.tasks import Task, TaskKind

HEADERS = {"authorization": f"apiKey {KEY}"}
PROGRAM = 'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float t;\nqubit[3] q;\nbit[2] c;\nry(t) q[2];\ncx q[2], q[0];\nc[1] = measure q[2];\nc[0] = measure q[1];\n'  # fmt: skip


@pytest.fixture(scope="module")
def api() -> OpenApi:
    """IonQ's file with the overlay."""
    return OpenApi(overlaid(ionq_openapi()))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("IONQ_API_KEY", KEY)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(remote, "LONGEST_WAIT", 0.002)
    yield
    forget_profile("contract")


def preferences(url: str, **options: Any) -> ExecutionPreferences:
    define_profile(Profile("contract", "ionq", url + "/v0.4"))
    options = {"profile": "contract", **options}
    return ExecutionPreferences(backend="ionq", num_shots=1000, random_seed=7, backend_options=options)


# the file --------------------------------------------------------------------------------------------------------
def vendor_bodies() -> list[Any]:
    """The bodies of the examples of POST /jobs: those in its curl lines, and those of its schemas."""
    spec = ionq_openapi()
    samples = spec["paths"]["/jobs"]["post"]["x-codeSamples"]
    bodies = [json.loads(re.search(r"-d '(.*)'", one["source"], re.DOTALL)[1]) for one in samples]  # type: ignore[index]
    schemas = spec["components"]["schemas"]
    return [*bodies, *(schemas[name]["example"] for name in ("JobCreationPayload", "MultiCircuitJobCreationPayload"))]


def vendor_jobs() -> list[Any]:
    content = ionq_openapi()["paths"]["/jobs/{UUID}"]["get"]["responses"]["200"]["content"]["application/json"]
    return [one["value"] for one in content["examples"].values()]


def test_the_file_is_the_one_that_the_adapter_names(api: OpenApi) -> None:
    from session.backends.ionq.backend import TESTED_AGAINST

    date = re.search(r"Last updated: ([A-Z][a-z]+ \d+, \d{4})", api.spec["info"]["description"])
    assert date is not None
    assert date[1] in TESTED_AGAINST
    assert vendor_specs.IONQ_CORE[0] in TESTED_AGAINST


def test_the_vendors_own_examples_are_valid(api: OpenApi) -> None:
    bodies, jobs = vendor_bodies(), vendor_jobs()
    assert len(bodies) >= 5
    assert len(jobs) == 4
    for body in bodies:
        assert api.request("POST", "/jobs", HEADERS, json.dumps(body).encode()) == ""
    for job in jobs:
        assert api.reply("GET", "/jobs/x", 200, job) == ""
    listed = api.spec["paths"]["/jobs"]["get"]["responses"]["200"]["content"]["application/json"]["examples"]
    for one in listed.values():
        assert api.reply("GET", "/jobs", 200, one["value"]) == ""


def test_the_overlay_is_needed() -> None:
    """Without it the examples are invalid: ``nullable`` beside ``allOf`` means nothing in OpenAPI 3.0."""
    bare = OpenApi(ionq_openapi())
    assert all(bare.reply("GET", "/jobs/x", 200, job) for job in vendor_jobs())


MUTATIONS = {
    "shots": [0, -1, 1_000_001, "100", 1.5, None], "type": ["ionq.qasm2.v1", "", None, 7], "backend": [None, 7],
    "input": [None, {}, {"data": 7}, {"data": "x", "more": 1}, []], "metadata": [{"a": 1}, "x"], "surprise": [1],
    "dry_run": ["yes"], "noise": [{}, {"model": "ideal", "more": 1}, {"model": "ideal", "seed": "x"}], "name": [7],
    "settings": [7, {"error_mitigation": {"debiasing": "yes"}}],
}  # fmt: skip


def test_mutated_bodies_are_not_valid(api: OpenApi) -> None:
    made = IonQBackend(ExecutionPreferences(backend="ionq"))
    task = Task(TaskKind.SAMPLE, np.array([[0.3]]), False, 100, 7)
    body = {**json.loads(made.prepare(read_program(PROGRAM), task).payload), "metadata": {"qsim_job": "x"}}
    assert api.request("POST", "/jobs", HEADERS, json.dumps(body).encode()) == ""
    assert api.request("POST", "/jobs", {}, json.dumps(body).encode())
    for name, values in MUTATIONS.items():
        for value in values:
            wrong = {**body, name: value}
            assert api.request("POST", "/jobs", HEADERS, json.dumps(wrong).encode()), (name, value)
            if value is None:
                del wrong[name]
                assert name == "shots" or api.request("POST", "/jobs", HEADERS, json.dumps(wrong).encode()), name


def test_mutated_replies_are_not_valid(api: OpenApi) -> None:
    job = vendor_jobs()[0]
    wrong = [{**job, "status": "done"}, {**job, "more": 1}, {**job, "failure": {"code": "Sad", "message": ""}}]
    for name in ("id", "status", "results", "metadata", "failure"):
        wrong.append({k: v for k, v in job.items() if k != name})
    for one in wrong:
        assert api.reply("GET", "/jobs/x", 200, one)
    assert api.reply("POST", "/jobs", 201, {"id": "x", "status": "submitted"})
    assert api.reply("PUT", "/jobs/x/status/cancel", 200, {"id": "x", "status": "cancelled"})


def test_the_vendors_examples_of_results_are_read(api: OpenApi) -> None:
    schemas = api.spec["components"]["schemas"]
    seen = {}
    for format in decoding.FORMATS:
        _, _, kind, _, version = format.split(".")
        example = schemas[f"IonqResult{kind.capitalize()}Json{version.upper()}"]["example"]
        assert api.schema(f"IonqResult{kind.capitalize()}Json{version.upper()}", example) == ""
        seen[format] = decoding.read(format, example, decoding.Asked((0, 1), (), (0, 1), 1000, 7, False, 2))
    assert seen["ionq.result.shots.json.v2"] == {0b01: 1, 0b10: 1}
    assert seen["ionq.result.histogram.json.v2"] == {0b11: 500, 0b00: 500}
    assert seen["ionq.result.probabilities.json.v1"] == {0: 500, 1: 250, 3: 250}
    assert seen["ionq.result.shots.json.v1"] == {2: 1, 1: 1, 3: 1, 0: 1}


# our adapter -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [{}, {"format": "json"}, {"target": "qpu.forte-1", "debiasing": True},
                                     {"noise_model": "forte-1", "noise_seed": 3, "job_name": "a job"}])  # fmt: skip
def test_all_that_is_said_is_valid(api: OpenApi, options: dict[str, Any]) -> None:
    """Samples, batches, estimates, prices, searches, cancelling: each request and each reply by the file."""
    service = IonQService(api)
    observable = Pauli.Z(0) + 0.5 * Pauli.X(2)
    with loopback(otherwise=service.answer) as server:
        wanted = preferences(server.url, **options)
        with ExecutionSession(PROGRAM, num_shots=2000, execution_preferences=wanted) as session:
            sampled = session.sample({"t": math.pi})
            session.sample([{"t": 0.1}, {"t": 0.2}])
            session.estimate(observable, [{"t": 0.1}, {"t": 0.2}])
        made = IonQBackend(wanted)
        task = Task(TaskKind.SAMPLE, np.array([[0.3]]), False, 500, 7)
        prepared = made.prepare(read_program(PROGRAM), task)
        assert made.cost(prepared) is not None
        ref = made.submit(prepared, "ref-1")
        assert made.find("ref-1") == ref
        made.cancel(ref)
        made.status(ref)
        made.dry_run(read_program(PROGRAM), task, sleep=lambda seconds: None)
    assert sampled.counts == {"10": 2000}
    assert service.violations == []
    assert {request.method for request in server.requests} == {"GET", "POST", "PUT"}


def test_the_service_of_these_tests_refuses_what_the_file_does(api: OpenApi) -> None:
    """So that the tests of the adapter would see it."""
    service = IonQService(api)
    with loopback(otherwise=service.answer) as server:
        with HttpClient(server.url + "/v0.4", headers=lambda: {"Authorization": f"apiKey {KEY}"}) as http:
            for body in ({"type": "ionq.qasm2.v1"}, {"shots": 0, **vendor_bodies()[0], "more": 1}):
                with pytest.raises(ServiceRefused):
                    http.send("POST", "/jobs", json=copy.deepcopy(body))
    assert len(service.violations) == 2
    assert not service.jobs


# IonQ's own client -----------------------------------------------------------------------------------------------
CLIENT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from ionq_core import IonQClient
import ionq_core
from ionq_core.api.default import cancel_job, create_job, estimate_job_cost, get_job, get_job_artifact, get_jobs
from ionq_core.models.circuit_job_creation_payload import CircuitJobCreationPayload
url, key, body = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = IonQClient(api_key=key, base_url=url)
made = create_job.sync(client=client, body=CircuitJobCreationPayload.from_dict(body))
from ionq_core.polling import wait_for_job
job = wait_for_job(client, made.id, timeout=30, poll_interval=0.05) if "poll_interval" in wait_for_job.__code__.co_varnames \\
    else wait_for_job(client, made.id, timeout=30)
named = job.results.to_dict()
found = {name: get_job_artifact.sync_detailed(made.id, one["id"], client=client).content.decode()
         for name, one in named.items()}
second = create_job.sync(client=client, body=CircuitJobCreationPayload.from_dict(body))
cancelled = cancel_job.sync(second.id, client=client)
listed = get_jobs.sync(client=client)
price = estimate_job_cost.sync(client=client, backend="qpu.forte-1", shots=100)
print(json.dumps({"status": str(job.status), "metadata": job.metadata.to_dict(), "found": found, "jobs": len(listed.jobs),
                  "cancelled": str(cancelled.status), "price": price.to_dict()["estimated_unit"]}))
"""


@pytest.mark.parametrize("target", ["simulator", "qpu.forte-1"])
def test_ionqs_own_client_runs_our_body_on_the_same_service(api: OpenApi, target: str) -> None:
    service = IonQService(api)
    program = read_program(Circuit(3).x(2).measure_all())
    task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 50, 7)
    with loopback(otherwise=service.answer) as server:
        made = IonQBackend(preferences(server.url, target=target))
        prepared = made.prepare(program, task)
        body = {**json.loads(prepared.payload), "metadata": {"qsim_job": "theirs"}}
        said = vendor_specs.run_vendor("ionq", CLIENT, server.url + "/v0.4", KEY, json.dumps(body))
        ref = made.find("theirs")
        assert ref is not None
    assert service.violations == []
    assert said["status"] == "completed"
    assert said["metadata"] == {"qsim_job": "theirs"}
    assert said["cancelled"] == "canceled"
    assert said["price"] == "usd"
    for format, content in said["found"].items():
        envelope = {"id": "x", "children": [], "results": [{"format": format, "body": content}]}
        raw = RawResult(json.dumps(envelope).encode(), "application/json")
        results = made.decode(raw, prepared, program, task)
        assert results[0].counts == {"100": 50}, format  # type: ignore[union-attr]
