"""A vendor that does not exist: its service on loopback, and an adapter for it as a plug-in would bring it.

The service runs OpenQASM 3 on this package's engine and answers with bits by their index. It keeps what it was sent, so
that a test can count how often each task arrived.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from loopback import Answer, Loopback, Received, loopback, reply

from parsers import dumps, loads
from qsim import Simulator
from session import ExecutionPreferences
from session.backends.experiments import experiments, results_of
from session.backends.http import HttpClient
from session.backends.http_replies import Reply, segment
from session.backends.profiles import resolve_profile
from session.backends.protocol import (
    CancelOutcome,
    Capabilities,
    Cost,
    Prepared,
    RawResult,
    RemoteRef,
    RemoteState,
    RemoteStatus,
)
from session.errors import BadReply
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind

KEY = "canary-toy-5d1f8b70c2e94a36"
STATES = {
    "waiting": RemoteState.QUEUED,
    "busy": RemoteState.RUNNING,
    "done": RemoteState.COMPLETED,
    "broken": RemoteState.FAILED,
    "stopped": RemoteState.CANCELLED,
}


# the service ------------------------------------------------------------------------------------------------------
@dataclass
class ToyService:
    """What the service has. `words` are what it says of a task when it is asked, one after the other."""

    server: Loopback
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    words: list[str] = field(default_factory=lambda: ["waiting", "busy", "done"])
    tokens: bool = False
    once: bool = False
    faults: list[tuple[str, str, Answer]] = field(
        default_factory=list
    )  # method, pattern of the path, answer; each once
    after: list[tuple[str, Answer]] = field(default_factory=list)  # for POST: done, but answered so
    calls: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)
    on_submit: Callable[[], None] = lambda: None

    def answer(self, request: Received) -> Answer:
        """Do what a request asks for."""
        with self.guard:
            self.calls.append(f"{request.method} {request.path}")
            for one in self.faults:
                if one[0] == request.method and re.search(one[1], request.path):
                    self.faults.remove(one)
                    return one[2]
            if request.headers.get("authorization") != f"Bearer {KEY}":
                return reply(401, {"message": f"bad key {request.headers.get('authorization')}"})
            parts = urlsplit(request.path)
            if request.method == "POST" and parts.path == "/v1/jobs":
                return self._submit(json.loads(request.body))
            if request.method == "GET" and parts.path == "/v1/jobs":
                refs = parse_qs(parts.query)["ref"]
                return reply(200, {"jobs": [{"id": i} for i, job in self.jobs.items() if job["ref"] in refs]})
            _, _, _, job_id, *rest = parts.path.split("/")
            if job_id not in self.jobs:
                return reply(404, {"message": "no such job"})
            return self._one(self.jobs[job_id], rest, request.method)

    def _submit(self, body: dict[str, Any]) -> Answer:
        known = next((i for i, job in self.jobs.items() if job["ref"] == body["ref"]), None)
        job_id = known if self.tokens and known else f"toy-{uuid.uuid4()}"
        if job_id not in self.jobs:
            self.jobs[job_id] = {"ref": body["ref"], "body": body, "words": list(self.words), "fetched": 0}
        self.on_submit()
        if self.after:
            return self.after.pop(0)[1]
        return reply(201, {"id": job_id})

    def _one(self, job: dict[str, Any], rest: list[str], method: str) -> Answer:
        if method == "PUT" and rest == ["cancel"]:
            if job["words"][0] in ("done", "broken"):
                return reply(409, {"message": "too late"})
            job["words"] = ["stopped"]
            return reply(200, {})
        if rest == ["result"]:
            job["fetched"] += 1
            if self.once and job["fetched"] > 1:
                return reply(410, {"message": "a result is given once"})
            return reply(200, {"circuits": [_ran(one, job["body"]["shots"]) for one in job["body"]["circuits"]]})
        word = job["words"].pop(0) if len(job["words"]) > 1 else job["words"][0]
        return reply(
            200, {"status": word, "position": 3 if word == "waiting" else None, "message": "as it went", "eta": 90}
        )


def _ran(text: str, shots: int) -> list[Any]:
    found = Simulator().sample(loads(text), shots, seed=1)
    return [[[int(bit) for bit in reversed(key.replace(" ", ""))], n] for key, n in found.items()]


@contextmanager
def toy_service(**settings: Any) -> Iterator[ToyService]:
    """The service, running."""
    with loopback() as server:
        service = ToyService(server, **settings)
        server.otherwise = service.answer
        yield service


def install(folder: Path, url: str, key: str = "environment", target: str = "toy-1") -> None:
    """What makes the adapter known: an installed distribution in `folder`, and a profile in `folder`/config."""
    info = folder / "toy_vendor-1.2.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-vendor\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[qsim.adapters]\ntoy = toy:ToyBackend\n")
    config = folder / "config"
    config.mkdir(exist_ok=True)
    text = f'[toy]\nadapter = "toy"\nendpoint = "{url}/v1"\ntarget = "{target}"\nenvironment = "TOY_KEY"\n'
    (config / "profiles.toml").write_text(text)
    (config / "profiles.toml").chmod(0o600)


# the adapter --------------------------------------------------------------------------------------------------------
class ToyBackend:
    """An adapter like those of real services; `idempotency` and `grace_sec` come from the options, for tests."""

    api_version = 1
    name = "toy"
    provider = "Toy Vendor"

    def __init__(self, preferences: ExecutionPreferences) -> None:
        found = resolve_profile(preferences, "toy", endpoint="https://api.toy.example/v1", target="toy-1")
        self._idempotency = str(preferences.backend_options.get("idempotency", "search"))
        self._grace = float(preferences.backend_options.get("grace_sec", 120.0))
        self.profile, self.endpoint, self.target = found.name, found.origin, found.target
        self._http = HttpClient(
            found.endpoint,
            headers=lambda: {"Authorization": f"Bearer {found.secret('TOY_KEY').reveal()}"},
            sleep=lambda seconds: None,
            timeouts=(0.5, 0.5),
        )

    def capabilities(self) -> Capabilities:
        return Capabilities(
            operations=frozenset((TaskKind.SAMPLE, TaskKind.ESTIMATE)),
            num_qubits=10,
            max_shots=100_000,
            accepts=frozenset(("openqasm3",)),
            feed_forward=True,
            precision="shots",
            is_remote=True,
            idempotency=self._idempotency,
            resumable=True,
            cancel=True,
            cost=True,
            grace_sec=self._grace,
            tested_against="the toy service of the tests",
        )

    def check(self, program: Program, task: Task) -> None:
        pass

    def run(self, program: Program, task: Task) -> Sequence[Result]:
        raise AssertionError("a session runs remote backends step by step")

    def prepare(self, program: Program, task: Task) -> Prepared:
        made = experiments(program, task)
        texts = [dumps(one.circuit, version="3.0") for one in made]
        body = {"circuits": texts, "shots": task.num_shots, "target": self.target}
        return Prepared(json.dumps(body).encode(), "application/json", len(made))

    def submit(self, prepared: Prepared, client_ref: str) -> RemoteRef:
        body = {**json.loads(prepared.payload), "ref": client_ref}
        found = self._http.send("POST", "/jobs", json=body).object()
        if not isinstance(found.get("id"), str):
            raise BadReply("The toy service gave no id.")
        return RemoteRef(found["id"], self.endpoint, self.target)

    def find(self, client_ref: str, since: datetime | None = None) -> RemoteRef | None:
        if self._idempotency in ("token", "none"):
            return None
        jobs = self._http.get("/jobs", params={"ref": client_ref}).object()["jobs"]
        return RemoteRef(jobs[0]["id"], self.endpoint, self.target) if jobs else None

    def status(self, ref: RemoteRef) -> RemoteStatus:
        said = self._http.get(f"/jobs/{segment(ref.remote_id)}").object()
        return RemoteStatus.of(
            said["status"], STATES, message=said["message"], queue_position=said["position"], eta_sec=said.get("eta")
        )

    def cancel(self, ref: RemoteRef) -> CancelOutcome:
        answer = self._http.send("PUT", f"/jobs/{segment(ref.remote_id)}/cancel", repeatable=True, expect=(409,))
        return CancelOutcome.ALREADY_FINAL if answer.status == 409 else CancelOutcome.REQUESTED

    def fetch(self, ref: RemoteRef) -> RawResult:
        answer = self._http.get(f"/jobs/{segment(ref.remote_id)}/result")
        return RawResult(answer.body, answer.media_type)

    def decode(self, raw: RawResult, prepared: Prepared, program: Program, task: Task) -> list[Result]:
        data = Reply(200, {"content-type": raw.media_type}, raw.body, "GET", "/result").object()
        try:
            found = [
                {sum(int(bit) << k for k, bit in enumerate(bits)): int(n) for bits, n in circuit}
                for circuit in data["circuits"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise BadReply(f"The toy service gave a result that is none: {error!r}.") from None
        if len(found) != prepared.circuits:
            raise BadReply(f"The toy service gave {len(found)} results for {prepared.circuits} circuits.")
        return results_of(program, task, found, {"backend": self.name})

    def cost(self, prepared: Prepared) -> Cost | None:
        return Cost(0.01 * prepared.circuits, "USD", "a cent a circuit")
