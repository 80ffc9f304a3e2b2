"""The steps of a task on AQT: `session.backends.protocol.RemoteBackend` over Arnica's API v1."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from qsim.errors import suggestion
from session.backends.aqt.decoding import decode
from session.backends.aqt.payload import GATES, MAX_CIRCUITS, MAX_REPETITIONS, payload
from session.backends.credentials import Secret
from session.backends.experiments import Experiment, results_of
from session.backends.http import HttpClient, Reply
from session.backends.http_backend import QUICK, HttpBackend, qubits_of
from session.backends.http_replies import segment
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
from session.errors import BadReply, ServiceRefused, SessionError
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind

ENDPOINT, VARIABLE = "https://arnica.aqt.eu/api/v1", "AQT_TOKEN"
TESTED_AGAINST = (
    "the models of aqt-connector 0.5.0 and the cloud client of qiskit-aqt-provider 2.0.1 (Arnica API v1); not run on the live "
    "service"
)
STATES = {
    "queued": RemoteState.QUEUED,
    "ongoing": RemoteState.RUNNING,
    "finished": RemoteState.COMPLETED,
    "error": RemoteState.FAILED,
    "cancelled": RemoteState.CANCELLED,
}
_KEPT = 16  # replies
_TARGET = re.compile(r"([^/\s]{1,100})/([^/\s]{1,100})")


class AQTBackend(HttpBackend):
    """Runs tasks on a resource of AQT, a device or a simulator, in circuits of RZ, R and RXX that are made here.

    Args:
        preferences: `backend_options` may have ``profile`` and ``target``, which is "workspace/resource".
        credential: gives the token; None for the profile's, the variable ``AQT_TOKEN`` or the keyring.

    >>> from session.preferences import ExecutionPreferences
    >>> AQTBackend(ExecutionPreferences(backend_options={"target": "mine/ibex"})).target
    'mine/ibex'
    """

    name = "aqt"
    provider = "AQT"
    #: How circuits are rebased and checked, for an emulation of the target.
    preparation: ClassVar[dict[str, bool]] = {"small_angles": True, "delays": False}

    def __init__(
        self, preferences: ExecutionPreferences, *, credential: Callable[[], str | Secret] | None = None
    ) -> None:
        if preferences.noise is not None:
            raise SessionError("Backend 'aqt' takes no noise model of this package. Use backend 'simulator'.")
        self._profile = resolve_profile(preferences, "aqt", endpoint=ENDPOINT)
        known = ("profile", "target")
        for name in {**self._profile.options, **preferences.backend_options}:
            if name not in known:
                hint = suggestion(str(name), known)
                raise SessionError(f"Backend 'aqt' has no option {name!r}.{hint} There are {', '.join(known)}.")
        found = _TARGET.fullmatch(self._profile.target) if isinstance(self._profile.target, str) else None
        if found is None or any(part in (".", "..") for part in found.groups()):
            raise SessionError(
                "Backend 'aqt' needs a target, 'workspace/resource' as Arnica shows them: "
                f"backend_options={{'target': 'my-workspace/ibex'}}; got {self._profile.target!r}."
            )
        self._workspace, self._resource = found.groups()
        self._credential = credential
        self._http = HttpClient(self._profile.endpoint, headers=self._headers)
        self._quick = HttpClient(self._profile.endpoint, headers=self._headers, budget=QUICK)
        self._guard = threading.Lock()
        self._finished: dict[
            str, RawResult
        ] = {}  # replies that had the results, of the last few jobs that were asked for

    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._profile.secret(VARIABLE, explicit=self._credential).reveal()}"}

    # what it is ---------------------------------------------------------------------------------------------
    def _can(self, resource: Mapping[str, Any]) -> Capabilities:
        return Capabilities(
            operations=frozenset((TaskKind.SAMPLE, TaskKind.ESTIMATE)),
            num_qubits=qubits_of(resource.get("available_qubits")),
            max_shots=MAX_CIRCUITS * MAX_REPETITIONS,
            gates=GATES,
            accepts=frozenset(("aqt",)),
            feed_forward=False,
            precision="shots",
            is_remote=True,
            idempotency="none",
            resumable=True,
            max_circuits=MAX_CIRCUITS,
            mid_circuit=False,
            cancel=True,
            tested_against=TESTED_AGAINST,
        )

    def _look(self) -> dict[str, Any]:
        return self._quick.get(f"/resources/{segment(self._resource)}").object()

    def _payload(self, made: Sequence[Experiment]) -> Prepared:
        return payload(made, self.target)

    # a task -------------------------------------------------------------------------------------------------
    def submit(self, prepared: Prepared, client_ref: str) -> RemoteRef:
        """Send it. Arnica keeps our reference as the job's label, by which its user can find it, but nobody else."""
        body = {**json.loads(prepared.payload), "label": client_ref}
        path = f"/submit/{segment(self._workspace)}/{segment(self._resource)}"
        job = self._http.send("POST", path, json=body).object().get("job")
        identity = job.get("job_id") if isinstance(job, dict) else None
        if not isinstance(identity, str) or not identity:
            raise BadReply("AQT took the job and gave no job_id for it.", method="POST", path=path)
        return RemoteRef(identity, self.endpoint, self.target)

    def find(self, client_ref: str, since: datetime | None = None) -> RemoteRef | None:
        """None: Arnica lists no jobs, so that a job that was sent and not answered is never sent again."""
        return None

    def status(self, ref: RemoteRef) -> RemoteStatus:
        """Where the job is, with Arnica's reason when it failed."""
        reply = self._http.get(f"/result/{segment(ref.remote_id)}")
        response = reply.object().get("response")
        if not isinstance(response, dict):
            raise BadReply(f"AQT says nothing about job {ref.remote_id}.", method="GET", path=reply.path)
        message = response.get("message")
        said = message[:2000] if isinstance(message, str) else ""
        done = response.get("finished_count")
        if not said and isinstance(done, int):
            said = f"{done} circuits are finished"
        status = RemoteStatus.of(str(response.get("status")), STATES, message=said)
        if status.state is RemoteState.COMPLETED:
            with self._guard:  # several jobs of a session are asked for by threads of their own
                self._finished[ref.remote_id] = _raw(reply)
                for oldest in list(self._finished)[:-_KEPT]:
                    del self._finished[oldest]
        return status

    def cancel(self, ref: RemoteRef) -> CancelOutcome:
        """Ask Arnica to cancel; what is final stays as it is."""
        path = f"/jobs/{segment(ref.remote_id)}"
        reply = self._http.send("DELETE", path, repeatable=True, expect=(400, 404, 409, 422))
        if reply.status == 208:  # it was cancelled before
            return CancelOutcome.ALREADY_FINAL
        if reply.status < 400:
            return CancelOutcome.REQUESTED
        status = self.status(ref)
        if status.state.is_final:
            return CancelOutcome.ALREADY_FINAL
        raise ServiceRefused(f"AQT did not cancel job {ref.remote_id}, which is {status.raw}.", status=reply.status)

    def fetch(self, ref: RemoteRef) -> RawResult:
        """Arnica's reply, byte for byte: the one that told that the job is finished, if this backend has it."""
        known = self._finished.get(ref.remote_id)
        return known if known is not None else _raw(self._http.get(f"/result/{segment(ref.remote_id)}"))

    def decode(self, raw: RawResult, prepared: Prepared, program: Program, task: Task) -> list[Result]:
        """Results out of what `fetch` gave."""
        counts, about = decode(raw, prepared)
        return results_of(program, task, counts, {"backend": self.name, **about})

    def cost(self, prepared: Prepared) -> Cost | None:
        """None: Arnica tells no prices."""
        return None


def _raw(reply: Reply) -> RawResult:
    return RawResult(reply.body, reply.media_type or "application/json")
