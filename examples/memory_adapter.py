"""An adapter from beginning to end: for a service that lives in this process and runs circuits on the engine.

A real one differs in what stands between `submit` and `fetch`: requests by `session.backends.http.HttpClient`, with the
credential of `Profile.secret`. Run this file to see a job go there and come back; `pytest examples/memory_adapter.py`
runs the suite for adapters on it.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from parsers import dumps, loads
from qsim import Circuit, Simulator
from session import ExecutionPreferences, ExecutionSession
from session.backends import CancelOutcome, Capabilities, Prepared, RawResult, RemoteRef, RemoteState, RemoteStatus
from session.backends.experiments import experiments, results_of
from session.backends.remote import run_remotely
from session.errors import BadReply, ServiceRefused
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind
from session.testing import AdapterConformance

#: The service's words for where a task is, and ours.
STATES = {"queued": RemoteState.QUEUED, "running": RemoteState.RUNNING, "done": RemoteState.COMPLETED}


class Service:
    """What would be a vendor: takes a token and OpenQASM 3, answers with the bits of each circuit by their index."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}

    def post(self, token: str, body: bytes) -> str:
        """Take a task; one with the same token is the same task."""
        self.tasks.setdefault(token, {"body": json.loads(body), "words": ["queued", "running", "done"]})
        return token

    def word(self, task_id: str) -> str:
        """Where a task is; each question brings it on."""
        words = self.tasks[task_id]["words"]
        return str(words.pop(0) if len(words) > 1 else words[0])

    def result(self, task_id: str) -> bytes:
        """The outcomes of each circuit: [bits by index, shots]."""
        body = self.tasks[task_id]["body"]
        found = [Simulator().sample(loads(text), body["shots"], seed=7) for text in body["circuits"]]
        rows = [[[[int(bit) for bit in reversed(key.replace(" ", ""))], n] for key, n in one.items()] for one in found]
        return json.dumps({"circuits": rows}).encode()


SERVICE = Service()


class MemoryBackend:
    """The adapter. It holds no state but its options, so that another process can make it again."""

    api_version = 1
    name = "memory"
    provider = "This process"

    def __init__(self, preferences: ExecutionPreferences) -> None:
        self.target = str(preferences.backend_options.get("target", "simulator"))

    def capabilities(self) -> Capabilities:
        """What it can do: tasks are checked against this before anything is prepared."""
        return Capabilities(
            operations=frozenset((TaskKind.SAMPLE, TaskKind.ESTIMATE)),
            num_qubits=12,
            max_shots=100_000,
            accepts=frozenset(("openqasm3",)),
            precision="shots",
            is_remote=True,
            idempotency="token",
            resumable=True,
            tested_against="the service in this file",
        )

    def check(self, program: Program, task: Task) -> None:
        """What the capabilities cannot say."""

    def run(self, program: Program, task: Task) -> list[Result]:
        """All steps in one; a session takes them one by one, and stores what each gives."""
        return run_remotely(self, program, task)

    def prepare(self, program: Program, task: Task) -> Prepared:
        """The task as the service takes it: pure, offline, the same bytes each time."""
        made = experiments(program, task)  # circuits with numbers for their parameters
        body = {"circuits": [dumps(one.circuit, version="3.0") for one in made], "shots": task.num_shots}
        return Prepared(json.dumps(body).encode(), "application/json", len(made))

    def submit(self, prepared: Prepared, client_ref: str) -> RemoteRef:
        """Send it. The same `client_ref` again is the same task: that is what "token" promises."""
        return RemoteRef(SERVICE.post(client_ref, prepared.payload), target=self.target)

    def find(self, client_ref: str, since: datetime | None = None) -> RemoteRef | None:
        """Not needed with tokens."""
        return None

    def status(self, ref: RemoteRef) -> RemoteStatus:
        """Where it is; a word that is not in the table is waited for."""
        self._known(ref)
        return RemoteStatus.of(SERVICE.word(ref.remote_id), STATES)

    def cancel(self, ref: RemoteRef) -> CancelOutcome:
        """This service cancels nothing, and `capabilities` says so."""
        return CancelOutcome.UNSUPPORTED

    def fetch(self, ref: RemoteRef) -> RawResult:
        """The reply as it comes; it is stored before `decode` sees it."""
        self._known(ref)
        return RawResult(SERVICE.result(ref.remote_id), "application/json")

    def decode(self, raw: RawResult, prepared: Prepared, program: Program, task: Task) -> list[Result]:
        """Results out of a reply: pure, offline, and an error of this package for a reply that is none."""
        try:
            outcomes = [
                {sum(int(bit) << k for k, bit in enumerate(bits)): int(n) for bits, n in circuit}
                for circuit in json.loads(raw.body)["circuits"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise BadReply(f"The reply is no result: {error!r}.") from None
        if len(outcomes) != prepared.circuits:
            raise BadReply(f"The reply has {len(outcomes)} circuits, {prepared.circuits} were sent.")
        return results_of(program, task, outcomes, {"backend": self.name})

    def cost(self, prepared: Prepared) -> None:
        """Nobody publishes a price."""

    def _known(self, ref: RemoteRef) -> None:
        if ref.remote_id not in SERVICE.tasks:
            raise ServiceRefused(f"There is no task {ref.remote_id!r}.", status=404)


class TestMemoryBackend(AdapterConformance):
    """The suite for adapters."""

    def make_backend(self) -> MemoryBackend:
        """A new one, as after a restart."""
        return MemoryBackend(ExecutionPreferences())

    def tasks_taken(self) -> int:
        """So that the suite can count."""
        return len(SERVICE.tasks)

    def make_service_say(self, ref: RemoteRef, word: str) -> bool:
        """So that the suite can have it say a word that nobody knows."""
        SERVICE.tasks[ref.remote_id]["words"] = [word]
        return True


if __name__ == "__main__":
    backend = MemoryBackend(ExecutionPreferences())
    with ExecutionSession(Circuit(2).h(0).cx(0, 1), backend, num_shots=1000) as session:
        job = session.submit_sample()
        print(job.result().counts)
        print(job.remote_tasks[0].word, job.remote_tasks[0].client_ref)
