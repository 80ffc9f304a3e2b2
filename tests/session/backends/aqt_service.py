"""AQT's Arnica API v1 as a service on this machine: for contract tests, in the place of the real one.

It runs what it receives on `small_engine`. Each body is checked by the models of aqt-connector when they are given.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import small_engine as engine
from loopback import Answer, Received, reply

TOKEN = "token-0123456789abcdef"
WAY = ("queued", "ongoing", "finished")


@dataclass
class Job:
    """A job as the service keeps it."""

    body: dict[str, Any]
    about: dict[str, Any]
    way: list[str]
    result: dict[str, list[list[int]]]
    message: str = "the ions are gone"


def steps(circuit: list[dict[str, Any]]) -> list[tuple[str, list[float], tuple[int, ...]]]:
    """The operations of a circuit for the engine, angles in radians; the last is a measurement of all."""
    assert circuit[-1] == {"operation": "MEASURE"}
    made: list[tuple[str, list[float], tuple[int, ...]]] = []
    for one in circuit[:-1]:
        if one["operation"] == "RZ":
            made.append(("rz", [math.pi * one["phi"]], (one["qubit"],)))
        elif one["operation"] == "R":
            made.append(("r", [math.pi * one["theta"], math.pi * one["phi"]], (one["qubit"],)))
        else:
            made.append(("rxx", [math.pi * one["theta"]], tuple(one["qubits"])))
    return made


class AQTService:
    """Jobs, and answers to requests; give `answer` to `loopback(otherwise=...)`.

    Args:
        models: a `vendor_specs.AqtModels`, or None.
        way: the states of a job, one each time that it is asked for.
        prefix: of the paths.
    """

    def __init__(
        self, models: Any = None, *, way: tuple[str, ...] = WAY, prefix: str = "/api/v1", seed: int = 5
    ) -> None:
        self.models, self.way, self.prefix = models, way, prefix
        self.jobs: dict[str, Job] = {}
        self.violations: list[str] = []
        self.rng = np.random.default_rng(seed)
        self.read_once = False
        self.after_create: Callable[[Job], None] | None = None

    def answer(self, request: Received) -> Answer:
        """What the service answers, checked."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return reply(401, {"detail": "Not authenticated"})
        path = urlsplit(request.path).path.removeprefix(self.prefix)
        status, data, model = self.route(request.method, path.strip("/").split("/"), request.body)
        if self.models is not None and model and (wrong := self.models.check(model, data)):
            self.violations.append(f"the reply to {request.method} {path}: {wrong}")
        return reply(status, data)

    def route(self, method: str, words: list[str], body: bytes) -> tuple[int, Any, str]:
        """Status, content, and the model that it is of."""
        if method == "POST" and words[0] == "submit":
            return self.create(words[1], words[2], json.loads(body))
        if words == ["workspaces"]:
            resources = [{"id": "ibex", "name": "Ibex", "type": "simulator"}]
            return (
                200,
                [
                    {
                        "id": "lab",
                        "accepting_job_submissions": True,
                        "jobs_being_processed": True,
                        "resources": resources,
                    }
                ],
                "",
            )
        if words[0] == "resources" and len(words) == 2:
            return 200, self.resource(words[1]), "ResourceDetails"
        job = self.jobs.get(words[1]) if len(words) == 2 else None
        if job is None:
            return 404, {"detail": "Unknown job"}, ""
        if method == "GET" and words[0] == "result":
            return 200, self.shown(words[1], job), "ResultResponse"
        if method == "DELETE" and words[0] == "jobs":
            if job.way[0] == "cancelled":
                return 208, None, ""
            if job.way[0] in ("finished", "error"):
                return 400, {"detail": "The job is finished"}, ""
            job.way = ["cancelled"]
            return 204, None, ""
        return 404, {"detail": "Not Found"}, ""

    def resource(self, name: str) -> dict[str, Any]:
        return {
            "id": name, "name": name, "type": "simulator", "status": "online", "available_qubits": 12,
            "status_updated_at": "2026-11-25T12:00:00Z",
        }  # fmt: skip

    def create(self, workspace: str, resource: str, body: dict[str, Any]) -> tuple[int, Any, str]:
        if self.models is not None and (wrong := self.models.check("SubmitJobRequest", body)):
            self.violations.append(wrong)
            return 422, {"detail": [{"msg": wrong[:300]}]}, ""
        identity = str(uuid.uuid4())
        about = {
            "job_id": identity, "job_type": body["job_type"], "label": body.get("label"), "resource_id": resource,
            "workspace_id": workspace,
        }  # fmt: skip
        result = {str(k): self.run(circuit) for k, circuit in enumerate(body["payload"]["circuits"])}
        job = self.jobs[identity] = Job(body, about, list(self.way), result)
        if self.after_create is not None:
            self.after_create(job)
        return 200, {"job": about, "response": {"status": "queued"}}, "SubmitJobResponse"

    def run(self, circuit: dict[str, Any]) -> list[list[int]]:
        qubits = circuit["number_of_qubits"]
        state = engine.run(qubits, steps(circuit["quantum_circuit"]))
        drawn = engine.counts(state, circuit["repetitions"], self.rng)
        found = [[basis >> q & 1 for q in range(qubits)] for basis, n in drawn.items() for _ in range(n)]
        self.rng.shuffle(found)
        return found

    def shown(self, identity: str, job: Job) -> dict[str, Any]:
        word = job.way.pop(0) if len(job.way) > 1 else job.way[0]
        response: dict[str, Any] = {"status": word}
        if word == "ongoing":
            response["finished_count"] = 0
        elif word == "finished":
            response["result"] = job.result
            if self.read_once:
                del self.jobs[identity]
        elif word == "error":
            response["message"] = job.message
        return {"job": job.about, "response": response}
