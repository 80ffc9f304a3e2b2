"""Jobs when processes die, stop, fork and fill the disk; scenarios run in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from session.store.faults import PLACES
from session.store.jobs import JobStore
from session.store.liveness import Identity
from session.store.records import JobStatus, NewJob

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the scenarios fork")
HERE = Path(__file__).parent


def scenario(name: str, folder: Path) -> Any:
    return run_json([sys.executable, str(HERE / "crash_driver.py"), name, str(folder)])


def run_json(command: list[str], seconds: float = 900) -> Any:
    root = str(HERE.parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_kill_at_any_place_loses_nothing_and_commits_once(tmp_path: Path) -> None:
    found = scenario("faults", tmp_path)
    assert found.pop("submit-before-commit") == {"signal": 9, "jobs": 0}
    assert list(found) == [place for place in PLACES if place != "submit-before-commit"]
    for place, one in found.items():
        assert one["signal"] == 9, place
        assert one["before"] == ("COMPLETED" if place == "finish-after-commit" else "QUEUED"), place
        started_again = place not in ("submit-after-commit", "claim-before-commit", "finish-after-commit")
        assert one["starts"] == 1 + started_again, place
        assert (one["right"], one["status"], one["commits"], one["integrity"]) == (True, "COMPLETED", 1, []), place
        assert len(one["files"]) == 1, place


def test_two_processes_that_ask_for_an_orphan_get_one_result(tmp_path: Path) -> None:
    found = scenario("takeover", tmp_path)
    assert found["digests"] == [found["expected"]] * 2
    assert (found["status"], found["commits"], found["starts"], found["integrity"]) == ("COMPLETED", 1, 2, [])


def test_nobody_takes_over_from_an_owner_that_is_only_stopped(tmp_path: Path) -> None:
    found = scenario("stopped_owner", tmp_path)
    assert found["timed_out"] and found["meanwhile"] == "RUNNING"
    assert (found["status"], found["starts"], found["commits"]) == ("COMPLETED", 1, 1)


def test_a_job_that_kills_its_process_three_times_is_given_up(tmp_path: Path) -> None:
    found = scenario("poisoned", tmp_path)
    assert found["signals"] == [9, 9, 9]
    assert (found["final"], found["starts"], found["commits"]) == ("FAILED", 3, 0)
    assert "crashed its process 3 times" in found["error"]


def test_sixteen_processes_may_make_the_store_at_once(tmp_path: Path) -> None:
    found = scenario("sixteen", tmp_path)
    assert found["statuses"] == [0] * 16
    assert (found["jobs"], found["integrity"]) == (16, [])
    assert found["left"] == ["jobs.db", "results", "store.lock", "workers"]


def test_a_forked_child_does_not_keep_its_parent_alive(tmp_path: Path) -> None:
    found = scenario("forked", tmp_path)
    assert (found["before"], found["alive"], found["after"]) == ("RUNNING", True, "QUEUED")
    assert found["cancelled"] and found["final"] == "CANCELLED"


def test_a_full_disk_is_a_clear_error_and_the_job_waits(tmp_path: Path) -> None:
    found = scenario("full_disk", tmp_path)
    assert all("There is no room" in error for error in found["errors"])
    assert found["waiting"] == "QUEUED"
    assert found["right"] and found["commits"] == 1 and found["integrity"] == []


def test_a_full_database_keeps_what_it_has(tmp_path: Path) -> None:
    found = scenario("small_database", tmp_path)
    assert "SQLITE_FULL" in found["message"]
    assert found["count"] == found["stored"] > 1
    assert found["first"] and found["integrity"] == []


def test_files_are_private_under_any_umask(tmp_path: Path) -> None:
    modes = scenario("open_umask", tmp_path)
    folders = {"state", "state/results", "state/workers"}
    assert {name: mode for name, mode in modes.items() if name in folders} == dict.fromkeys(folders, "0o700")
    assert {mode for name, mode in modes.items() if name not in folders} == {"0o600"}
    assert sum(name.endswith(".zip") for name in modes) == 1


def test_a_store_that_cannot_be_written_is_read_all_the_same(tmp_path: Path) -> None:
    found = scenario("read_only", tmp_path)
    assert found["same"]
    assert found["message"].startswith("StoreAccessError") and "QSIM_STATE_DIR" in found["message"]


def test_the_end_of_the_interpreter_gives_its_job_back(tmp_path: Path) -> None:
    found = scenario("ending", tmp_path)
    assert (found["status"], found["after"]) == (0, "QUEUED")
    assert "given back" in found["notes"]


def test_a_few_kills_at_random_moments(tmp_path: Path) -> None:
    check(run_json([sys.executable, str(HERE / "nemesis.py"), str(tmp_path), "5", "3"]), 5)


@pytest.mark.slow
def test_a_thousand_kills_at_random_moments(tmp_path: Path) -> None:
    check(run_json([sys.executable, str(HERE / "nemesis.py"), str(tmp_path), "1000", "42"], 7200), 1000)


def check(found: Any, kills: int) -> None:
    print(found)
    assert found["kills"] >= kills
    assert found["stored"] >= found["jobs"] >= 12  # a submitter may die between storing a job and telling its id
    assert found["not_completed"] == found["committed_twice"] == found["wrong_results"] == 0
    assert found["integrity"] == []


def race(store: JobStore, identity: Identity, rounds: int) -> dict[str, int]:
    """Cancelling against finishing, from two threads at the same moment."""
    outcomes = {"COMPLETED": 0, "CANCELLED": 0}
    for _ in range(rounds):
        job_id = store.submit(NewJob("sample", False, "{}", "{}", "simulator", "local"))
        claim = store.claim(job_id, identity.id)
        assert claim is not None
        start = threading.Barrier(2)
        seen: dict[str, bool] = {}

        def cancel(job_id: str = job_id, start: Any = start, seen: Any = seen) -> None:
            start.wait()
            seen["cancelled"] = store.cancel(job_id)

        thread = threading.Thread(target=cancel)
        thread.start()
        start.wait()
        completed = store.complete(claim, [1.5])
        thread.join()
        status = store.get(job_id).status
        assert completed is not seen["cancelled"]
        assert status is (JobStatus.COMPLETED if completed else JobStatus.CANCELLED)
        assert [event.after for event in store.events(job_id)].count(status) == 1
        if completed:
            assert store.result(job_id) == [1.5]
        outcomes[status] += 1
    return outcomes


def test_cancelling_and_finishing_at_once_has_one_winner(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "state", create=True)
    identity = Identity(store.folder)
    assert sum(race(store, identity, 20).values()) == 20
    identity.release()


@pytest.mark.slow
def test_cancelling_and_finishing_at_once_a_thousand_times(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "state", create=True)
    identity = Identity(store.folder)
    outcomes = race(store, identity, 1000)
    print(outcomes)
    assert sum(outcomes.values()) == 1000
    identity.release()
