"""Kills worker processes at random moments while they run jobs, and checks that nothing is lost.

``python nemesis.py FOLDER KILLS SEED`` prints one line of JSON with what it did and found. Workers and submitters are
forked from this process, which has loaded everything and runs nothing itself, so that a thousand kills take minutes.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

WORKERS = 3
PAUSE = 0.06  # seconds between kills, on average


def jobs_of(round_number: int) -> list[Any]:
    """Calls that submit the jobs of a round: short and long ones, batches, results in the database and in files."""
    from qsim import Circuit, Parameter, Pauli
    from session import ExecutionSession
    from session.tasks import TaskKind

    angle = Parameter("t")
    small = Circuit(6)
    for k in range(6):
        small.ry((k + 1) * angle, k)
    wide = Circuit(15).h(range(15))
    middle = Circuit(10)
    for layer in range(40):
        middle.rx((layer + 1) * angle, range(10)).cx(layer % 10, (layer + 3) % 10)
    observable = Pauli.Z(0) * Pauli.Z(5) + 0.5 * Pauli.X(2)
    calls: list[Any] = []
    for k in range(3):
        calls += [
            (small, "simulator_statevector", {"t": 0.1 * k}, None),
            (wide, "simulator_statevector", None, None),
            (middle, "simulator_statevector", [{"t": 0.1 * j} for j in range(25)], None),
            (small, "simulator", [{"t": 0.2 * k}, {"t": 1.0}], observable),
        ]

    def call(number: int, start: bool) -> Any:
        circuit, backend, parameters, operator = calls[number]
        session = ExecutionSession(circuit, backend, random_seed=1000 * round_number + number, num_shots=20_000)
        if operator is None:
            task = session._sample_task(parameters, None)
        else:
            task = session._operator_task(TaskKind.ESTIMATE, operator, parameters)
        return session._submit(task, start=start)

    return [lambda start, number=number: call(number, start) for number in range(len(calls))]


def spawn(work: Any) -> int:
    """A forked child that does this and ends without cleaning up."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def run_worker(once: bool = False) -> None:
    """What `qsim worker` does."""
    from session.store.jobs import JobStore
    from session.worker import work

    work(JobStore(), threading.Event(), once=once)


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    os.environ.update(QSIM_STATE_DIR=str(folder / "disturbed"), QSIM_JOB_ATTEMPTS="1000000", QSIM_NUM_THREADS="1")
    from session.jobs import ExecutionJob
    from session.store.jobs import JobStore
    from session.store.spec import results_text

    killed, rounds, submitters_killed, expected = 0, 0, 0, {}
    workers: list[int] = []
    ids: dict[str, tuple[int, int]] = {}
    started = time.monotonic()
    while killed < kills:
        rounds += 1
        calls = jobs_of(rounds)
        submitted, dead = submit_all(calls, rng)
        killed, submitters_killed = killed + dead, submitters_killed + dead
        for number, job_id in submitted:
            ids[job_id] = (rounds, number)
        store = JobStore()
        pause, left = PAUSE, len(submitted)
        while now_left := sum(not store.get(job_id).status.is_final for _, job_id in submitted):
            # A busy machine must get something done between kills.
            pause, left = (PAUSE if now_left < left else pause * 1.05), now_left
            while len(workers) < WORKERS:
                workers.append(spawn(run_worker))
            if killed >= kills:  # now they may finish
                time.sleep(0.05)
                continue
            time.sleep(rng.expovariate(1 / pause))
            victim = workers.pop(rng.randrange(len(workers)))
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            killed += 1
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    kill_seconds = time.monotonic() - started
    store = JobStore()
    records = store.find()
    events = {record.id: store.events(record.id) for record in records}
    disturbed = {job_id: results_text(ExecutionJob.from_id(job_id)._store.result(job_id)) for job_id in ids}
    integrity = store.database.check()
    os.environ["QSIM_STATE_DIR"] = str(folder / "undisturbed")
    wrong = 0
    for job_id, (round_number, number) in ids.items():
        if (round_number, number) not in expected:
            for k, call in enumerate(jobs_of(round_number)):
                job = call(True)
                job.poll(600)
                expected[round_number, k] = results_text(job._store.result(job.id))
        wrong += disturbed[job_id] != expected[round_number, number]
    finished = [sum(event.after == "COMPLETED" for event in steps) for steps in events.values()]
    return {
        "kills": killed,
        "submitters_killed": submitters_killed,
        "seconds": round(kill_seconds, 1),
        "jobs": len(ids),
        "stored": len(records),
        "starts": sum(event.after == "RUNNING" for steps in events.values() for event in steps),
        "not_completed": sum(record.status != "COMPLETED" for record in records),
        "committed_twice": sum(count > 1 for count in finished),
        "wrong_results": wrong,
        "integrity": integrity,
    }


def submit_all(calls: list[Any], rng: random.Random) -> tuple[list[tuple[int, str]], int]:
    """Submit each call from children that may be killed on the way; those whose id never came are submitted again."""
    submitted: dict[int, str] = {}
    dead, longest = 0, 0.4
    while len(submitted) < len(calls):
        reading, writing = os.pipe()

        def work(writing: int = writing) -> None:
            for number, call in enumerate(calls):
                if number not in submitted:
                    os.write(writing, f"{number} {call(False).id}\n".encode())

        pid = spawn(work)
        os.close(writing)
        deadline = time.monotonic() + rng.uniform(0.01, longest)
        longest *= 1.2  # a busy machine must get something done between kills
        text = b""
        while time.monotonic() < deadline:
            ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
            if ready:
                part = os.read(reading, 1 << 16)
                if not part:
                    break
                text += part
        else:
            os.kill(pid, signal.SIGKILL)
            dead += 1
            while part := os.read(reading, 1 << 16):
                text += part
        os.waitpid(pid, 0)
        os.close(reading)
        for line in text.decode().splitlines():
            number, job_id = line.split()
            submitted[int(number)] = job_id
    return list(submitted.items()), dead


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
