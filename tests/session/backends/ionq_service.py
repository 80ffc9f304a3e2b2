"""IonQ's API v0.4 as a service on this machine: for contract tests, in the place of the real one.

It runs what it receives, text or JSON, on `small_engine`. Each request and each reply of it is checked by IonQ's OpenAPI
file when a validator is given: a request that is not valid is answered with 400, and `violations` holds what was wrong.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import small_engine as engine
from loopback import Answer, Received, reply

KEY = "key-0123456789abcdef"
AGGREGATE = "ionq.result.probabilities-aggregate.json.v1"
#: The states that a job goes through, one each time that it is asked for.
WAY = ("submitted", "ready", "started", "completed")
_TIME = "2026-11-25T12:00:{:02d}.000Z"
_MODIFIERS = re.compile(r"\b(if|else|for|while|def|gate|ctrl|inv|pow|input|switch|let|const|barrier|delay)\b")
_GATE = re.compile(r"([a-z]+[0-9]?)(?:\(([^()]*)\))? ((?:q\[\d+\](?:, )?)+);")
_MEASURE = re.compile(r"([A-Za-z_]\w*)\[(\d+)\] = measure q\[(\d+)\];")


class Refused(Exception):
    """A program that IonQ's preflight refuses."""


@dataclass
class Text:
    """A program of the subset of OpenQASM 3 that IonQ takes."""

    qubits: int
    registers: list[tuple[str, int]] = field(default_factory=list)
    steps: list[tuple[str, Any, tuple[int, ...]]] = field(default_factory=list)

    @property
    def bits(self) -> int:
        return sum(size for _, size in self.registers)


def parse(text: str) -> Text:
    """Read it, and refuse what is outside of the subset by its name."""
    lines = [line.strip() for line in re.sub(r";\s*", ";\n", text).splitlines() if line.strip()]
    if not lines or not re.fullmatch(r"OPENQASM 3(\.0)?;", lines[0]):
        raise Refused("the program does not begin with OPENQASM 3.0;")
    made, places = Text(0), {}
    for line in lines[1:]:
        if line == 'include "stdgates.inc";':
            continue
        if found := re.fullmatch(r"qubit\[(\d+)\] q;", line):
            made.qubits = int(found[1])
        elif found := re.fullmatch(r"bit\[(\d+)\] ([A-Za-z_]\w*);", line):
            if found[2] == "output_all":
                raise Refused("register output_all is the system's")
            places[found[2]] = made.bits
            made.registers.append((found[2], int(found[1])))
        elif found := _MEASURE.fullmatch(line):
            made.steps.append(("measure", places[found[1]] + int(found[2]), (int(found[3]),)))
        elif found := re.fullmatch(r"reset q\[(\d+)\];", line):
            made.steps.append(("reset", None, (int(found[1]),)))
        elif word := _MODIFIERS.search(line):
            raise Refused(f"unsupported construct: {word[1]}")
        elif found := _GATE.fullmatch(line):
            qubits = tuple(int(one) for one in re.findall(r"\d+(?=\])", found[3]))
            angles = [float(one) for one in found[2].split(",")] if found[2] else []
            try:
                size = len(engine.matrix(found[1], angles))
            except (KeyError, IndexError):
                raise Refused(f"unsupported gate: {found[1]}") from None
            if size != 1 << len(qubits) or len(set(qubits)) < len(qubits) or max(qubits) >= made.qubits:
                raise Refused(f"gate {found[1]} on {found[3]}")
            made.steps.append((found[1], angles, qubits))
        else:
            raise Refused(f"unsupported statement: {line}")
    return made


def gates_of(circuit: list[dict[str, Any]]) -> list[tuple[str, Any, tuple[int, ...]]]:
    """The steps of a list of ``qis`` gates."""
    steps = []
    for one in circuit:
        name, angles = one["gate"], [one["rotation"]] if "rotation" in one else []
        control = [one["control"]] if "control" in one else one.get("controls", [])
        target = [one["target"]] if "target" in one else one.get("targets", [])
        steps.append((name, angles, tuple(int(q) for q in (*control, *target))))
    return steps


@dataclass
class Job:
    """A job as the service keeps it."""

    id: str
    body: dict[str, Any]
    way: list[str]
    at: int
    parent: str | None = None
    children: list[str] = field(default_factory=list)
    failure: dict[str, str] | None = None
    artifacts: dict[str, tuple[str, Any]] = field(default_factory=dict)  # id -> format, content

    @property
    def status(self) -> str:
        return self.way[0]


class IonQService:
    """Jobs, and answers to requests; give `answer` to `loopback(otherwise=...)`.

    Args:
        validator: a `vendor_specs.OpenApi`, or None.
        formats: of results; the ideal simulator gives those of probabilities alone.
        way: the states of a job, see `WAY`.
        page: jobs in a page of the list.
    """

    def __init__(
        self,
        validator: Any = None,
        *,
        formats: tuple[str, ...] = (),
        way: tuple[str, ...] = WAY,
        page: int = 3,
        seed: int = 5,
    ) -> None:
        self.validator, self.formats, self.way, self.page = validator, formats, way, page
        self.jobs: dict[str, Job] = {}
        self.violations: list[str] = []
        self.rng = np.random.default_rng(seed)
        self.numbers = itertools.count()
        self.read_once = self.shuffles = False
        self.after_create: Callable[[Job], None] | None = None

    # requests ---------------------------------------------------------------------------------------------------
    def answer(self, request: Received) -> Answer:
        """What the service answers, checked."""
        parts = urlsplit(request.path)
        path = parts.path.removeprefix("/v0.4")
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        if path != "/backends" and request.headers.get("authorization") != f"apiKey {KEY}":
            return reply(401, {"statusCode": 401, "error": "Unauthorized Error", "message": "Invalid key provided."})
        if self.validator is not None:
            wrong = self.validator.request(request.method, path, request.headers, request.body, query)
            if wrong:
                self.violations.append(f"{request.method} {path}: {wrong}")
                return reply(400, {"statusCode": 400, "error": "Bad Request", "message": wrong[:300]})
        status, data = self.route(request.method, path, query, request.body)
        if self.validator is not None and status < 300 and "/artifacts/" not in path:
            wrong = self.validator.reply(request.method, path, status, data)
            if wrong:
                self.violations.append(f"the reply to {request.method} {path}: {wrong}")
        return reply(status, data)

    def route(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Status and content."""
        words = path.strip("/").split("/")
        if words == ["backends"]:
            return 200, [self.device("simulator", 29), self.device("qpu.forte-1", 36)]
        if (method, words) == ("POST", ["jobs"]):
            return self.create(json.loads(body))
        if (method, words) == ("GET", ["jobs"]):
            return 200, self.list(query)
        if (method, words) == ("GET", ["jobs", "estimate"]):
            return 200, self.estimate(query)
        job = self.jobs.get(words[1]) if words[0] == "jobs" else None
        if job is None:
            return 404, {"statusCode": 404, "error": "Not Found Error", "message": "Resource not found."}
        if len(words) == 2 and method == "GET":
            shown = self.shown(job)
            if len(job.way) > 1:
                job.way.pop(0)
            return 200, shown
        if words[2:] == ["status", "cancel"] and method == "PUT":
            if job.status in ("completed", "failed", "canceled"):
                return 400, {"statusCode": 400, "error": "Bad Request", "message": f"The job is {job.status}."}
            job.way = ["canceled"]
            return 200, {"id": job.id, "status": "canceled"}
        if words[2] == "artifacts" and words[3] in job.artifacts:
            found = job.artifacts.pop(words[3]) if self.read_once else job.artifacts[words[3]]
            return 200, found[1]
        return 404, {"statusCode": 404, "error": "Not Found Error", "message": "Resource not found."}

    # answers ----------------------------------------------------------------------------------------------------
    def device(self, name: str, qubits: int) -> dict[str, Any]:
        return {
            "backend": name, "status": "available", "qubits": qubits, "average_queue_time": 0,
            "last_updated": "2026-11-25T00:00:00Z", "supported_error_mitigations": ["debiasing"],
        }  # fmt: skip

    def create(self, body: dict[str, Any]) -> tuple[int, Any]:
        job = self.add(body)
        kind, data = body["type"], body["input"]
        try:
            if kind == "ionq.multi-circuit.v1":
                self.several(job, data)
            elif kind == "ionq.qasm3.v1":
                self.run_text(job, parse(data["data"]))
            else:
                self.run_gates(job, data["qubits"], gates_of(data["circuit"]))
        except Refused as error:
            job.failure = {"code": "InvalidInput", "message": str(error)}
            job.way = ["submitted", "failed"]
        if body.get("dry_run"):
            job.artifacts = {}
        if self.after_create is not None:
            self.after_create(job)
        return 201, {"id": job.id, "status": "submitted", "session_id": None}

    def add(self, body: dict[str, Any], parent: str | None = None) -> Job:
        job = Job(str(uuid.uuid4()), body, list(self.way), next(self.numbers), parent)
        self.jobs[job.id] = job
        return job

    def shown(self, job: Job) -> dict[str, Any]:
        body, done = job.body, job.status == "completed"
        named = {format: {"id": key, "format": format, "media_type": "application/json"}
                 for key, (format, _) in job.artifacts.items()}  # fmt: skip
        made = {
            "id": job.id, "status": job.status, "type": body["type"], "backend": body["backend"],
            "dry_run": bool(body.get("dry_run")), "submitter_id": "64b03577072d45001c85e9c4", "project_id": None,
            "parent_job_id": job.parent, "session_id": None, "metadata": body.get("metadata"), "name": body.get("name"),
            "submitted_at": _TIME.format(job.at % 60), "started_at": None, "completed_at": None,
            "predicted_wait_time_ms": 4 if job.status == "submitted" else None,
            "predicted_execution_duration_ms": None, "execution_duration_ms": 12 if done else None,
            "shots": body.get("shots", 100), "failure": job.failure if job.status == "failed" else None, "output": {},
            "settings": {}, "stats": {"qubits": 2, "circuits": 1}, "results": named if done else None,
            "child_job_ids": job.children or None,
        }  # fmt: skip
        if "noise" in body:
            made["noise"] = body["noise"]
        return made

    def list(self, query: dict[str, str]) -> dict[str, Any]:
        parent = query.get("parent_job_id")
        newest = sorted((job for job in self.jobs.values() if parent in (None, job.parent)), key=lambda job: -job.at)
        start = int(query.get("next", 0))
        size = min(self.page, int(query.get("limit", self.page)))
        jobs = [
            {k: v for k, v in self.shown(job).items() if k != "child_job_ids"} for job in newest[start : start + size]
        ]
        return {"jobs": jobs, "next": str(start + size) if start + size < len(newest) else None}

    def estimate(self, query: dict[str, str]) -> dict[str, Any]:
        one, two, shots = (int(query.get(k, 0)) for k in ("1q_gates", "2q_gates", "shots"))
        context = {"backend": query["backend"], "organization": None, "project": None, "shots": shots}
        rates = [{"sku": "x", "unit": "gates", "cost_1q_gate": 0.00022, "cost_2q_gate": 0.000975}]
        return {
            "estimate_context": context, "estimated_at": _TIME.format(0), "estimated_unit": "usd",
            "rate_card": {"rates": rates, "id": "card"},
            "estimated_total_cost": shots * (one * 0.00022 + two * 0.000975),
            "estimated_execution_time": 1000, "current_predicted_queue_time": 1000,
        }  # fmt: skip

    # running ----------------------------------------------------------------------------------------------------
    def run_text(self, job: Job, text: Text) -> None:
        final = [step for step in text.steps if step[0] == "measure"]
        if self.is_ideal(job):
            state = engine.run(text.qubits, [s for s in text.steps if s[0] not in ("measure", "reset")])
            registers: dict[str, dict[str, float]] = {}
            for name, keys in self.registers(text):
                for basis, p in engine.probabilities(state).items():
                    bits = {bit: basis >> qubits[0] & 1 for _, bit, qubits in final}
                    key = "".join(str(bits.get(k, 0) if name != "output_all" else basis >> k & 1) for k in keys)
                    registers.setdefault(name, {}).setdefault(key, 0.0)
                    registers[name][key] += p
            self.keep(job, "ionq.result.probabilities.json.v2", {"probabilities": {"registers": registers}})
            self.keep(job, "ionq.result.probabilities.json.v1", decimals(engine.probabilities(state)))
            return
        found = engine.shots(text.qubits, text.bits, text.steps, job.body.get("shots", 100), self.rng)
        listed = [
            {
                name: [bits[k] if name != "output_all" else basis >> k & 1 for k in keys]
                for name, keys in self.registers(text)
            }
            for bits, basis in found
        ]
        self.keep_shots(job, listed, [basis for _, basis in found])

    def run_gates(self, job: Job, qubits: int, steps: list[Any]) -> None:
        state = engine.run(qubits, steps)
        if self.is_ideal(job):
            self.keep(job, "ionq.result.probabilities.json.v1", decimals(engine.probabilities(state)))
            return
        drawn = engine.counts(state, job.body.get("shots", 100), self.rng)
        states = [basis for basis, n in drawn.items() for _ in range(n)]
        self.keep_shots(job, [{"output_all": [basis >> k & 1 for k in range(qubits)]} for basis in states], states)

    def several(self, job: Job, data: dict[str, Any]) -> None:
        together = {}
        for circuit in data["circuits"]:
            child = self.add(
                {**job.body, "type": "ionq.circuit.v1", "metadata": None, "name": circuit.get("name")}, job.id
            )
            self.run_gates(child, circuit.get("qubits", data.get("qubits", 1)), gates_of(circuit["circuit"]))
            child.way = [self.way[-1]]
            job.children.append(child.id)
            values = next((c for f, c in child.artifacts.values() if f == "ionq.result.probabilities.json.v1"), None)
            together[child.id] = values
        if self.shuffles:
            self.rng.shuffle(job.children)
        if None not in together.values():
            self.keep(job, AGGREGATE, dict(reversed(together.items())))  # the order of an object's names means nothing

    def is_ideal(self, job: Job) -> bool:
        noise = job.body.get("noise", {"model": "ideal"})["model"]
        return bool(job.body["backend"] == "simulator" and noise == "ideal")

    def registers(self, text: Text) -> list[tuple[str, range]]:
        """Named registers by the places of their bits, and the system's by its qubits."""
        made, at = [], 0
        for name, size in text.registers:
            made.append((name, range(at, at + size)))
            at += size
        return [*made, ("output_all", range(text.qubits))]

    def keep_shots(self, job: Job, listed: list[dict[str, list[int]]], states: list[int]) -> None:
        """All formats of results of shots."""
        total = max(len(states), 1)
        histogram: dict[str, dict[str, int]] = {}
        for shot in listed:
            for name, bits in shot.items():
                key = "".join(map(str, bits))
                histogram.setdefault(name, {}).setdefault(key, 0)
                histogram[name][key] += 1
        shares = {name: {k: n / total for k, n in keys.items()} for name, keys in histogram.items()}
        counts = engine.tally(states)
        self.keep(job, "ionq.result.shots.json.v2", {"shots": [{"registers": shot} for shot in listed]})
        self.keep(job, "ionq.result.histogram.json.v2", {"histogram": {"registers": histogram}})
        self.keep(job, "ionq.result.probabilities.json.v2", {"probabilities": {"registers": shares}})
        self.keep(job, "ionq.result.shots.json.v1", [str(state) for state in states])
        self.keep(job, "ionq.result.histogram.json.v1", {str(state): n for state, n in counts.items()})
        self.keep(job, "ionq.result.probabilities.json.v1", {str(state): n / total for state, n in counts.items()})

    def keep(self, job: Job, format: str, content: Any) -> None:
        if self.formats and format not in self.formats and format != AGGREGATE:
            return
        job.artifacts[str(uuid.uuid4())] = (format, content)
        if self.validator is not None:
            wrong = self.validator.schema(_SCHEMAS[format], content)
            if wrong:
                self.violations.append(f"{format}: {wrong}")


_SCHEMAS = {
    f"ionq.result.{kind}.json.{v}": f"IonqResult{kind.capitalize()}Json{v.upper()}"
    for kind in ("shots", "histogram", "probabilities") for v in ("v1", "v2")
} | {AGGREGATE: "IonqResultProbabilitiesAggregateJsonV1"}  # fmt: skip


def decimals(probabilities: dict[int, float]) -> dict[str, float]:
    """The first format of probabilities: states as decimal numbers."""
    assert math.isclose(sum(probabilities.values()), 1)
    return {str(state): p for state, p in probabilities.items()}
