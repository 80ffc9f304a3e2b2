"""The steps of a task on IonQ: `session.backends.protocol.RemoteBackend` over API v0.4."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from session.backends.credentials import Secret
from session.backends.experiments import Experiment, results_of
from session.backends.http import HttpClient, Reply
from session.backends.http_backend import QUICK, HttpBackend, qubits_of
from session.backends.http_replies import segment
from session.backends.ionq import decoding
from session.backends.ionq.options import MAX_CIRCUITS, MAX_SHOTS, IonQOptions
from session.backends.ionq.payload import CIRCUIT, payload
from session.backends.ionq.printing import QASM3_GATES
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
    clock_slack,
)
from session.errors import BadReply, ServiceError, ServiceRefused, SessionError
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind

ENDPOINT, TARGET, VARIABLE = "https://api.ionq.co/v0.4", "simulator", "IONQ_API_KEY"
TESTED_AGAINST = "IonQ's OpenAPI file of v0.4, October 1, 2026 (ionq-core 0.2.0); not run on the live service"
#: The key of a job's metadata that has our reference, by which a job is found again.
REFERENCE = "qsim_job"
STATES = {
    "submitted": RemoteState.QUEUED,
    "ready": RemoteState.QUEUED,
    "started": RemoteState.RUNNING,
    "completed": RemoteState.COMPLETED,
    "failed": RemoteState.FAILED,
    "canceled": RemoteState.CANCELLED,
}
_PAGE, _PAGES = 100, 200  # jobs a page, and pages at most, that are searched
_LONGEST_WAIT = 60.0
_MOST_MONEY = 1e15  # beyond that it is no price
_LONGEST_TOLD = 1e15  # ms; what is more is no prediction


class IonQBackend(HttpBackend):
    """Runs tasks on IonQ's devices and its simulator.

    Everything comes from shots. IonQ's ideal simulator gives probabilities instead, of which the shots that were asked
    for are drawn with the task's seed. A task is one job, whatever its parameter sets and groups of terms.

    Args:
        preferences: `backend_options` may have ``profile``, ``target`` ("simulator", "qpu.forte-1", ...) and what
            `IonQOptions` has.
        credential: gives the API key; None for the profile's, the variable ``IONQ_API_KEY`` or the keyring.

    >>> from session.preferences import ExecutionPreferences
    >>> IonQBackend(ExecutionPreferences(backend_options={"target": "qpu.forte-1"})).target
    'qpu.forte-1'
    """

    name = "ionq"
    provider = "IonQ"
    #: How circuits are rebased and checked, for an emulation of the target.
    preparation: ClassVar[dict[str, bool]] = {"merge": False, "delays": False}

    def __init__(
        self, preferences: ExecutionPreferences, *, credential: Callable[[], str | Secret] | None = None
    ) -> None:
        if preferences.noise is not None:
            raise SessionError(
                "Backend 'ionq' takes no noise model of this package. Its simulator imitates devices: "
                "backend_options={'noise_model': 'forte-1'}."
            )
        self._profile = resolve_profile(preferences, "ionq", endpoint=ENDPOINT, target=TARGET)
        given = {**self._profile.options, **preferences.backend_options}
        self._options = IonQOptions.read({k: v for k, v in given.items() if k not in ("profile", "target")})
        self._credential = credential
        self._http = HttpClient(self._profile.endpoint, headers=self._headers)
        self._open = HttpClient(self._profile.endpoint, budget=QUICK)  # GET /backends takes no key
        self._read: dict[str, dict[str, str]] = {}  # what was read of children of a job that is being fetched

    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"apiKey {self._profile.secret(VARIABLE, explicit=self._credential).reveal()}"}

    # what it is ---------------------------------------------------------------------------------------------
    def _can(self, device: Mapping[str, Any]) -> Capabilities:
        return Capabilities(
            operations=frozenset((TaskKind.SAMPLE, TaskKind.ESTIMATE)),
            num_qubits=qubits_of(device.get("qubits")),
            max_shots=MAX_SHOTS,
            gates=QASM3_GATES,
            accepts=frozenset(("openqasm3",)),
            feed_forward=False,
            precision="shots",
            is_remote=True,
            idempotency="search",
            resumable=True,
            max_circuits=MAX_CIRCUITS,
            mid_circuit=self._options.mid_circuit,
            cancel=True,
            cost=True,
            tested_against=TESTED_AGAINST,
        )

    def _look(self) -> dict[str, Any]:
        listed = self._open.get("/backends").json()
        entries = listed if isinstance(listed, list) else listed.get("backends") or ()
        return next((one for one in entries if one.get("backend") == self.target), {})

    def _payload(self, made: Sequence[Experiment]) -> Prepared:
        return payload(made, self.target, self._options)

    def check(self, program: Program, task: Task) -> None:
        """Raise when the task cannot be run: a gate or statement by name and line, or a limit."""
        device = self._ask()
        if device.get("status") == "retired":
            raise SessionError(f"IonQ's target '{self.target}' is retired. Choose another.")
        mitigations = device.get("supported_error_mitigations")
        if self._options.debiasing and isinstance(mitigations, list) and "debiasing" not in mitigations:
            raise SessionError(f"IonQ's target '{self.target}' has no debiasing. Leave the option out.")
        super().check(program, task)

    # a task -------------------------------------------------------------------------------------------------
    def submit(self, prepared: Prepared, client_ref: str) -> RemoteRef:
        """Send it, with our reference in the job's metadata."""
        body = json.loads(prepared.payload)
        body["metadata"] = {REFERENCE: client_ref}
        return self._ref(self._http.send("POST", "/jobs", json=body), "id")

    def _ref(self, reply: Reply, name: str) -> RemoteRef:
        identity = reply.object().get(name)
        if not isinstance(identity, str) or not identity:
            raise BadReply(f"IonQ took the job and gave no {name} for it.", method="POST", path="/jobs")
        return RemoteRef(identity, self.endpoint, self.target)

    def find(self, client_ref: str, since: datetime | None = None) -> RemoteRef | None:
        """The job that has our reference in its metadata, among those since a time, newest first."""
        start = clock_slack(since)
        params: dict[str, Any] = {"limit": _PAGE}
        seen: set[str] = set()
        for _ in range(_PAGES):
            page = self._http.get("/jobs", params=params).object()
            jobs = page.get("jobs")
            if not isinstance(jobs, list):
                raise BadReply("IonQ's list of jobs has no 'jobs'.", method="GET", path="/jobs")
            for job in jobs:
                if _is_ours(job, client_ref):
                    return RemoteRef(str(job["id"]), self.endpoint, str(job.get("backend") or self.target))
            following = page.get("next")
            if not isinstance(following, str) or not following.isprintable() or not following:
                return None
            if following in seen or _all_before(jobs, start):
                return None
            seen.add(following)
            params = {"limit": _PAGE, "next": following}
        raise BadReply(f"IonQ has more than {_PAGE * _PAGES:,} jobs since then; the search was given up.")

    def status(self, ref: RemoteRef) -> RemoteStatus:
        """Where the job is, with IonQ's reason when it failed."""
        job = self._http.get(f"/jobs/{segment(ref.remote_id)}").object()
        failure = job.get("failure")
        message = ""
        if isinstance(failure, dict):
            message = ": ".join(str(failure[k]) for k in ("code", "message") if failure.get(k))[:2000]
        eta = _predicted(job)
        wait = None if eta is None else min(eta / 2, _LONGEST_WAIT) or None
        return RemoteStatus.of(str(job.get("status")), STATES, message=message, retry_after_sec=wait, eta_sec=eta)

    def cancel(self, ref: RemoteRef) -> CancelOutcome:
        """Ask IonQ to cancel; what is final stays as it is."""
        path = f"/jobs/{segment(ref.remote_id)}/status/cancel"
        reply = self._http.send("PUT", path, repeatable=True, expect=(400, 404, 409, 422))
        if reply.status < 400:
            return CancelOutcome.REQUESTED
        status = self.status(ref)
        if status.state.is_final:
            return CancelOutcome.ALREADY_FINAL
        raise ServiceRefused(f"IonQ did not cancel job {ref.remote_id}, which is {status.raw}.", status=reply.status)

    def fetch(self, ref: RemoteRef) -> RawResult:
        """What IonQ gave, text by text: of each circuit the format that tells most."""
        path = f"/jobs/{segment(ref.remote_id)}"
        job = self._http.get(path).object()
        told, named = job.get("child_job_ids"), _results(job)
        children = self._in_order(ref.remote_id, [str(one) for one in told]) if isinstance(told, list) else []
        if children and decoding.AGGREGATE in named:
            results = [self._artifact(ref.remote_id, named[decoding.AGGREGATE], decoding.AGGREGATE)]
        elif children:
            results = [self._child(one) for one in children]
        else:
            results = [self._best(ref.remote_id, job)]
        for one in children:  # only its own: other jobs may be fetched by other threads
            self._read.pop(one, None)
        envelope = {"id": ref.remote_id, "backend": job.get("backend"), "children": children, "results": results}
        return RawResult(json.dumps(envelope).encode(), "application/json")

    def _in_order(self, identity: str, children: list[str]) -> list[str]:
        """The jobs of a job's circuits in the order of the circuits, by their names; as IonQ lists them where it keeps none."""
        numbers: dict[str, int] = {}
        params: dict[str, Any] = {"parent_job_id": identity, "limit": _PAGE}
        with contextlib.suppress(ServiceError):
            for _ in range(len(children)):
                page = self._http.get("/jobs", params=params).object()
                numbers.update(_numbers(page.get("jobs")))
                if not page.get("next") or len(numbers) >= len(children):
                    break
                params["next"] = page["next"]
        named = {numbers.get(child): child for child in children}
        if set(named) != set(range(len(children))):
            return children
        return [named[number] for number in range(len(children))]

    def _child(self, identity: str) -> dict[str, str]:
        found = self._read.get(identity)  # what one try has read the next does not read again
        if found is None:
            found = self._best(identity, self._http.get(f"/jobs/{segment(identity)}").object())
            self._read[identity] = found
        return found

    def _best(self, identity: str, job: Mapping[str, Any]) -> dict[str, str]:
        named = _results(job)
        format = decoding.best_format(named)
        if format is not None:
            return self._artifact(identity, named[format], format)
        reply = self._http.get(f"/jobs/{segment(identity)}/results/probabilities")
        return _kept(reply, "ionq.result.probabilities.json.v1")

    def _artifact(self, identity: str, descriptor: Any, format: str) -> dict[str, str]:
        artifact = descriptor.get("id") if isinstance(descriptor, dict) else None
        if not isinstance(artifact, str):
            raise BadReply(f"IonQ names no artifact for {format}.", method="GET", path=f"/jobs/{identity}")
        return _kept(self._http.get(f"/jobs/{segment(identity)}/artifacts/{segment(artifact)}"), format)

    def decode(self, raw: RawResult, prepared: Prepared, program: Program, task: Task) -> list[Result]:
        """Results out of what `fetch` gave."""
        counts, about = decoding.decode(raw, prepared)
        return results_of(program, task, counts, {"backend": self.name, **about})

    # money --------------------------------------------------------------------------------------------------
    def cost(self, prepared: Prepared) -> Cost | None:
        """IonQ's estimate for the gates, qubits and shots of a task."""
        details = prepared.details
        one, two = details["gates"]
        params = {
            "backend": self.target,
            "type": json.loads(prepared.payload)["type"],
            "qubits": max(1, *details["num_qubits"]),
            "shots": details["shots"],
            "1q_gates": one,
            "2q_gates": two,
            "error_mitigation": "true" if details["debiasing"] else "false",
        }
        told = self._http.get("/jobs/estimate", params=params).object()
        amount = told.get("estimated_total_cost")
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < _MOST_MONEY:
            return None  # free targets have no price
        unit = str(told.get("estimated_unit") or "").upper()
        return Cost(float(amount), unit, f"IonQ's estimate for {one:,} and {two:,} gates on one and two qubits")

    def dry_run(self, program: Program, task: Task, *, sleep: Callable[[float], None] = time.sleep) -> RemoteStatus:
        """Have IonQ compile a task without running it, which is free; what comes back is how that ended.

        Args:
            program: what.
            task: how.
            sleep: how to wait, for tests.
        """
        body = {**json.loads(self.prepare(program, task).payload), "dry_run": True}
        ref = self._ref(self._http.send("POST", "/jobs", json=body), "id")
        wait = 1.0
        while not (status := self.status(ref)).state.is_final:
            sleep(max(wait, status.retry_after_sec or 0.0))
            wait = min(wait * 1.5, 30.0)
        return status


def _kept(reply: Reply, format: str) -> dict[str, str]:
    """A reply as it came; that it is JSON is for the decoder to say, when it is stored."""
    return {"format": format, "body": reply.body.decode("utf-8", "backslashreplace")}


def _is_ours(job: Any, client_ref: str) -> bool:
    """Whether an entry of the list of jobs is what was sent with our reference, and no child of it."""
    metadata = job.get("metadata") if isinstance(job, dict) else None
    tagged = isinstance(metadata, dict) and metadata.get(REFERENCE) == client_ref
    return tagged and bool(job.get("id")) and job.get("parent_job_id") is None


def _results(job: Mapping[str, Any]) -> dict[str, Any]:
    named = job.get("results")
    return named if isinstance(named, dict) else {}


def _numbers(jobs: Any) -> dict[str, int]:
    """Numbers of circuits by the ids of their jobs, out of the names that they were given."""
    found = {}
    for job in jobs if isinstance(jobs, list) else ():
        name = job.get("name") if isinstance(job, dict) else None
        number = name.removeprefix(CIRCUIT) if isinstance(name, str) else ""
        if number.isdecimal() and number.isascii() and name != number and len(number) < 10:
            found[str(job.get("id"))] = int(number)
    return found


def _predicted(job: Mapping[str, Any]) -> float | None:
    """The wait that IonQ predicts for a job that waits, in seconds."""
    predicted = job.get("predicted_wait_time_ms")
    if STATES.get(str(job.get("status"))) is not RemoteState.QUEUED or not isinstance(predicted, (int, float)):
        return None
    return predicted / 1000 if 0 <= predicted < _LONGEST_TOLD else None


def _all_before(jobs: list[Any], start: datetime | None) -> bool:
    """Whether a page holds older jobs only."""
    if start is None or not jobs:
        return False
    for job in jobs:
        try:
            moment = datetime.fromisoformat(str(job["submitted_at"]))
        except (ValueError, KeyError, TypeError):
            return False
        if (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) >= start:
            return False
    return True
