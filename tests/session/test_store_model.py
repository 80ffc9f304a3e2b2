"""The store against a model of it: processes that submit, claim, finish, give back, cancel and die in any order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from session.store.jobs import JobStore
from session.store.liveness import Identity
from session.store.records import Claim, JobStatus, NewJob

PROCESSES = st.integers(0, 2)
NUMBERS = st.integers(0, 1000)


class Model(RuleBasedStateMachine):
    """What should be: a status for each job, the process that runs it, how often it was started and crashed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = JobStore(self.folder / "state", create=True)
        self.processes = [Identity(self.store.folder) for _ in range(3)]
        self.jobs: dict[str, dict[str, Any]] = {}
        self.claims: list[Claim] = []  # every one that was ever given, so that old ones are tried too

    def teardown(self) -> None:
        for process in self.processes:
            process.release()
        shutil.rmtree(self.folder)

    def pick(self, number: int) -> str | None:
        return list(self.jobs)[number % len(self.jobs)] if self.jobs else None

    @rule()
    def submit(self) -> None:
        job_id = self.store.submit(NewJob("sample", False, "{}", "{}", "simulator", "local"))
        self.jobs[job_id] = {"status": "QUEUED", "owner": None, "attempts": 0, "fence": 0, "result": None}

    @rule(process=PROCESSES, number=NUMBERS)
    def claim(self, process: int, number: int) -> None:
        job_id = self.pick(number)
        if job_id is None:
            return
        job, me = self.jobs[job_id], self.processes[process].id
        alive = {one.id for one in self.processes}
        free = job["status"] in ("QUEUED", "RUNNING", "CANCELLING") and job["owner"] not in alive
        claim = self.store.claim(job_id, me)
        if free and job["status"] == "CANCELLING":
            job.update(status="CANCELLED", owner=None)
        elif free and job["attempts"] >= 3:
            job.update(status="FAILED", owner=None)
        elif free:
            job.update(status="RUNNING", owner=me, attempts=job["attempts"] + 1, fence=job["fence"] + 1)
            assert claim is not None and claim.fence == job["fence"]
            self.claims.append(claim)
            return
        assert claim is None

    def held(self, claim: Claim) -> dict[str, Any] | None:
        """The job, when this claim is the one that stands."""
        job = self.jobs[claim.id]
        return job if (job["owner"], job["fence"]) == (claim.owner, claim.fence) else None

    @rule(number=NUMBERS, big=st.booleans())
    def complete(self, number: int, big: bool) -> None:
        if not self.claims:
            return
        claim = self.claims[number % len(self.claims)]
        job, result = self.held(claim), [float(number)] * (20_000 if big else 1)
        stored = self.store.complete(claim, result)
        assert stored is (job is not None and job["status"] == "RUNNING")
        if job is not None:
            job.update(status="COMPLETED" if stored else "CANCELLED", owner=None, result=result if stored else None)

    @rule(number=NUMBERS)
    def fail(self, number: int) -> None:
        if not self.claims:
            return
        claim = self.claims[number % len(self.claims)]
        job = self.held(claim)
        self.store.fail(claim, ValueError("no"))
        if job is not None:
            job.update(status="FAILED" if job["status"] == "RUNNING" else "CANCELLED", owner=None)

    @rule(number=NUMBERS)
    def give_back(self, number: int) -> None:
        if not self.claims:
            return
        claim = self.claims[number % len(self.claims)]
        job = self.held(claim)
        self.store.release(claim)
        if job is not None and job["status"] == "RUNNING":
            job.update(status="QUEUED", owner=None, attempts=job["attempts"] - 1)
        elif job is not None:
            job.update(status="CANCELLED", owner=None)

    @rule(number=NUMBERS)
    def cancel(self, number: int) -> None:
        job_id = self.pick(number)
        if job_id is None:
            return
        job = self.jobs[job_id]
        cancelled = self.store.cancel(job_id)
        assert cancelled is (job["status"] not in ("COMPLETED", "FAILED"))
        if job["status"] in ("QUEUED", "RUNNING", "CANCELLING"):
            running = job["owner"] in {one.id for one in self.processes}
            job.update(status="CANCELLING" if running else "CANCELLED", owner=job["owner"] if running else None)

    @rule(process=PROCESSES)
    def die(self, process: int) -> None:
        self.processes[process].release()  # what the system does for a process that was killed
        self.processes[process] = Identity(self.store.folder)

    @invariant()
    def agrees(self) -> None:
        alive = {one.id for one in self.processes}
        found = {record.id: record for record in self.store.find()}
        assert set(found) == set(self.jobs)
        for job_id, job in self.jobs.items():
            orphan = job["status"] == "RUNNING" and job["owner"] not in alive
            assert found[job_id].status == ("QUEUED" if orphan else job["status"])
            steps = [event.after for event in self.store.events(job_id)]
            assert steps.count(JobStatus.COMPLETED) == (job["status"] == "COMPLETED")
            if job["status"] == "COMPLETED":
                assert self.store.result(job_id) == job["result"]


def test_the_store_does_what_its_model_does() -> None:
    run_state_machine_as_test(Model, settings=settings(max_examples=6, stateful_step_count=15, derandomize=True))


@pytest.mark.slow
def test_the_store_does_what_its_model_does_for_long() -> None:
    run_state_machine_as_test(Model, settings=settings(max_examples=150, stateful_step_count=40))
